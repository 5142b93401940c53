// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/stats.h"

// What a run has measured, free of how.
namespace natrix::bench {

// One lane in one case.  Sample i is of round i.
struct LaneResult {
  std::string lane;
  std::vector<double> samples;
  double delivered = 1;  // the worst round's share of what was sent
  std::string refused;   // why its samples may not be used; empty: they may

  bool IsUsable() const { return refused.empty() && !samples.empty(); }
};

// One case in one family.
struct Measured {
  std::string id;     // "masquerade-1k"
  std::string title;  // for people
  int family = 4;
  std::string unit;   // "ns/packet"; "ms", "1/s", "Gbit/s", "us", "MB"
  std::string floor;  // the lane that the others are compared with; empty: none
  std::vector<LaneResult> lanes;

  const LaneResult* Find(std::string_view lane) const;
  LaneResult& Lane(std::string_view lane);  // made when it is not there
};

struct Results {
  std::vector<Measured> cases;
  std::vector<std::string> profiles;  // for people

  const Measured* Find(std::string_view id, int family) const;
  // Some lane of some case may not be used.
  bool HasRefused() const;
};

// The least share of packets that has to arrive, as they should be, for a sample to count.
inline constexpr double kLeastDelivered = 0.99;

}  // namespace natrix::bench
