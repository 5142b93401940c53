// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/netns/traffic_sockets.h"

// Traffic that goes on in a thread until it is told to stop, and knows what it lost.
namespace natrix::netns {

// Calls `turn` again and again in a thread of its own.
class Loop {
 public:
  explicit Loop(std::function<void()> turn);
  ~Loop() { Stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  void Stop();

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// What a talk has come to.  `problems` holds one sentence per lost or wrong answer.
struct Talk {
  std::uint64_t rounds = 0;
  std::set<std::string> sources;  // as the far end saw them, "address:port"
  std::vector<std::string> problems;
};

// Two hosts, of which the first calls the second's address.
struct Path {
  const support::Namespace& near;
  std::string from;
  const support::Namespace& far;
  std::string to;
};

// `flows` UDP sockets, each numbering its datagrams: sent, seen far away, answered, seen again,
// without a pause.
class UdpTalk {
 public:
  // kAnew: every round with new sockets, so that each is the first of its flow.
  enum class Sockets { kKeep, kAnew };
  UdpTalk(const Path& path, std::uint16_t port, int flows = 1, Sockets sockets = Sockets::kKeep);
  // Ends it and says how it went.
  const Talk& Stop();

 private:
  void Turn();
  void Open();

  Path path_;
  Sockets sockets_;
  Point server_;
  UniqueFd far_;
  std::vector<UniqueFd> near_;
  std::vector<Point> seen_;  // of each near socket, as the far end saw it first
  Talk talk_;
  std::unique_ptr<Loop> loop_;
};

// TCP connections that exchange numbers in lockstep.
class TcpTalk {
 public:
  TcpTalk(const Path& path, std::uint16_t port, int connections = 1);
  void Start();
  const Talk& Stop();
  // Rounds so far.
  std::uint64_t Rounds() const { return rounds_; }
  // Remote ends as the far host has them, in the order of the connections.
  std::vector<Point> Sources() const;
  // How many connections are not ESTABLISHED at both ends.
  int Broken() const;
  std::uint64_t Retransmissions() const;

 private:
  void Turn();
  bool Exchange(std::size_t index);

  struct Pair {
    UniqueFd near;
    UniqueFd far;
    bool dead = false;
  };
  std::vector<Pair> pairs_;
  std::atomic<std::uint64_t> rounds_{0};
  Talk talk_;
  std::unique_ptr<Loop> loop_;
};

// Echo requests, each waiting for its reply.
class PingTalk {
 public:
  PingTalk(const support::Namespace& ns, const std::string& from, const std::string& to);
  const Talk& Stop();

 private:
  void Turn();

  Point to_;
  UniqueFd fd_;
  Talk talk_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace natrix::netns
