// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ctime>

#include "userspace/base/result.h"

// The datapath tells time in jiffies, whose length only the kernel knows.
namespace natrix::loader {

// Runs program NX_PROG_CLOCK_START: from then on the kernel expires flows by itself.  A clock
// that runs already is left alone.
Result<> StartClock(int clock_start_fd);

// The low 32 bits of the kernel's jiffies (NX_PROG_JIFFIES).
Result<std::uint32_t> ReadJiffies(int jiffies_fd);

// Jiffies per second: CONFIG_HZ.  The coarse clocks advance once a tick, and their resolution is
// the tick's length (TICK_NSEC, posix_get_coarse_res in kernel/time/posix-timers.c).
std::uint32_t KernelHz();

// The ticks of this length in a second, to the nearest; 0 when that is no tick.
std::uint32_t HzOfTick(const timespec& tick);

}  // namespace natrix::loader
