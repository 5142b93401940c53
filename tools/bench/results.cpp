// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/results.h"

#include <algorithm>

namespace natrix::bench {

const LaneResult* Measured::Find(std::string_view lane) const {
  const auto found = std::ranges::find(lanes, lane, &LaneResult::lane);
  return found == lanes.end() ? nullptr : &*found;
}

LaneResult& Measured::Lane(std::string_view lane) {
  const auto found = std::ranges::find(lanes, lane, &LaneResult::lane);
  if (found != lanes.end()) return *found;
  return lanes.emplace_back(LaneResult{.lane = std::string(lane)});
}

const Measured* Results::Find(std::string_view id, int family) const {
  const auto found = std::ranges::find_if(
      cases, [&](const Measured& m) { return m.id == id && m.family == family; });
  return found == cases.end() ? nullptr : &*found;
}

bool Results::HasRefused() const {
  return std::ranges::any_of(cases, [](const Measured& m) {
    return std::ranges::any_of(m.lanes, [](const LaneResult& l) { return !l.refused.empty(); });
  });
}

}  // namespace natrix::bench
