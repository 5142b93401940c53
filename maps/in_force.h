// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "maps/abi/config.h"
#include "maps/array_map_view.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// What `read(side)` returns, of the side that was in force from its beginning to its end.  natrixd
// rewrites a side only after the other one came into force, so that an unchanged number says that
// nothing moved under the reader.
template <typename Read>
auto ReadInForce(const ArrayMapView<nx_generation>& generation, Read read)
    -> decltype(read(std::uint32_t{})) {
  // Each reload changes the number once: so many in a row, each within one reading, are no reloads.
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    const auto before = generation.At(0);
    if (!before) return std::unexpected(before.error());
    auto value = read(before->number & 1);
    if (!value) return value;
    const auto after = generation.At(0);
    if (!after) return std::unexpected(after.error());
    if (after->number == before->number) return value;
  }
  return Fail(EAGAIN, "read the configuration in force: it changes all the time");
}

}  // namespace natrix::maps
