// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/wires.h"

// Both ends of TCP connections, held by one thread on one CPU: what is measured is the path, not
// who wakes whom.  The client is near, the server far.  Throws SetupError.
namespace natrix::bench {

// CPU nanoseconds for one connection: opened, accepted, closed at both ends.
double ConnectClose(const Wires& wires, int cpu, const std::string& server, std::uint32_t count);

// Of one byte there and one back, on one connection; by the clock.
struct Latency {
  double p50_us = 0;
  double p99_us = 0;
};
Latency Requests(const Wires& wires, int cpu, const std::string& server, std::uint32_t count);

}  // namespace natrix::bench
