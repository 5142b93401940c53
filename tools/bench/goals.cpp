// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/goals.h"

namespace natrix::bench {
namespace {

struct Sides {
  const LaneResult* lane = nullptr;
  const LaneResult* against = nullptr;  // null for values
  std::string trouble;
};

bool IsValue(Compare compare) {
  return compare == Compare::kValueAtMost || compare == Compare::kValueAtLeast;
}

const LaneResult* Usable(const Results& results, const std::string& id, const std::string& lane,
                         int family, std::string& trouble) {
  const Measured* measured = results.Find(id, family);
  const LaneResult* found = measured ? measured->Find(lane) : nullptr;
  if (!found)
    trouble = id + " was not run" + (measured ? " in lane " + lane : std::string());
  else if (!found->IsUsable())
    trouble = lane + " was refused: " + found->refused;
  return trouble.empty() ? found : nullptr;
}

Sides SidesOf(const Goal& goal, int family, const Results& results) {
  Sides sides;
  sides.lane = Usable(results, goal.case_id, goal.lane, family, sides.trouble);
  if (!sides.lane || IsValue(goal.compare)) return sides;
  const std::string& other = goal.against_case.empty() ? goal.case_id : goal.against_case;
  const int of = goal.against_family == 0 ? family : goal.against_family;
  sides.against = Usable(results, other, goal.against, of, sides.trouble);
  return sides;
}

std::optional<double> Measure(Compare compare, const Sides& sides) {
  const std::vector<double>& lane = sides.lane->samples;
  switch (compare) {
    case Compare::kRatioAtMost:
    case Compare::kRatioAtLeast:
      return MedianRatio(lane, sides.against->samples);
    case Compare::kSpeedupAtLeast:
      return MedianRatio(sides.against->samples, lane);
    case Compare::kDifferenceAtMost:
      return MedianDifference(lane, sides.against->samples);
    case Compare::kValueAtMost:
    case Compare::kValueAtLeast:
      break;
  }
  return SpreadOf(lane)->median;
}

bool IsMet(Compare compare, double measured, double limit) {
  switch (compare) {
    case Compare::kRatioAtLeast:
    case Compare::kSpeedupAtLeast:
    case Compare::kValueAtLeast:
      return measured >= limit;
    case Compare::kRatioAtMost:
    case Compare::kDifferenceAtMost:
    case Compare::kValueAtMost:
      break;
  }
  return measured <= limit;
}

}  // namespace

Judgement Judge(const Goal& goal, int family, const Results& results) {
  Judgement judgement{.goal = goal, .family = family};
  if (!goal.absent.empty()) {
    judgement.reason = goal.absent;
    return judgement;
  }
  const Sides sides = SidesOf(goal, family, results);
  if (!sides.trouble.empty()) {
    judgement.reason = sides.trouble;
    return judgement;
  }
  judgement.measured = Measure(goal.compare, sides);
  if (!judgement.measured) {
    judgement.reason = "the two sides have not the same rounds";
    return judgement;
  }
  judgement.state =
      IsMet(goal.compare, *judgement.measured, goal.limit) ? State::kMet : State::kMissed;
  return judgement;
}

const char* NameOf(State state) {
  switch (state) {
    case State::kMet:
      return "met";
    case State::kMissed:
      return "not met";
    case State::kNotMeasured:
      break;
  }
  return "not measured";
}

}  // namespace natrix::bench
