// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/duration.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace natrix::config {
namespace {

struct Unit {
  char letter;
  std::uint32_t seconds;
};
constexpr Unit kUnits[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

}  // namespace

std::optional<std::uint32_t> ParseDuration(std::string_view text) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  const Unit* unit = std::begin(kUnits);
  while (!text.empty()) {
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::invalid_argument || rest == text.data() + text.size())
      return std::nullopt;
    if (error == std::errc::result_out_of_range) number = kMost;
    unit = std::find_if(unit, std::end(kUnits), [&](const Unit& u) { return u.letter == *rest; });
    if (unit == std::end(kUnits)) return std::nullopt;
    total = std::min(kMost, total + std::min(kMost, number) * unit->seconds);
    ++unit;
    text.remove_prefix(static_cast<std::size_t>(rest + 1 - text.data()));
  }
  return static_cast<std::uint32_t>(total);
}

std::string FormatDuration(std::uint32_t seconds) {
  if (seconds == 0) return "0s";
  std::string text;
  for (const Unit& unit : kUnits) {
    if (seconds < unit.seconds) continue;
    text += std::to_string(seconds / unit.seconds) + unit.letter;
    seconds %= unit.seconds;
  }
  return text;
}

}  // namespace natrix::config
