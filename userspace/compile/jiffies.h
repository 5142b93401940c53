// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace natrix::compile {

// Jiffies are compared as signed 32-bit differences, so that no timeout may reach 2^31.
inline std::uint32_t Jiffies(std::uint32_t seconds, std::uint32_t hz) {
  const std::uint64_t jiffies = std::uint64_t{seconds} * hz;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(jiffies, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace natrix::compile
