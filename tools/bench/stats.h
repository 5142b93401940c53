// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

// What becomes of the samples of several rounds.  Pure.
namespace natrix::bench {

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

// nullopt of nothing.  The median of an even number is the middle of the middle two.
std::optional<Spread> SpreadOf(std::vector<double> samples);

// The median of a[i] / b[i]: both were measured in round i, so that what disturbed that round is in
// both.  nullopt when the rounds differ in number or some b is not above 0.
std::optional<double> MedianRatio(const std::vector<double>& a, const std::vector<double>& b);
// The same of a[i] - b[i].
std::optional<double> MedianDifference(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace natrix::bench
