// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/bench/results.h"

// The project's goals, and whether a run met them.  Pure.
namespace natrix::bench {

enum class Compare {
  kRatioAtMost,       // lane / against <= limit
  kRatioAtLeast,      // lane / against >= limit
  kSpeedupAtLeast,    // against / lane >= limit: lane costs that many times less
  kDifferenceAtMost,  // lane - against <= limit, in the case's unit
  kValueAtMost,       // lane <= limit, in the case's unit
  kValueAtLeast,
};

struct Goal {
  std::string area;  // the row of the table
  std::string text;  // "<= 1.20 T"
  std::string case_id;
  std::string lane;
  Compare compare = Compare::kRatioAtMost;
  double limit = 0;
  std::string against;       // a lane; unused for values
  std::string against_case;  // empty: the same case
  int against_family = 0;    // 0: the same; a goal is not judged in this family itself
  std::string absent;        // why it cannot be measured (yet); empty: it can
};

enum class State { kMet, kMissed, kNotMeasured };

struct Judgement {
  Goal goal;
  int family = 4;
  State state = State::kNotMeasured;
  std::optional<double> measured;
  std::string reason;  // why it was not measured
};

Judgement Judge(const Goal& goal, int family, const Results& results);
const char* NameOf(State state);  // "met", "not met", "not measured"

// The goals, in the order of the table.
const std::vector<Goal>& Goals();

}  // namespace natrix::bench
