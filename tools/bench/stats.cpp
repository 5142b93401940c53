// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/stats.h"

#include <algorithm>
#include <cstddef>
#include <functional>

namespace natrix::bench {
namespace {

std::optional<double> MedianOfPairs(const std::vector<double>& a, const std::vector<double>& b,
                                    const std::function<double(double, double)>& of) {
  if (a.size() != b.size()) return std::nullopt;
  std::vector<double> pairs;
  for (std::size_t i = 0; i < a.size(); ++i) pairs.push_back(of(a[i], b[i]));
  const std::optional<Spread> spread = SpreadOf(std::move(pairs));
  return spread ? std::optional(spread->median) : std::nullopt;
}

}  // namespace

std::optional<Spread> SpreadOf(std::vector<double> samples) {
  if (samples.empty()) return std::nullopt;
  std::ranges::sort(samples);
  const std::size_t middle = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  return Spread{median, samples.front(), samples.back()};
}

std::optional<double> MedianRatio(const std::vector<double>& a, const std::vector<double>& b) {
  if (std::ranges::any_of(b, [](double value) { return !(value > 0); })) return std::nullopt;
  return MedianOfPairs(a, b, std::divides<>());
}

std::optional<double> MedianDifference(const std::vector<double>& a, const std::vector<double>& b) {
  return MedianOfPairs(a, b, std::minus<>());
}

}  // namespace natrix::bench
