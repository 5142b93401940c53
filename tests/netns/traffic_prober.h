// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/netns/traffic_sockets.h"

// Questions asked all the time, one after the other, and who may answer them.
namespace natrix::netns {

// Answers every datagram with its name and what it got, until it is destroyed.
class Answerer {
 public:
  Answerer(const support::Namespace& ns, const Point& local, std::string name);

 private:
  UniqueFd socket_;
  std::jthread thread_;
};

// Which endpoints a Service has, from change to change.
class Serving {
 public:
  using Names = std::set<std::string>;

  explicit Serving(Names names) : epochs_{{names, names}} {}
  // What `change` puts in force: while it runs nobody can tell which of the two is.
  void Become(const Names& names, const std::function<void()>& change);

  std::size_t Now() const;
  // Whether one of that name was called at some time, or all the time, from one epoch to another.
  bool Was(const std::string& name, std::size_t from, std::size_t to) const;
  bool WasAlways(const std::string& name, std::size_t from, std::size_t to) const;

 private:
  struct Epoch {
    Names possible;
    Names sure;
  };
  mutable std::mutex mutex_;
  std::vector<Epoch> epochs_;
};

// Who asks, and whom.
struct Probing {
  std::string what;  // for a person
  const support::Namespace& from;
  std::string local;  // address
  Point called;
  // 0: a standing flow, of one socket.  Else each question is a new one, from the next port: one
  // that came again would be the old flow, which keeps its endpoint as long as that terminates.
  std::uint16_t first_port = 0;
  const Serving& serving;
};

// Asks on a thread of its own until it is stopped.  A standing flow must keep its endpoint as long
// as that serves.
class Prober {
 public:
  explicit Prober(const Probing& probing);

  std::uint64_t answered() const { return answered_; }
  bool failed() const { return failed_; }
  void Stop();  // waits for the last answer
  // When it has stopped: what went wrong, in sentences, and by whom it was answered.
  const std::vector<std::string>& failures() const { return failures_; }
  const Serving::Names& answerers() const { return answerers_; }

 private:
  void Run(const std::stop_token& stop);
  bool Ask(int socket, std::uint64_t number);
  bool Fail(const std::string& why);

  Probing probing_;
  std::vector<std::string> failures_;
  Serving::Names answerers_;
  std::string endpoint_;  // of the standing flow
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<bool> failed_ = false;
  std::jthread thread_;
};

}  // namespace natrix::netns
