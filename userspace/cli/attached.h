// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "loader/link_pins.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"

namespace natrix::cli {

// Ids of the programs of ours at a device's hooks, by loader::Hook; 0: none.
using ProgramIds = std::array<std::uint32_t, 2>;

// Adds what a pin in links/ stands for: one hook's link, or the filters of both.  A link that is
// gone, or on another device, adds nothing.
Result<> AddAttached(const loader::PinRoot& root, const loader::LinkPin& pin, ProgramIds& ids);

// "prog 12 nx_out", without the name when the kernel does not tell; of 0 "MISSING".
std::string ProgramText(std::uint32_t id);

}  // namespace natrix::cli
