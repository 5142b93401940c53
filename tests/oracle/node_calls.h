// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/scene.h"

// Processes of a node that call, with servers everywhere to be reached.
namespace natrix::oracle {

enum class CallKind { kTcp, kConnectedUdp, kUdp };
inline constexpr CallKind kCallKinds[] = {CallKind::kTcp, CallKind::kConnectedUdp, CallKind::kUdp};
const char* NameOf(CallKind kind);

// What a call came to.
struct CallOutcome {
  enum class What {
    kAnswered,
    kRefused,  // ECONNREFUSED
    kDropped,  // nobody heard it: EPERM, or an answer that never comes
  };
  What what = What::kDropped;
  std::string server;  // who answered: "10.16.0.10:8080"
  std::string source;  // as the server saw it
  std::string peer;    // as the caller did: getpeername(2), or where the datagram came from
  std::string error;   // what the caller was told; not compared

  friend bool operator==(const CallOutcome& a, const CallOutcome& b) {
    return a.what == b.what && a.server == b.server && a.source == b.source && a.peer == b.peer;
  }
};
std::ostream& operator<<(std::ostream& out, const CallOutcome& outcome);

// A live node under an engine, in one family.
class CallingNode {
 public:
  CallingNode(EngineKind kind, Family family);

  void Apply(const model::Config& config) { engine_->Apply(config); }
  // One TCP and one UDP server there.
  void Serve(const support::Namespace& ns, const netns::Point& at);
  // A process of the node calls.  What is meant to be dropped is waited for only shortly.  From
  // several threads at once if nothing is meant to be answered.
  CallOutcome Call(CallKind kind, const netns::Point& to, CallOutcome::What meant);
  const Scene& scene() const { return scene_; }

 private:
  struct Server {
    netns::Point at;
    UniqueFd tcp;
    UniqueFd udp;
  };
  CallOutcome CallTcp(const netns::Point& to, const support::Bytes& hello,
                      support::milliseconds limit);
  CallOutcome CallUdp(bool connected, const netns::Point& to, const support::Bytes& hello,
                      support::milliseconds limit);
  // The server that has something for us within the limit; null: none, or the caller has an error.
  const Server* WhoHears(bool tcp, int client, support::milliseconds limit) const;
  netns::Point AnyPort() const;

  Family family_;
  Scene scene_;
  std::unique_ptr<Engine> engine_;
  std::vector<Server> servers_;
  std::atomic<std::uint8_t> number_ = 0;  // of the call: what came late belongs to another
};

}  // namespace natrix::oracle
