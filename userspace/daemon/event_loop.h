// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace natrix::daemon {

// Single-threaded: calls a function when its file descriptor can be read.  Borrows the fds.
class EventLoop {
 public:
  static Result<EventLoop> Create();

  Result<> Watch(int fd, std::function<void()> on_readable);
  // Until Stop.  An error is one of epoll itself.
  Result<> Run();
  void Stop() { stopped_ = true; }

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::map<int, std::function<void()>> on_readable_;
  bool stopped_ = false;
};

// A timerfd.
class Timer {
 public:
  static Result<Timer> Create();
  int fd() const { return fd_.get(); }
  // Fires once after `delay`; an armed timer keeps its time.
  void ArmOnce(std::chrono::milliseconds delay);
  void ArmEvery(std::chrono::milliseconds period);
  // Call when it fired.
  void Acknowledge();

 private:
  explicit Timer(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  bool armed_ = false;
};

}  // namespace natrix::daemon
