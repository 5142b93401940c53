// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/device.h"
#include "maps/abi/flow.h"
#include "maps/abi/set.h"
#include "maps/abi/way.h"
#include "natrix.skel.h"
#include "tests/support/build.h"
#include "tests/support/checksum.h"
#include "tests/support/namespace.h"
#include "tests/support/packet.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

namespace natrix {

// The cast.  Index 0 is IPv4, 1 is IPv6: every test runs over both.
struct Cast {
  const char* pod;        // in a subnet with natOutgoing
  const char* other_pod;  // the same subnet
  const char* kept_pod;   // in a subnet without natOutgoing
  const char* join;       // the node's address in the join subnet
  const char* node;       // the node's address on the uplink, what masquerade picks
  const char* other_node;
  const char* service;   // in the service CIDR
  const char* web;       // outside
  const char* router;    // outside, reports errors
  const char* floating;  // its pod is `pod`
};
inline constexpr Cast kCast[2] = {
    {"10.16.0.10", "10.16.0.11", "10.17.0.10", "100.64.0.2", "172.18.0.3", "172.18.0.4",
     "10.96.0.10", "198.51.100.80", "203.0.113.1", "172.18.0.50"},
    {"fd00:10:16::10", "fd00:10:16::11", "fd00:10:17::10", "fd00:100:64::2", "fd00:172:18::3",
     "fd00:172:18::4", "fd00:10:96::a", "2001:db8::80", "2001:db8:1::1", "fd00:172:18::50"}};

enum class Hook { kPodIn, kUplinkIn, kOut, kLoopback };

// What a program did with one frame.
struct Outcome {
  bool dropped = false;
  bool reflected = false;  // sent back the way it came
  support::Bytes frame;
  nx_reason reason = NX_R_NONE;  // the one whose counter grew
  std::uint32_t mark = 0;

  support::Layers layers() const;  // fails the test when the frame is no IP packet
  std::string src() const { return layers().src; }
  std::string dst() const { return layers().dst; }
  std::uint16_t sport() const;  // of an echo: the identifier
  std::uint16_t dport() const;

  friend void PrintTo(const Outcome& out, std::ostream* to) {
    *to << (out.dropped ? "dropped" : "passed") << " for reason " << static_cast<int>(out.reason)
        << " mark " << out.mark << ": " << support::Describe(out.frame);
  }
};

// The loaded programs, their tables empty, in a network namespace of the test's own.  A test run
// happens on `lo`, ifindex 1, which stands for the uplink eth0 and has the node's addresses.
class Datapath : public testing::TestWithParam<int> {
 protected:
  void SetUp() override;

  const Cast& cast() const { return kCast[GetParam()]; }
  bool v6() const { return GetParam() == 1; }

  // Changes the configuration of `SetUp`, or what the node looks like, and writes it.
  model::Config config;
  model::Host host;
  void Apply();
  // No flow is known any more.
  void Forget();

  // Whether packets come with a checksum over all of their bytes.  Not where a program cuts them:
  // the kernel then forgets that checksum, and its test run does not know.
  bool complete_checksums = true;

  // Of the packets that follow; 0: this node sends them itself.
  std::uint32_t ingress_ifindex = 0;

  // Runs one frame.  Fails the test when the skb's own idea of its checksum is wrong afterwards
  // (CHECKSUM_COMPLETE), or a checksum in the packet is.
  Outcome Run(Hook hook, const support::Bytes& frame, std::uint32_t mark = 0);
  Outcome Run(Hook hook, const support::PacketSpec& spec, std::uint32_t mark = 0);

  // What a packet looks like after it was answered: the frame that its receiver sends back.
  support::PacketSpec Answer(const Outcome& sent, const support::PacketSpec& spec) const;

  support::PacketSpec Tcp(const char* src, const char* dst,
                          std::uint8_t flags = support::kSyn) const;
  support::PacketSpec Udp(const char* src, const char* dst) const;
  support::PacketSpec Echo(const char* src, const char* dst) const;

  // Entries of both tables, and where the key is.
  std::optional<nx_flow> Embryo(const nx_tuple& key) const;
  std::optional<nx_flow> Established(const nx_tuple& key) const;
  nx_tuple TupleOf(const support::Bytes& frame) const;
  std::size_t CountEmbryos() const;
  std::size_t CountEstablished() const;
  void SetEmbryo(const nx_tuple& key, const nx_flow& flow);
  void SetEstablished(const nx_tuple& key, const nx_flow& flow, const nx_way& way = {});
  void EraseEmbryo(const nx_tuple& key);
  std::uint32_t Jiffies() const;

  natrix_bpf* skel() const { return skeleton_; }
  const support::Namespace& ns() const { return *ns_; }
  static constexpr std::uint32_t kHz = 250;

 private:
  std::unique_ptr<support::Namespace> ns_;
  natrix_bpf* skeleton_ = nullptr;  // the process's: verifying it anew for each test takes most of
                                    // the time, minutes under emulation
};

std::string FamilyName(const testing::TestParamInfo<int>& info);

// Every suite runs over both families.
#define NATRIX_BOTH_FAMILIES(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(0, 1), FamilyName)

MATCHER_P(DroppedFor, reason, "") { return arg.dropped && arg.reason == reason; }
MATCHER_P(PassedFor, reason, "") { return !arg.dropped && arg.reason == reason; }

}  // namespace natrix
