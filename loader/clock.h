// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "userspace/base/result.h"

// The datapath tells time in jiffies, whose length only the kernel knows.
namespace natrix::loader {

// Runs program NX_PROG_CLOCK_START: from then on the kernel expires flows by itself.  A clock
// that runs already is left alone.
Result<> StartClock(int clock_start_fd);

// The low 32 bits of the kernel's jiffies (NX_PROG_JIFFIES).
Result<std::uint32_t> ReadJiffies(int jiffies_fd);

// Jiffies per second, by counting them against the monotonic clock: takes about 60 ms.
Result<std::uint32_t> MeasureHz(int jiffies_fd);

// The configurable value of CONFIG_HZ nearest to a measurement; 0 when none is near.
std::uint32_t RoundHz(double measured);

}  // namespace natrix::loader
