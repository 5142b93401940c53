// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "userspace/config/mapping.h"
#include "userspace/config/values.h"

namespace natrix::config {

// Choices of one word whose order in the table is that of their enum.  Returns where it was
// written, {0, 0} when it was not.
template <typename Enum>
Span DecodeChoice(const Mapping& map, std::string_view name, Enum& into) {
  auto index = static_cast<std::size_t>(into);
  const Span where = map.Into(index, name, ReadChoice);
  into = static_cast<Enum>(index);
  return where;
}

}  // namespace natrix::config
