// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tools/bench/goals.h"
#include "tools/bench/results.h"

// Results for people and for programs.  Pure.
namespace natrix::bench {

// What a run was made on and with.
struct Circumstances {
  std::string kernel;
  std::string processor;
  int cores = 0;
  std::uint32_t rounds = 0;
  std::uint32_t packets = 0;
  std::string command;
  std::string load;  // of the machine when the run began: /proc/loadavg
};

std::vector<Judgement> JudgeAll(const Results& results, const std::vector<int>& families);

std::string TableText(const Results& results);
std::string GoalText(const std::vector<Judgement>& judgements);
std::string JsonText(const Circumstances& circumstances, const Results& results,
                     const std::vector<Judgement>& judgements);

// "1234", "0.871": as many digits as say something.
std::string NumberText(double value);
// What a lane costs in terms of the case's floor, the median of the rounds' ratios.
std::optional<double> RatioToFloor(const Measured& measured, const LaneResult& lane);

}  // namespace natrix::bench
