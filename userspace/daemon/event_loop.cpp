// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/event_loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace natrix::daemon {
namespace {

timespec ToTimespec(std::chrono::milliseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
}

}  // namespace

Result<EventLoop> EventLoop::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Fail(errno, "create epoll");
  return EventLoop(std::move(epoll));
}

Result<> EventLoop::Watch(int fd, std::function<void()> on_readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Fail(errno, "watch");
  on_readable_[fd] = std::move(on_readable);
  return {};
}

Result<> EventLoop::Run() {
  std::array<epoll_event, 16> events{};
  while (!stopped_) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(errno, "wait for events");
    for (int i = 0; i < count && !stopped_; ++i)
      on_readable_.at(events[static_cast<std::size_t>(i)].data.fd)();
  }
  return {};
}

Result<Timer> Timer::Create() {
  UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd) return Fail(errno, "create timer");
  return Timer(std::move(fd));
}

void Timer::ArmOnce(std::chrono::milliseconds delay) {
  if (armed_) return;
  const itimerspec spec{.it_interval = {}, .it_value = ToTimespec(delay)};
  timerfd_settime(fd_.get(), 0, &spec, nullptr);
  armed_ = true;
}

void Timer::ArmEvery(std::chrono::milliseconds period) {
  const itimerspec spec{.it_interval = ToTimespec(period), .it_value = ToTimespec(period)};
  timerfd_settime(fd_.get(), 0, &spec, nullptr);
}

void Timer::Acknowledge() {
  std::uint64_t expirations = 0;
  (void)!read(fd_.get(), &expirations, sizeof(expirations));
  armed_ = false;
}

}  // namespace natrix::daemon
