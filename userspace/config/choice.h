// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "userspace/config/mapping.h"
#include "userspace/config/values.h"

namespace natrix::config {

// Choices of one word whose order in the table is that of their enum.
template <typename Enum>
void DecodeChoice(const Mapping& map, std::string_view name, Enum& into) {
  auto index = static_cast<std::size_t>(into);
  map.Into(index, name, ReadChoice);
  into = static_cast<Enum>(index);
}

}  // namespace natrix::config
