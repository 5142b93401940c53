// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Where a value was written, and how many entries it costs.
using Costs = std::vector<std::pair<Span, std::size_t>>;

// Reports the first value, in the order of the file, that does not fit any more.
void CheckRoom(Costs costs, std::size_t most, std::string_view message, std::string_view help,
               Diagnostics& diagnostics);

}  // namespace natrix::config
