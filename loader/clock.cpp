// SPDX-License-Identifier: Apache-2.0
#include "loader/clock.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <thread>

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

std::uint32_t RoundHz(double measured) {
  for (const std::uint32_t hz : {100U, 250U, 300U, 1000U})
    if (std::abs(measured - hz) <= 0.09 * hz) return hz;
  return 0;
}

Result<std::uint32_t> MeasureHz(int jiffies_fd) {
  using Clock = std::chrono::steady_clock;
  // The window doubles when a busy machine or a virtual one blurred the first try.
  double measured = 0;
  for (auto window = std::chrono::milliseconds(60); window.count() < 2000; window *= 2) {
    const auto first = ReadJiffies(jiffies_fd);
    const auto from = Clock::now();
    std::this_thread::sleep_for(window);
    const auto second = ReadJiffies(jiffies_fd);
    const std::chrono::duration<double> elapsed = Clock::now() - from;
    if (!first) return first;
    if (!second) return second;
    measured = static_cast<double>(*second - *first) / elapsed.count();
    if (const std::uint32_t hz = RoundHz(measured); hz != 0) return hz;
  }
  return Fail(fmt::format("measure jiffies per second: {:.0f} is no known value", measured));
}

}  // namespace natrix::loader
