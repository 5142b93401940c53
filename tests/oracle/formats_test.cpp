// SPDX-License-Identifier: Apache-2.0
//
// Packets that are not plain TCP, UDP or echo: fragments, options, other transports.
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class Formats : public Oracle {
 protected:
  // Two fragments or more, in order, to and fro.
  void SendFragmented(std::size_t payload, std::size_t size) {
    PacketSpec spec = Udp(cast().pod1, cast().web);
    spec.payload = payload;
    spec.fragment = size;
    spec.id = 77;
    exchange_.Send(Place::kPod1, spec);
  }
};
ORACLE_FAMILIES(Formats);

TEST_P(Formats, FragmentsInOrderAreMasqueraded) {
  SendFragmented(3000, 1200);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(support::Dissect(seen.frame)->src, cast().node) << exchange_.transcript();
}

TEST_P(Formats, FragmentedRepliesReachThePod) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  exchange_.Reply(Place::kOutside, {.payload = 3000, .id = 78, .fragment = 1200});
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(support::Dissect(seen.frame)->dst, cast().pod1) << exchange_.transcript();
}

TEST_P(Formats, FragmentedEchoIsMasqueraded) {
  PacketSpec spec = Echo(cast().pod1, cast().web);
  spec.payload = 2000;
  spec.fragment = 1000;
  spec.id = 79;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
}

// What a node's reassembly would mend, and natrix does not: the pieces still reach the other end
// as one datagram from the node's address, or not at all, and never from the pod's.
TEST_P(Formats, FragmentsOutOfOrderNeverShowThePodsAddress) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.payload = 3000;
  spec.fragment = 1200;
  spec.id = 80;
  const support::Macs macs{MacOf(Place::kPod1), kPodDeviceMac};
  std::vector<Bytes> frames = support::Build(spec, macs);
  std::swap(frames[0], frames[1]);
  Aliases aliases;
  const TwoNodes::Outcome outcome = nodes_.Happen(
      [&](Side& side) {
        for (const Bytes& frame : frames) side.scene.tap(Place::kPod1).Send(frame);
        return frames;
      },
      aliases);
  EXPECT_EQ(outcome.left.size(), 3U) << Describe(outcome.left);
  for (const Seen& seen : outcome.right)
    EXPECT_EQ(support::Dissect(seen.frame)->src, cast().node) << Describe(outcome.right);
}

TEST_P(Formats, UdpWithoutChecksumStaysWithout) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.no_checksum = true;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 1U) << exchange_.transcript();
  const Bytes& frame = exchange_.last().right[0].frame;
  const support::Layers layers = support::Dissect(frame).value();
  EXPECT_EQ(layers.src, cast().node);
  EXPECT_NE(SourcePort(frame), spec.sport);
  EXPECT_EQ(support::Word(frame, layers.checksum_at.value()), 0);
}

TEST_P(Formats, OptionsAreCarriedAlong) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.options = true;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));

  exchange_.Reply(Place::kOutside, {.payload = 7, .options = true});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

// The kernel gives SCTP another port as it does TCP; natrix keeps it.
TEST_P(Formats, SctpIsMasqueradedByAddress) {
  const PacketSpec init{.src = cast().pod1,
                        .dst = cast().web,
                        .protocol = support::kSctp,
                        .sport = 40000,
                        .dport = 36412};
  exchange_.Send(Place::kPod1, init);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 1U);
  EXPECT_EQ(support::Dissect(exchange_.last().right[0].frame)->src, cast().node);

  exchange_.Reply(Place::kOutside, {.tcp_flags = kSyn | kAck});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));

  PacketSpec data = init;
  data.payload = 30;
  data.tcp_flags = kAck;
  exchange_.Send(Place::kPod1, data);
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(Formats, UdpLiteIsMasqueraded) {
  for (const std::uint16_t coverage : {std::uint16_t{0}, std::uint16_t{8}, std::uint16_t{20}}) {
    const PacketSpec spec{.src = cast().pod1,
                          .dst = cast().web,
                          .protocol = support::kUdpLite,
                          .sport = 40000,
                          .dport = 53,
                          .payload = 40,
                          .coverage = coverage};
    exchange_.Send(Place::kPod1, spec);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));
  }
  exchange_.Reply(Place::kOutside, {.payload = 40});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

TEST_P(Formats, OtherProtocolsAreMasqueradedByAddress) {
  for (const std::uint8_t protocol : {support::kGre, support::kEsp, support::Protocol{253}}) {
    const PacketSpec spec{
        .src = cast().pod1, .dst = cast().web, .protocol = protocol, .payload = 40};
    exchange_.Send(Place::kPod1, spec);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));

    exchange_.Reply(Place::kOutside, {.payload = 40});
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  }
}

TEST_P(Formats, EmptyDatagramIsMasqueraded) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.payload = 0;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));
}

}  // namespace
}  // namespace natrix::oracle
