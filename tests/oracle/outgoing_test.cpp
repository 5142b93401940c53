// SPDX-License-Identifier: Apache-2.0
//
// What a pod's first packet to the outside makes of itself: names in brackets are those of the
// measurements of Kube-OVN's rules that the expectations come from.
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kFin;
using support::kPsh;
using support::kRst;
using support::kSyn;

class Outgoing : public Oracle {};
ORACLE_FAMILIES(Outgoing);

TEST_P(Outgoing, E2_F3_TcpOfANatSubnetIsMasqueraded) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

TEST_P(Outgoing, E2b_F9_TcpOfAnotherSubnetIsLeftAlone) {
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().web}));

  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().web, cast().pod3}));
}

TEST_P(Outgoing, E7_OrphanAckIsLeftAlone) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
}

TEST_P(Outgoing, E7b_F20_OrphanSynAckAndWhatFollowsAreLeftAlone) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kPsh | kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
}

TEST_P(Outgoing, E8_F22_OrphanRstIsDropped) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kRst));
  EXPECT_TRUE(Vanishes(exchange_));

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web2, kRst | kAck));
  EXPECT_TRUE(Vanishes(exchange_));
}

TEST_P(Outgoing, FIN_F23_OrphanFinIsLeftAlone) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kFin | kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
}

TEST_P(Outgoing, C2_SynAfterAnOrphanAckIsLeftAloneToo) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
}

TEST_P(Outgoing, C3_D2_UdpIsMasqueradedBothWays) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  exchange_.Reply(Place::kOutside, {.payload = 100});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));

  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
}

TEST_P(Outgoing, EchoIsMasqueradedBothWays) {
  exchange_.Send(Place::kPod1, Echo(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  exchange_.Reply(Place::kOutside, {.payload = 20});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

TEST_P(Outgoing, H1_PodToAnotherSubnetIsMasqueradedWithTheJoinAddress) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));

  exchange_.Reply(Place::kPod3, {.payload = 9});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
}

// S2: the mark asks for it even where the subnet does not.
TEST_P(Outgoing, PodToServiceIsMasqueraded) {
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, cast().service, kSyn));
  EXPECT_TRUE(
      Arrives(exchange_, {.src = cast().node, .dst = cast().service, .port_changed = true}));

  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().service, cast().pod3}));
}

TEST_P(Outgoing, PrivilegedPortsStayPrivileged) {
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{700}}) {
    // Among so few chance finds the old port now and then, but not each time.
    bool changed = false;
    for (const std::string& to : {cast().web, cast().web2, cast().client}) {
      PacketSpec spec = Udp(cast().pod1, to);
      spec.sport = port;
      exchange_.Send(Place::kPod1, spec);
      ASSERT_TRUE(Agree(exchange_));
      ASSERT_EQ(exchange_.last().right.size(), 1U) << exchange_.transcript();
      const Bytes& frame = exchange_.last().right[0].frame;
      EXPECT_EQ(support::Dissect(frame)->src, cast().node) << exchange_.transcript();
      EXPECT_LT(SourcePort(frame), port < 512 ? 512 : 1024) << exchange_.transcript();
      changed |= SourcePort(frame) != port;
    }
    EXPECT_TRUE(changed) << exchange_.transcript();
  }
}

}  // namespace
}  // namespace natrix::oracle
