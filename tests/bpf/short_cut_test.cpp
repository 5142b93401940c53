// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/bpf/datapath.h"
#include "tests/support/build.h"

namespace natrix {
namespace {

using support::Bytes;
using support::PacketSpec;

constexpr std::uint32_t kEpoch = 7;
constexpr std::uint32_t kLoopback = 1;
constexpr std::uint32_t kOutDevice = 99;

// A flow from a pod whose way is known, and a packet of it.
class ShortCut : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    epoch = {.number = kEpoch, .until = Jiffies() + 4 * kHz, .refresh = 5 * kHz, .enabled = 1};
    way = {.epoch = kEpoch,
           .learnt = Jiffies(),
           .out = kOutDevice,
           .in = kLoopback,
           .mark = 0,
           .priority = 6,
           .dst = {2, 0, 0, 0, 0, 9},
           .src = {2, 0, 0, 0, 0, 8},
           .mtu = 1500,
           .ways = 0,
           .why = NX_DETOUR_NONE};
  }

  // A datagram of the flow, or a segment, as a pod sends it.
  Bytes Frame(const PacketSpec& spec) const {
    // lo's own address: PACKET_HOST.
    return support::Build(spec, {.src = "02:00:00:00:00:01", .dst = "00:00:00:00:00:00"}).at(0);
  }
  // Long enough that Ethernet has nothing to pad.
  PacketSpec Datagram() const {
    PacketSpec spec = Udp(cast().pod, cast().web);
    spec.payload = 33;
    return spec;
  }
  PacketSpec Segment(std::uint8_t flags = support::kAck) const {
    PacketSpec spec = Tcp(cast().pod, cast().web, flags);
    spec.payload = 33;
    return spec;
  }

  // Runs a packet through ingress; its flow is as Learnt() made it, its way `way`.
  Outcome Send(const PacketSpec& spec, std::uint32_t mark = 0) {
    Forget();
    const nx_tuple key = TupleOf(Frame(spec));
    nx_flow flow{};
    flow.src = model::Address::Parse(cast().node)->bytes;
    flow.dst = key.dst;
    flow.sport = htobe16(spec.protocol == support::kIcmp ? spec.sport : 50000);
    flow.dport = key.dport;
    flow.seen = flow.born = Jiffies();
    flow.state = spec.protocol == support::kTcp ? NX_STATE_TCP_ESTABLISHED : NX_STATE_UDP;
    flow.role = NX_ROLE_ORIGINAL;
    flow.why = NX_R_MASQ_OUTGOING;
    SetEstablished(key, flow, way);
    const std::uint32_t zero = 0;
    EXPECT_EQ(bpf_map_update_elem(bpf_map__fd(skel()->maps.nx_epoch), &zero, &epoch, BPF_ANY), 0);
    before_ = Detours();
    return Run(Hook::kUplinkIn, Frame(spec), mark);
  }
  // Which detour the last packet was counted under; NX_DETOUR_NONE: under none.
  nx_detour Detour() const {
    const auto after = Detours();
    for (unsigned detour = 0; detour < NX_DETOUR_COUNT; ++detour)
      if (after[detour] != before_[detour]) return static_cast<nx_detour>(detour);
    return NX_DETOUR_NONE;
  }

  nx_epoch epoch{};
  nx_way way{};

 private:
  std::vector<std::uint64_t> Detours() const {
    std::vector<std::uint64_t> sums(NX_DETOUR_COUNT);
    std::vector<nx_detours> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t detour = 0; detour < NX_DETOUR_COUNT; ++detour) {
      EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skel()->maps.nx_detour), &detour, copies.data()),
                0);
      for (const nx_detours& copy : copies) sums[detour] += copy.packets;
    }
    return sums;
  }

  std::vector<std::uint64_t> before_;
};
NATRIX_BOTH_FAMILIES(ShortCut);

TEST_P(ShortCut, WritesAllOfThePacketAndSendsIt) {
  for (const PacketSpec& spec : {Datagram(), Segment()}) {
    const Outcome out = Send(spec);
    EXPECT_TRUE(out.reflected) << "redirected";
    EXPECT_EQ(out.reason, NX_R_SHORT_CUT);
    EXPECT_EQ(out.src(), cast().node);
    EXPECT_EQ(out.sport(), 50000);
    EXPECT_EQ(out.dst(), cast().web);
    EXPECT_EQ(out.dport(), spec.dport);
    EXPECT_TRUE(std::equal(out.frame.begin(), out.frame.begin() + 6, way.dst));
    EXPECT_TRUE(std::equal(out.frame.begin() + 6, out.frame.begin() + 12, way.src));
    const std::size_t ttl = 14 + (v6() ? 7 : 8);
    EXPECT_EQ(out.frame.at(ttl) + 1, Frame(spec).at(ttl));
    EXPECT_EQ(Detour(), NX_DETOUR_NONE);
  }
}

TEST_P(ShortCut, KeepsADatagramWithoutAChecksumWithoutOne) {
  PacketSpec spec = Datagram();
  spec.no_checksum = true;
  const Outcome out = Send(spec);
  EXPECT_EQ(out.reason, NX_R_SHORT_CUT);
  const auto layers = out.layers();
  EXPECT_EQ(support::Word(out.frame, layers.l4 + 6), 0);
}

TEST_P(ShortCut, TakesOffWhatEthernetPadded) {
  PacketSpec spec = Datagram();
  const Outcome plain = Send(spec);
  ASSERT_EQ(plain.reason, NX_R_SHORT_CUT);
  complete_checksums = false;
  Bytes padded = Frame(spec);
  padded.resize(padded.size() + 18);
  const Outcome out = Run(Hook::kUplinkIn, padded);
  EXPECT_EQ(out.reason, NX_R_SHORT_CUT);
  EXPECT_EQ(out.frame.size(), plain.frame.size());
}

TEST_P(ShortCut, IsNotTakenUnderAnotherEpoch) {
  epoch.number = kEpoch + 1;
  EXPECT_THAT(Send(Datagram()), PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(Detour(), NX_DETOUR_EPOCH);
  way.epoch = 0;
  Send(Datagram());
  EXPECT_EQ(Detour(), NX_DETOUR_LEARN);
}

TEST_P(ShortCut, IsNotTakenWhenItIsOffOrNobodyWatches) {
  epoch.enabled = 0;
  EXPECT_THAT(Send(Datagram()), PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(Detour(), NX_DETOUR_OFF);
  epoch.enabled = 1;
  epoch.until = Jiffies() - 1;
  Send(Datagram());
  EXPECT_EQ(Detour(), NX_DETOUR_UNWATCHED);
}

TEST_P(ShortCut, IsLearntAnewAfterAWhile) {
  way.learnt = Jiffies() - 5 * kHz - kHz;
  EXPECT_THAT(Send(Datagram()), PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(Detour(), NX_DETOUR_REFRESH);
}

TEST_P(ShortCut, IsNotTakenByAnotherDeviceOrMark) {
  way.in = kLoopback + 1;
  Send(Datagram());
  EXPECT_EQ(Detour(), NX_DETOUR_OTHER);
  way.in = kLoopback;
  Send(Datagram(), 0x100);
  EXPECT_EQ(Detour(), NX_DETOUR_OTHER);
  way.mark = 0x100;
  EXPECT_EQ(Send(Datagram(), 0x100).reason, NX_R_SHORT_CUT);
}

TEST_P(ShortCut, IsNotTakenWhereEgressRefused) {
  way.out = 0;
  for (const nx_detour why : {NX_DETOUR_OFF, NX_DETOUR_DEVICE}) {
    way.why = why;
    EXPECT_THAT(Send(Datagram()), PassedFor(NX_R_FLOW_KEPT));
    EXPECT_EQ(Detour(), why);
  }
}

TEST_P(ShortCut, LeavesToTheStackWhatTheKernelMightNotPassOn) {
  for (const std::uint8_t flags : {support::kSyn, support::kFin, support::kRst}) {
    Send(Segment(static_cast<std::uint8_t>(flags | support::kAck)));
    EXPECT_EQ(Detour(), NX_DETOUR_CONTROL);
  }
  PacketSpec dying = Datagram();
  dying.ttl = 1;
  Send(dying);
  EXPECT_EQ(Detour(), NX_DETOUR_TTL);
  PacketSpec large = Datagram();
  large.payload = 1600;
  Send(large);
  EXPECT_EQ(Detour(), NX_DETOUR_MTU);
  PacketSpec optional = Datagram();
  optional.options = true;
  Send(optional);
  EXPECT_EQ(Detour(), NX_DETOUR_HEADERS);
  Send(Echo(cast().pod, cast().web));
  EXPECT_EQ(Detour(), NX_DETOUR_PROTOCOL);
}

TEST_P(ShortCut, LeavesToTheStackWhatIsNotForThisNode) {
  Send(Datagram());
  ASSERT_EQ(Detour(), NX_DETOUR_NONE);
  Bytes frame = Frame(Datagram());
  frame[5] = 1;  // another host's
  EXPECT_THAT(Run(Hook::kUplinkIn, frame), PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(Detour(), NX_DETOUR_FRAME);
}

}  // namespace
}  // namespace natrix
