// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

namespace natrix::daemon {

// Keeps us from fighting with somebody who takes our filters away as fast as we put them back:
// after a few repairs in a minute a device is left to the regular look, every few seconds.
class RepairBrake {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kMost = 5;
  static constexpr std::chrono::seconds kWindow{60};

  void CountRepair(std::uint32_t ifindex, Clock::time_point now) {
    Window& window = windows_[ifindex];
    if (now - window.began > kWindow) window = {.began = now, .repairs = 0};
    ++window.repairs;
  }
  // Whether the device had more than its share of repairs lately.
  bool Brakes(std::uint32_t ifindex, Clock::time_point now) const {
    const auto found = windows_.find(ifindex);
    return found != windows_.end() && now - found->second.began <= kWindow &&
           found->second.repairs >= kMost;
  }
  void Forget(std::uint32_t ifindex) { windows_.erase(ifindex); }

 private:
  struct Window {
    Clock::time_point began;
    int repairs = 0;
  };
  std::map<std::uint32_t, Window> windows_;
};

}  // namespace natrix::daemon
