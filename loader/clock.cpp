// SPDX-License-Identifier: Apache-2.0
#include "loader/clock.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

namespace natrix::loader {
namespace {

Result<std::uint32_t> RunOnce(int prog_fd) {
  std::array<std::byte, 64> packet{};  // the kernel runs no program on less than a frame
  LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet.data(), .data_size_in = packet.size(),
              .repeat = 1);
  if (const int err = bpf_prog_test_run_opts(prog_fd, &opts); err != 0)
    return Fail(err, "run program");
  return opts.retval;
}

}  // namespace

Result<> StartClock(int clock_start_fd) {
  const auto answer = RunOnce(clock_start_fd);
  if (!answer) return Fail(answer.error(), "start the clock");
  const int code = static_cast<int>(*answer);
  if (code != 0 && code != -EBUSY && code != -EEXIST) return Fail(code, "start the clock");
  return {};
}

Result<std::uint32_t> ReadJiffies(int jiffies_fd) {
  auto answer = RunOnce(jiffies_fd);
  if (!answer) return Fail(std::move(answer).error(), "read jiffies");
  return answer;
}

std::uint32_t KernelHz() {
  timespec tick{};
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0) return 0;
  return HzOfTick(tick);
}

std::uint32_t HzOfTick(const timespec& tick) {
  constexpr double kSecond = 1e9;
  if (tick.tv_sec != 0 || tick.tv_nsec <= 0) return 0;
  return static_cast<std::uint32_t>(std::lround(kSecond / static_cast<double>(tick.tv_nsec)));
}

}  // namespace natrix::loader
