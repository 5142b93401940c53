// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tools/bench/results.h"

// Charts as SVG, readable on light and on dark paper.  Pure.
namespace natrix::bench {

struct Bar {
  std::string name;
  Spread value;
};

struct Group {
  std::string name;
  std::vector<Bar> bars;
};

// Horizontal bars with their range, groups below each other.
struct Chart {
  std::string title;
  std::string unit;
  bool logarithmic = false;
  std::vector<Group> groups;
};

std::string SvgText(const Chart& chart);

// A group for each of these cases that was run; lanes that were refused are left out.
Chart ChartOf(const Results& results, const std::string& title, const std::vector<std::string>& ids,
              int family, bool logarithmic);

}  // namespace natrix::bench
