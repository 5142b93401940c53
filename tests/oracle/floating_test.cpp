// SPDX-License-Identifier: Apache-2.0
//
// Floating IPs, alone and together with masquerade.
#include "tests/oracle/kube_proxy.h"
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class FloatingIps : public Oracle {};
ORACLE_FAMILIES(FloatingIps);

TEST_P(FloatingIps, OutsideReachesThePodAndIsAnsweredFromThere) {
  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().floating, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));

  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().floating, cast().client}));

  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().floating, kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
}

TEST_P(FloatingIps, UdpAndEchoReachThePodToo) {
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().floating));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, {.payload = 8});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().floating, cast().client}));

  exchange_.Send(Place::kOutside, Echo(cast().client, cast().floating));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, {.payload = 8});
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(FloatingIps, PodItselfGoesOutWithTheNodesAddress) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));
}

TEST_P(FloatingIps, PodOfTheSameSubnetIsMasqueradedOnTop) {
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().floating));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));

  exchange_.Reply(Place::kPod1, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().floating, cast().pod2}));

  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().floating));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
}

TEST_P(FloatingIps, TcpBetweenPodsThroughOneWorksToTheEnd) {
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, cast().floating, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().floating, cast().pod3}));
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, cast().floating, kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
}

// cali-fip-snat
TEST_P(FloatingIps, PodReachesItselfAsTheFloatingIp) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().floating, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().floating, cast().pod1}));

  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().floating, cast().pod1}));
}

TEST_P(FloatingIps, ErrorsOfThePodLeaveAsTheFloatingIp) {
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().floating));
  exchange_.Report(Place::kPod1, PortUnreachable(family()));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().floating, cast().client}));
}

TEST_P(FloatingIps, ErrorsAboutRepliesReachThePod) {
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().floating));
  exchange_.Reply(Place::kPod1, {.payload = 800});
  ErrorSpec error = TooBig(family(), 1280);
  error.from = cast().router;
  exchange_.Report(Place::kOutside, error);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().router, cast().pod1}));
}

TEST_P(FloatingIps, ErrorsBetweenPodsThroughOneAreTranslatedTwice) {
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().floating));
  exchange_.Report(Place::kPod1, PortUnreachable(family()));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().floating, cast().pod2}));
}

TEST_P(FloatingIps, SegmentWithoutAFlowIsTranslatedAsTheKernelDoes) {
  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().floating, kAck));
  EXPECT_TRUE(Agree(exchange_));
  exchange_.Send(Place::kOutside, Tcp(cast().web2, cast().floating, kSyn | kAck));
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(FloatingIps, FragmentsReachThePod) {
  PacketSpec spec = Udp(cast().client, cast().floating);
  spec.payload = 2500;
  spec.fragment = 1000;
  spec.id = 81;
  exchange_.Send(Place::kOutside, spec);
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
}

// Where kube-proxy's rules are loaded, the kernel puts fragments together after ingress.
TEST_P(FloatingIps, FragmentsReachThePodBesideKubeProxy) {
  LoadKubeProxy(nodes_, family(), {{.address = cast().service, .endpoint = cast().pod2}});
  PacketSpec spec = Udp(cast().pod2, cast().floating);
  spec.payload = 2500;
  spec.fragment = 1000;
  spec.id = 82;
  for (int i = 0; i < 2; ++i) {
    exchange_.Send(Place::kPod2, spec);
    EXPECT_TRUE(Agree(exchange_));
    ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
    for (const Seen& seen : exchange_.last().right)
      EXPECT_EQ(support::Dissect(seen.frame)->src, cast().join) << exchange_.transcript();
  }
}

TEST_P(FloatingIps, SctpReachesThePod) {
  exchange_.Send(Place::kOutside, {.src = cast().client,
                                   .dst = cast().floating,
                                   .protocol = support::kSctp,
                                   .sport = 4000,
                                   .dport = 36412});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, {.tcp_flags = kSyn | kAck});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().floating, cast().client}));
}

}  // namespace
}  // namespace natrix::oracle
