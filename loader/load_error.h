// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace natrix::loader {

// The last `lines` lines of a verifier log, without its closing statistics.
std::string LogTail(std::string_view log, std::size_t lines);

// What a user can do about a failed load with this errno (positive); empty when nothing is known.
std::string LoadHint(int err, std::string_view log);

}  // namespace natrix::loader
