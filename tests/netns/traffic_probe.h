// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/support/process.h"

namespace natrix::netns {

// No hook is there for the example's floating IPs.
inline constexpr char kNoProbeWords[] = "kubeProxy: {socketLB: 'off'}\n";
// The configuration's words for them.
inline constexpr char kProbeWords[] =
    "kubeProxy: {socketLB: 'off'}\n"
    "tproxy:\n"
    "  probes:\n"
    "  - {podIP: 10.241.39.2, port: 80}\n"
    "  - {podIP: \"fd00:241::2\", port: 80}\n";

// Kubelet probes of pods that the node cannot reach:
//
//   [ node: prober, proxy ] eth0 --- [ outside ]
//
// A host outside has the pods' addresses, too: what is not taken over gets there.
class ProbeTest : public testing::TestWithParam<Family> {
 protected:
  explicit ProbeTest(const TrafficNode::Options& options = {});

  std::string pod() const;
  std::string node_address() const { return CastOf(GetParam()).node; }
  Point any() const { return {GetParam() == Family::kIpv4 ? "0.0.0.0" : "::", 0}; }
  Point probed() const { return {pod(), 80}; }

  UniqueFd StartProxy(std::uint16_t port = 8102) const;
  // The pods' other listener, that a probe must not get to.
  UniqueFd ListenOutside(std::uint16_t port) const;

  // What `ip [-6] WORDS` shows.
  std::string Ip(const support::Argv& words) const;
  std::string Output(const support::Argv& argv) const;
  // Until `ip WORDS` shows `text`, for less than natrixd's own rounds take.
  bool Shows(const support::Argv& words, const std::string& text) const;
  // Everything natrix installs for probes, as people see it; "" when nothing.
  std::string Traces() const;

  TrafficNode node_;
};

// Both ends of a probe.
struct Conversation {
  UniqueFd prober;
  UniqueFd accepted;
};
// Throws when the proxy does not get it.
Conversation Probe(const support::Namespace& node, int proxy, const Point& from, const Point& to);

// Sends through both directions and reads it back.
testing::AssertionResult Speak(const Conversation& conversation);

std::uint32_t MarkOf(int fd);

}  // namespace natrix::netns
