// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "tests/netns/traffic_node.h"

namespace natrix::netns {

// TCP SYNs from a pod's device, no two with the same addresses and ports, every second one of
// IPv6: sources all over the masqueraded subnet, destinations outside that nobody answers for.
// Returns how many the device took.  `progress` is called now and then with the count so far.
std::uint64_t SynFlood(const TrafficNode& node, std::uint64_t count,
                       const std::function<void(std::uint64_t)>& progress = {});

// The flood while connections of both families keep exchanging numbers, and all that must hold
// afterwards, as GoogleTest expectations.
struct FloodPlan {
  std::uint64_t syns = 0;
  int connections = 0;  // half of them of each family
  std::uint64_t max_established = 131072;
  std::uint64_t max_embryos = 65536;
  bool talkative = false;  // progress and figures on stdout
};
void RunFlood(const FloodPlan& plan);

}  // namespace natrix::netns
