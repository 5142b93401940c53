// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// OVN-POSTROUTING, rule by rule: which of them decides about a first packet.
namespace natrix {
namespace {

using namespace support;

class RuleOrder : public Datapath {
 protected:
  Outcome Out(const char* from, const char* to, std::uint32_t mark = 0) {
    return Run(Hook::kOut, Udp(from, to), mark);
  }
};
NATRIX_BOTH_FAMILIES(RuleOrder);

TEST_P(RuleOrder, ServiceToSubnetWithTheMarkGetsTheNodesAddress) {
  const Outcome out = Out(cast().service, cast().pod, 0x4000);
  EXPECT_THAT(out, PassedFor(NX_R_SNAT_NODE));
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_EQ(out.mark, 0x4000U) << "SNAT --to-source leaves the mark";
}

TEST_P(RuleOrder, TheMarkAsksForMasqueradeOfAnything) {
  EXPECT_THAT(Out(cast().web, cast().router, 0x4000), PassedFor(NX_R_MASQ_MARK));
  EXPECT_THAT(Out(cast().kept_pod, cast().web, 0x84000), PassedFor(NX_R_MASQ_MARK));
}

TEST_P(RuleOrder, SubnetToSubnetIsMasqueraded) {
  EXPECT_THAT(Out(cast().kept_pod, cast().pod), PassedFor(NX_R_MASQ_SUBNETS));
  EXPECT_THAT(Out(cast().join, cast().pod), PassedFor(NX_R_MASQ_SUBNETS));
}

TEST_P(RuleOrder, LocalPolicyKeepsTheClientForADistributedGateway) {
  const Outcome out = Out(cast().web, cast().pod, 0x80000);
  EXPECT_THAT(out, PassedFor(NX_R_KEEP_LOCAL));
  EXPECT_EQ(out.src(), cast().web);
}

TEST_P(RuleOrder, LocalPolicyMasqueradesForACentralizedGateway) {
  config.subnets[0].gateway_type = model::GatewayType::kCentralized;
  Apply();
  EXPECT_THAT(Out(cast().web, cast().pod, 0x80000), PassedFor(NX_R_MASQ_LOCAL));
}

TEST_P(RuleOrder, AFirstSegmentWithoutSynIsLeftAlone) {
  const Outcome out = Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck));
  EXPECT_THAT(out, PassedFor(NX_R_KEEP_NON_SYN));
  EXPECT_EQ(out.src(), cast().pod);
}

TEST_P(RuleOrder, AMarkBeatsTheMissingSyn) {
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck), 0x4000),
              PassedFor(NX_R_MASQ_MARK));
}

TEST_P(RuleOrder, RoutedFromOutsideIsLeftAlone) {
  EXPECT_THAT(Out(cast().web, cast().pod), PassedFor(NX_R_KEEP_ROUTED));
}

TEST_P(RuleOrder, FromAnotherNodeNoRuleMatches) {
  EXPECT_THAT(Out(cast().other_node, cast().pod), PassedFor(NX_R_KEEP));
}

TEST_P(RuleOrder, PolicyMarksDecideWhenBit19IsNotTheLocalBit) {
  config.marks.local = 0x100000;
  Apply();
  EXPECT_THAT(Out(cast().kept_pod, cast().web, 0x90001), PassedFor(NX_R_MASQ_POLICY));
  EXPECT_THAT(Out(cast().other_pod, cast().web, 0x90002), PassedFor(NX_R_KEEP_POLICY));
  EXPECT_THAT(Out(cast().pod, cast().web, 0x90001 & ~1U), PassedFor(NX_R_MASQ_OUTGOING))
      << "all bits of the policy mark are needed";
}

// M5 of the measured cases: 0x90003 has bit 19, so rule 5 sees it first.
TEST_P(RuleOrder, TheProbeMarkIsTakenForLocalPolicy) {
  EXPECT_THAT(Out(cast().kept_pod, cast().web, 0x90003), PassedFor(NX_R_MASQ_LOCAL));
}

TEST_P(RuleOrder, NatOutgoingLeavesTheSubnet) {
  EXPECT_THAT(Out(cast().pod, cast().web), PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_THAT(Out(cast().pod, cast().service), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(RuleOrder, WithoutNatOutgoingThePodKeepsItsAddress) {
  const Outcome out = Out(cast().kept_pod, cast().web);
  EXPECT_THAT(out, PassedFor(NX_R_KEEP));
  EXPECT_EQ(out.src(), cast().kept_pod);
}

TEST_P(RuleOrder, StrangersAreNotEvenRemembered) {
  EXPECT_THAT(Out(cast().web, cast().router), PassedFor(NX_R_NOT_OURS));
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(RuleOrder, PodToServiceCidrIsMarkedAtIngress) {
  const Outcome out = Run(Hook::kPodIn, Udp(cast().pod, cast().service), 0x8);
  EXPECT_THAT(out, PassedFor(NX_R_MARKED));
  EXPECT_EQ(out.mark, 0x4008U);
  EXPECT_EQ(Run(Hook::kUplinkIn, Udp(cast().other_pod, cast().service)).mark, 0U)
      << "only from pod devices";
  EXPECT_EQ(Run(Hook::kPodIn, Tcp(cast().pod, cast().service, kSyn | kAck)).mark, 0U)
      << "INVALID never sees the nat table";
}

// filter OUTPUT: before the nat table sees the mark.
TEST_P(RuleOrder, TheMarkOfAnEncapsulatedPacketIsCleared) {
  for (const std::uint16_t port : {std::uint16_t{4789}, std::uint16_t{6081}}) {
    PacketSpec outer = Udp(cast().node, cast().other_node);
    outer.dport = port;
    const Outcome out = Run(Hook::kOut, outer, 0x4000 | 0x26000000);
    EXPECT_EQ(out.mark, 0U);
    EXPECT_EQ(out.src(), cast().node);
    EXPECT_EQ(out.sport(), outer.sport) << "not masqueraded";
  }
}

TEST_P(RuleOrder, AMarkThatAPodSentIsNotTrusted) {
  const Outcome out = Run(Hook::kPodIn, Udp(cast().kept_pod, cast().web), 0x94003 | 0x00600000);
  EXPECT_EQ(out.mark, 0x00600000U);
}

TEST_P(RuleOrder, AnOrphanResetOfAPodIsDropped) {
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kRst)), DroppedFor(NX_R_INVALID_RST));
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().kept_pod, cast().web, kRst | kAck)),
              DroppedFor(NX_R_INVALID_RST));
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().web, cast().pod, kRst)), PassedFor(NX_R_INVALID));
}

// Its conntrack would have known the pod's SYN: the reset is no orphan.
TEST_P(RuleOrder, ResetsOfTheNodeToAPodOfNoSubnetPass) {
  PacketSpec syn = Tcp(cast().web, cast().join);
  EXPECT_THAT(Run(Hook::kPodIn, syn), PassedFor(NX_R_LOCAL));
  PacketSpec reset = Tcp(cast().join, cast().web, kRst | kAck);
  std::swap(reset.sport, reset.dport);
  EXPECT_THAT(Run(Hook::kOut, reset), PassedFor(NX_R_FLOW_KEPT));
}

TEST_P(RuleOrder, OrphanSynAckAndFinPassUntouched) {
  for (const int flags : {kSyn | kAck, kFin | kAck}) {
    const Outcome out =
        Run(Hook::kOut, Tcp(cast().pod, cast().web, static_cast<std::uint8_t>(flags)));
    EXPECT_THAT(out, PassedFor(NX_R_INVALID));
    EXPECT_EQ(out.src(), cast().pod);
  }
  EXPECT_EQ(CountEmbryos(), 0U);
}

// C2 of the measured cases: as nf_conntrack, the first packet's decision is the flow's.
TEST_P(RuleOrder, ASynAfterAnOrphanAckSharesItsFate) {
  Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck));
  const Outcome out = Run(Hook::kOut, Tcp(cast().pod, cast().web, kSyn));
  EXPECT_THAT(out, PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(out.src(), cast().pod);
}

// An answer of the node from its join address must not look like subnet to subnet.
TEST_P(RuleOrder, AnswersOfTheNodeToAPodAreLeftAlone) {
  const PacketSpec ask = Udp(cast().pod, cast().join);
  EXPECT_THAT(Run(Hook::kPodIn, ask), PassedFor(NX_R_LOCAL));
  PacketSpec answer = Udp(cast().join, cast().pod);
  std::swap(answer.sport, answer.dport);
  const Outcome out = Run(Hook::kOut, answer);
  EXPECT_THAT(out, PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(out.sport(), 53);
}

// F19, D1: what came in without translation goes back without.
TEST_P(RuleOrder, AnswersToRoutedTrafficAreLeftAlone) {
  Run(Hook::kOut, Udp(cast().web, cast().pod));
  PacketSpec answer = Udp(cast().pod, cast().web);
  std::swap(answer.sport, answer.dport);
  EXPECT_THAT(Run(Hook::kPodIn, answer), PassedFor(NX_R_FLOW_KEPT));
  const Outcome out = Run(Hook::kOut, answer);
  EXPECT_THAT(out, PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(out.src(), cast().pod);
}

TEST_P(RuleOrder, AnEmptyConfigurationTouchesNothing) {
  config.subnets.clear();
  config.service_cidrs.clear();
  config.floating_ips.clear();
  Apply();
  for (const char* from : {cast().pod, cast().web}) {
    const Outcome out = Out(from, cast().router);
    EXPECT_THAT(out, PassedFor(NX_R_NOT_OURS));
    EXPECT_EQ(out.src(), from);
  }
}

}  // namespace
}  // namespace natrix
