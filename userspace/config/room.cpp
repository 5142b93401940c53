// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/room.h"

#include <algorithm>

namespace natrix::config {

void CheckRoom(Costs costs, std::size_t most, std::string_view message, std::string_view help,
               Diagnostics& diagnostics) {
  std::ranges::sort(costs, {}, [](const auto& cost) { return cost.first.begin; });
  std::size_t used = 0;
  for (const auto& [where, cost] : costs) {
    used += cost;
    if (used <= most) continue;
    diagnostics.Error(where, message, help);
    return;
  }
}

}  // namespace natrix::config
