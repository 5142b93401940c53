// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// Fragments follow their first one; nobody waits for anybody.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class Fragments : public Datapath {
 protected:
  PacketSpec Large(const char* from, const char* to) const {
    PacketSpec spec = Udp(from, to);
    spec.payload = 3000;
    spec.fragment = 1000;
    spec.id = 77;
    return spec;
  }
};
NATRIX_BOTH_FAMILIES(Fragments);

TEST_P(Fragments, AllGetTheAddressAndTheFirstOneThePort) {
  const PacketSpec spec = Large(cast().pod, cast().web);
  const auto frames = Build(spec, kMacs);
  ASSERT_EQ(frames.size(), 4U);
  std::uint16_t port = 0;
  for (const Bytes& frame : frames) {
    const Outcome out = Run(Hook::kOut, frame);
    SCOPED_TRACE(Describe(out.frame));
    EXPECT_EQ(out.src(), cast().node);
    if (out.layers().IsFirst()) {
      port = out.sport();
    } else {
      EXPECT_THAT(out, PassedFor(NX_R_FLOW_TRANSLATED));
      // The payload is as it was: only the IP header may differ.
      const std::size_t at = out.layers().l4;
      EXPECT_TRUE(std::equal(frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end(),
                             out.frame.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  }
  EXPECT_NE(port, spec.sport);
}

TEST_P(Fragments, OfAnAnswerFindTheirPod) {
  const PacketSpec ask = Udp(cast().pod, cast().web);
  PacketSpec answer = Answer(Run(Hook::kOut, ask), ask);
  answer.payload = 3000;
  answer.fragment = 1000;
  answer.id = 78;
  for (const Bytes& frame : Build(answer, kMacs)) {
    const Outcome out = Run(Hook::kUplinkIn, frame);
    EXPECT_EQ(out.dst(), cast().pod) << Describe(out.frame);
  }
}

TEST_P(Fragments, ThatOvertakeTheFirstOneLeaveWithTheRightAddressAllTheSame) {
  const auto frames = Build(Large(cast().pod, cast().web), kMacs);
  const Outcome early = Run(Hook::kOut, frames[2]);
  EXPECT_THAT(early, PassedFor(NX_R_FRAGMENT));
  EXPECT_EQ(early.src(), cast().node) << "no pod address on the uplink";
  EXPECT_EQ(Run(Hook::kOut, frames[0]).src(), cast().node);
  EXPECT_EQ(Run(Hook::kOut, frames[1]).src(), cast().node);
}

// The kernel copies the mark to each fragment it makes after ingress marked the packet.
TEST_P(Fragments, OfAMarkedPacketAllLoseTheMark) {
  for (const std::uint32_t mark : {0x4000U, 0x80000U}) {
    PacketSpec large = Large(cast().kept_pod, cast().web);
    large.sport = static_cast<std::uint16_t>(41000 + (mark >> 16));
    large.id = static_cast<std::uint16_t>(mark >> 4);
    large.frag_id = mark;
    for (const Bytes& frame : Build(large, kMacs)) {
      const Outcome out = Run(Hook::kOut, frame, mark);
      EXPECT_EQ(out.src(), cast().node);
      EXPECT_EQ(out.mark, 0U) << Describe(out.frame);
    }
  }
}

// Netfilter marks the datagram that it put together.
TEST_P(Fragments, AllCarryTheMarkOfTheirFirstOne) {
  model::PolicyRule forward;
  forward.destinations = {*model::Prefix::Parse(v6() ? "::/0" : "0.0.0.0/0")};
  forward.action = model::PolicyAction::kForward;
  config.subnets[0].policies = {forward};
  Apply();
  const auto frames = Build(Large(cast().pod, cast().web), kMacs);
  for (const Bytes& frame : frames) {
    const Outcome out = Run(Hook::kOut, frame, 0x20000000);
    EXPECT_EQ(out.src(), cast().pod);
    EXPECT_EQ(out.mark, 0x20090002U) << Describe(out.frame);
  }
  // The next datagram is no first packet; its own mark is all it has.
  for (const Bytes& frame : frames) EXPECT_EQ(Run(Hook::kOut, frame, 0x20000000).mark, 0x20000000U);
}

TEST_P(Fragments, OfASubnetWithoutNatStayAsTheyAre) {
  for (const Bytes& frame : Build(Large(cast().kept_pod, cast().web), kMacs))
    EXPECT_EQ(Run(Hook::kOut, frame).frame, frame);
}

TEST_P(Fragments, ThatOvertakeTowardsAFloatingIpFindThePod) {
  const auto frames = Build(Large(cast().web, cast().floating), kMacs);
  const Outcome early = Run(Hook::kUplinkIn, frames[1]);
  EXPECT_THAT(early, PassedFor(NX_R_FRAGMENT));
  EXPECT_EQ(early.dst(), cast().pod);
}

TEST_P(Fragments, OfAnEchoCarryItsIdentifierInTheFirstOne) {
  PacketSpec spec = Echo(cast().pod, cast().web);
  spec.payload = 2000;
  spec.fragment = 800;
  spec.id = 79;
  for (const Bytes& frame : Build(spec, kMacs))
    EXPECT_EQ(Run(Hook::kOut, frame).src(), cast().node);
  EXPECT_EQ(CountEmbryos(), 2U) << "one flow";
}

}  // namespace
}  // namespace natrix
