// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace natrix::model {

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

}  // namespace natrix::model
