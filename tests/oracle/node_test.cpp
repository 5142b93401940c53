// SPDX-License-Identifier: Apache-2.0
//
// Packets that the node itself sends or receives, and those routed through it from outside.
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class ThroughTheNode : public Oracle {
 protected:
  // "no-nat" becomes a subnet with a centralized gateway.
  void CentralizeNoNat() {
    model::Config config = nodes_.config();
    for (model::Subnet& subnet : config.subnets)
      if (subnet.name == "no-nat") subnet.gateway_type = model::GatewayType::kCentralized;
    nodes_.Apply(config);
  }
};
ORACLE_FAMILIES(ThroughTheNode);

TEST_P(ThroughTheNode, M6_F16_NodeToPodIsLeftAlone) {
  exchange_.SendFromNode(Tcp(cast().node, cast().pod1, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().node, cast().pod1}));

  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(ThroughTheNode, H2_F17_JoinAddressToPodKeepsTheAddressAndChangesThePort) {
  exchange_.SendFromNode(Udp(cast().join, cast().pod1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
}

// H3: the join subnet is not natOutgoing.
TEST_P(ThroughTheNode, H3_F25_JoinAddressOfAnotherNodeToOutsideIsLeftAlone) {
  const std::string other = family() == Family::kIpv4 ? "100.64.0.9" : "fd00:100:64::9";
  exchange_.Send(Place::kPod1, Udp(other, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, other, cast().web}));
}

TEST_P(ThroughTheNode, D1_F19_OutsideToPodIsLeftAloneAndSoIsTheReply) {
  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().pod1, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));

  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().client}));
}

// F21: nothing protects the reply of a request that took another way in.
TEST_P(ThroughTheNode, D2_F21_UdpReplyWithoutItsRequestIsMasqueraded) {
  PacketSpec reply = Udp(cast().pod1, cast().client);
  reply.sport = 53;
  reply.dport = 40000;
  exchange_.Send(Place::kPod1, reply);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
}

TEST_P(ThroughTheNode, OtherNodeToPodIsLeftAlone) {
  exchange_.Send(Place::kOutside, Udp(cast().other_node, cast().pod1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().other_node, cast().pod1}));

  exchange_.Reply(Place::kPod1, {.payload = 3});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().other_node}));
}

TEST_P(ThroughTheNode, PodToTheNodeItselfIsAnswered) {
  exchange_.Send(Place::kPod1, Echo(cast().pod1, cast().node));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().node, cast().pod1, true}));

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().node, kSyn));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << "no RST\n" << exchange_.transcript();

  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().join));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << "no ICMP error\n" << exchange_.transcript();
}

TEST_P(ThroughTheNode, OutsideToTheNodeItselfIsAnswered) {
  exchange_.Send(Place::kOutside, Echo(cast().client, cast().node));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));

  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().node, kSyn));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << "no RST\n" << exchange_.transcript();
}

TEST_P(ThroughTheNode, M1_MarkedForMasqueradeByASocketGetsThePrimaryAddress) {
  exchange_.SendFromNode(Udp(cast().node_second, cast().web), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));

  exchange_.Reply(Place::kOutside, {.payload = 10});
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(ThroughTheNode, UnmarkedSocketOfTheNodeKeepsItsAddressAndPort) {
  exchange_.SendFromNode(Udp(cast().node_second, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node_second, cast().web}));
}

// Geneve and VXLAN: the mark is of the packet inside.
TEST_P(ThroughTheNode, F24_EncapsulatedPacketsLoseTheMark) {
  for (const std::uint16_t port : {std::uint16_t{6081}, std::uint16_t{4789}}) {
    PacketSpec outer = Udp(cast().node, cast().other_node);
    outer.dport = port;
    exchange_.SendFromNode(outer, 0x26084000);
    EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().other_node}));
    exchange_.SendFromNode(outer, 0x26084000);
    EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().other_node}));
    outer.protocol = support::kTcp;
    exchange_.SendFromNode(outer, 0x26000000);
    EXPECT_TRUE(
        Arrives(exchange_, {.src = cast().node, .dst = cast().other_node, .mark = 0x26000000}));
  }
}

TEST_P(ThroughTheNode, ForeignMarksStayAsTheyAre) {
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x26000000);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .mark = 0x26000000}));
}

// M3: R4
TEST_P(ThroughTheNode, M3_LocalMarkToADistributedPodIsKept) {
  CentralizeNoNat();
  exchange_.SendFromNode(Udp(cast().node, cast().pod1), 0x80000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().node, cast().pod1, false, 0x80000}));
}

// M4: R5
TEST_P(ThroughTheNode, M4_LocalMarkToAnotherPodIsMasqueraded) {
  CentralizeNoNat();
  exchange_.SendFromNode(Udp(cast().node, cast().pod3), 0x80000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
}

// M5: the probe mark holds the local one's bit.
TEST_P(ThroughTheNode, M5_ProbeMarkToOutsideIsMasqueraded) {
  exchange_.SendFromNode(Udp(cast().node_second, cast().web), 0x90003);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));
}

// R9, R10: R5 tests a bit of both before.
TEST_P(ThroughTheNode, PolicyMarksMeetTheLocalRuleFirst) {
  for (const std::uint32_t mark : {0x90001U, 0x90002U, 0x10001U, 0x10002U}) {
    PacketSpec spec = Udp(cast().node_second, cast().web);
    spec.sport = static_cast<std::uint16_t>(41000 + mark % 16 + mark / 0x80000 * 16);
    exchange_.SendFromNode(spec, mark);
    EXPECT_TRUE(Agree(exchange_));
  }
}

TEST_P(ThroughTheNode, TimeToLiveEndsAtTheNode) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.ttl = 1;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
  EXPECT_EQ(exchange_.last().left[0].place, Place::kPod1);

  spec.ttl = 2;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));

  exchange_.Report(Place::kOutside,
                   {.type = TimeExceeded(family()).type, .code = 0, .from = cast().router});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().router, cast().pod1}));
}

TEST_P(ThroughTheNode, ReplyWithNoTimeLeftIsReportedToTheOutside) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  exchange_.Reply(Place::kOutside, {.payload = 5, .ttl = 1});
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
}

TEST_P(ThroughTheNode, UnknownPortOfTheNodeIsNotAPodsFlow) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  // Another host knocks on the port that the flow was given.
  PacketSpec stray = Udp(cast().web2, cast().node);
  stray.dport = SourcePort(exchange_.last().left.at(0).frame);
  exchange_.Send(Place::kOutside, stray);
  EXPECT_TRUE(Agree(exchange_));
}

}  // namespace
}  // namespace natrix::oracle
