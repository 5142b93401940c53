// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace natrix::config {

// What a flow's clock can hold: 24 days of jiffies at 1000 a second are below 2^31.
inline constexpr std::uint32_t kMaxSeconds = 24 * 86400;

// "90s", "1h30m", "5d" -> seconds.  Units d, h, m, s, each at most once, larger ones first.
// nullopt when it is no duration; a number above 2^32 seconds is one, and comes back as 2^32 - 1.
std::optional<std::uint32_t> ParseDuration(std::string_view text);

// Seconds -> the shortest text that ParseDuration reads back: 432000 -> "5d", 90 -> "1m30s".
std::string FormatDuration(std::uint32_t seconds);

}  // namespace natrix::config
