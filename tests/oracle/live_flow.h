// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/scene.h"

// Conversations between real sockets of a live scene.
namespace natrix::oracle {

enum class Kind { kTcp, kTcpStream, kUdp, kEcho };

struct LiveFlow {
  std::string name;  // for people
  Kind kind = Kind::kTcp;
  Place from = Place::kPod1;
  std::string source;             // the caller's address
  std::string destination;        // what it calls
  Place to = Place::kOutside;     // who answers, and sees
  std::uint16_t source_port = 0;  // or the echo's identifier
};

// What the answering side saw of the caller.
struct Sight {
  bool answered = false;  // and the caller got the right answer
  std::string address;
  std::uint16_t port = 0;
  std::string trouble;  // when not answered
};

// Lets `flow` happen; each step of it has `limit_ms` to come true.
Sight Observe(const Scene& scene, const LiveFlow& flow, int limit_ms);

// The conversations of the example configuration, in both families: what a user would try.
std::vector<LiveFlow> ExampleFlows();

// Whether two nodes showed the same.  The port's number is chance where it was changed; whether it
// was is not.
bool Same(const LiveFlow& flow, const Sight& one, const Sight& other);

}  // namespace natrix::oracle
