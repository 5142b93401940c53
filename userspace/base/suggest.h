// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace natrix {

// Optimal string alignment distance, case ignored: insertions, deletions, replacements and
// swaps of neighbours that turn `a` into `b`.
std::size_t EditDistance(std::string_view a, std::string_view b);

// The candidate that `word` was probably meant to be; nullopt when none is close.
std::optional<std::string_view> DidYouMean(std::string_view word,
                                           std::span<const std::string_view> candidates);

}  // namespace natrix
