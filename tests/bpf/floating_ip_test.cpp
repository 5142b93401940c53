// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// Floating IPs: destination translation at ingress, alone and with masquerade on top.  A test run
// cannot carry skb->tc_index from ingress to egress, so these cover the way without a handoff;
// the wire tests cover the one with it.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class FloatingIp : public Datapath {
 protected:
  std::vector<PacketSpec> Kinds(const char* from, const char* to) const {
    PacketSpec sctp = Udp(from, to);
    sctp.protocol = kSctp;
    PacketSpec gre = Udp(from, to);
    gre.protocol = kGre;
    return {Tcp(from, to), Udp(from, to), Echo(from, to), sctp, gre};
  }
  // Through ingress, and what comes out of it through egress.
  Outcome Through(Hook in, const PacketSpec& spec) {
    const Outcome routed = Run(in, spec);
    EXPECT_FALSE(routed.dropped);
    return Run(Hook::kOut, routed.frame);
  }
};
NATRIX_BOTH_FAMILIES(FloatingIp);

TEST_P(FloatingIp, ReachesItsPodAndItsAnswersLeaveWithTheFloatingAddress) {
  for (const PacketSpec& spec : Kinds(cast().web, cast().floating)) {
    const Outcome routed = Run(Hook::kUplinkIn, spec);
    SCOPED_TRACE(Describe(routed.frame));
    EXPECT_THAT(routed, PassedFor(NX_R_FIP_DNAT));
    EXPECT_EQ(routed.dst(), cast().pod);
    const Outcome arrived = Run(Hook::kOut, routed.frame);
    EXPECT_EQ(arrived.src(), cast().web) << "the client is seen as it is";
    EXPECT_EQ(arrived.sport(), spec.protocol == kGre ? 0 : spec.sport);

    const Outcome back = Through(Hook::kPodIn, Answer(arrived, spec));
    EXPECT_EQ(back.src(), cast().floating);
    EXPECT_EQ(back.dst(), cast().web);
  }
}

TEST_P(FloatingIp, FromAnotherPodIsMasqueradedOnTop) {
  for (const PacketSpec& spec : Kinds(cast().other_pod, cast().floating)) {
    const Outcome arrived = Through(Hook::kPodIn, spec);
    SCOPED_TRACE(Describe(arrived.frame));
    EXPECT_THAT(arrived, PassedFor(NX_R_MASQ_SUBNETS));
    EXPECT_EQ(arrived.src(), cast().node);
    EXPECT_EQ(arrived.dst(), cast().pod);

    const Outcome back = Through(Hook::kPodIn, Answer(arrived, spec));
    EXPECT_EQ(back.src(), cast().floating);
    EXPECT_EQ(back.dst(), cast().other_pod);
    EXPECT_EQ(back.dport(), spec.protocol == kGre ? 0 : spec.sport);

    const Outcome again = Through(Hook::kPodIn, spec);
    EXPECT_EQ(again.sport(), arrived.sport()) << "the second packet of the same flow";
  }
}

TEST_P(FloatingIp, ThePodItselfIsSeenAsTheFloatingAddress) {
  const PacketSpec spec = Udp(cast().pod, cast().floating);
  const Outcome arrived = Through(Hook::kPodIn, spec);
  EXPECT_THAT(arrived, PassedFor(NX_R_FIP_SNAT));
  EXPECT_EQ(arrived.src(), cast().floating);
  EXPECT_EQ(arrived.dst(), cast().pod);
  EXPECT_EQ(arrived.sport(), spec.sport) << "SNAT without --random-fully keeps a free port";
  const Outcome back = Through(Hook::kPodIn, Answer(arrived, spec));
  EXPECT_EQ(back.src(), cast().floating);
  EXPECT_EQ(back.dst(), cast().pod);
  EXPECT_EQ(back.dport(), spec.sport);
}

TEST_P(FloatingIp, FullTranslationSurvivesItsEstablishment) {
  const PacketSpec spec = Udp(cast().other_pod, cast().floating);
  const Outcome arrived = Through(Hook::kPodIn, spec);
  for (int i = 0; i < 3; ++i) {
    const Outcome back = Through(Hook::kPodIn, Answer(arrived, spec));
    EXPECT_EQ(back.src(), cast().floating);
    EXPECT_EQ(Through(Hook::kPodIn, spec).sport(), arrived.sport());
  }
  EXPECT_EQ(CountEstablished(), 3U) << "original, reply, middle";
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(FloatingIp, AnErrorOfThePodNamesTheFloatingAddress) {
  const PacketSpec spec = Udp(cast().web, cast().floating);
  const Outcome arrived = Through(Hook::kUplinkIn, spec);
  const Bytes error =
      IcmpError(cast().pod, v6() ? 1 : 3, v6() ? 4 : 3, 0, arrived.frame, 500, kMacs);
  const Outcome in = Run(Hook::kPodIn, error);
  const Outcome out = Run(Hook::kOut, in.frame);
  SCOPED_TRACE(Describe(out.frame));
  EXPECT_EQ(out.src(), cast().floating);
  EXPECT_EQ(out.dst(), cast().web);
  EXPECT_EQ(Dissect(out.frame, *out.layers().inner)->dst, cast().floating);
}

// The node answers for the packet it could not forward: TTL 1, no route, too big.
TEST_P(FloatingIp, AnErrorOfTheNodeBeforeEgressDecidedNamesTheFloatingAddress) {
  const Outcome routed = Run(Hook::kUplinkIn, Udp(cast().web, cast().floating));
  const Bytes error = IcmpError(cast().node, v6() ? 3 : 11, 0, 0, routed.frame, 500, kMacs);
  const Outcome out = Run(Hook::kOut, error);
  SCOPED_TRACE(Describe(out.frame));
  EXPECT_EQ(out.src(), cast().floating) << "the pod's address must not be told";
  EXPECT_EQ(Dissect(out.frame, *out.layers().inner)->dst, cast().floating);
}

// Original and reply are one tuple then.
TEST_P(FloatingIp, ThePodReachesItselfBetweenEqualPortsAndWithoutPorts) {
  PacketSpec gre = Udp(cast().pod, cast().floating);
  gre.protocol = kGre;
  PacketSpec udp = Udp(cast().pod, cast().floating);
  udp.sport = udp.dport;
  for (const PacketSpec& spec : {gre, udp})
    for (int packet = 0; packet < 2; ++packet) {
      const Outcome out = Through(Hook::kPodIn, spec);
      SCOPED_TRACE(Describe(out.frame));
      EXPECT_EQ(out.src(), cast().floating);
      EXPECT_EQ(out.dst(), cast().pod);
      EXPECT_EQ(out.sport(), spec.protocol == kGre ? 0 : spec.sport);
    }
}

TEST_P(FloatingIp, DoesNotMasqueradeThePodsOwnFlowsToIt) {
  const Outcome out = Run(Hook::kOut, Udp(cast().pod, cast().web));
  EXPECT_EQ(out.src(), cast().node) << "cali-fip-snat is for the hairpin only";
}

// cali-PREROUTING's own rule, of IPv4.
class Metadata : public FloatingIp {
 protected:
  void ServedBy(const char* address) {
    config.calico.emplace().metadata =
        model::Endpoint{model::Address::Parse(address).value(), 8775};
    Apply();
  }
  PacketSpec Asks(const char* pod) const {
    PacketSpec spec = Tcp(pod, model::kMetadataAddress);
    spec.dport = 80;
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(, Metadata, testing::Values(0), FamilyName);

TEST_P(Metadata, GoesToItsServerAndItsAnswersComeFromWhereItWasCalled) {
  ServedBy(cast().web);
  const PacketSpec spec = Asks(cast().kept_pod);
  const Outcome routed = Run(Hook::kPodIn, spec);
  EXPECT_THAT(routed, PassedFor(NX_R_METADATA));
  EXPECT_EQ(routed.dst(), cast().web);
  EXPECT_EQ(routed.dport(), 8775);
  const Outcome back = Through(Hook::kUplinkIn, Answer(Run(Hook::kOut, routed.frame), spec));
  EXPECT_EQ(back.src(), model::kMetadataAddress);
  EXPECT_EQ(back.sport(), 80);
}

// Egress decides about nothing that goes to the node itself.
TEST_P(Metadata, AtALoopbackAddressIsDecidedAtOnce) {
  for (const char* address : {"127.0.0.1", "127.3.2.1"}) {
    Forget();
    ServedBy(address);
    const PacketSpec spec = Asks(cast().pod);
    EXPECT_THAT(Run(Hook::kPodIn, spec), PassedFor(NX_R_METADATA));
    const auto flow = Embryo(TupleOf(support::Build(spec, kMacs).at(0)));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flags, 0) << address;
    EXPECT_EQ(flow->why, NX_R_METADATA);
  }
}

TEST_P(Metadata, IsTcpToPort80AndNothingElse) {
  ServedBy(cast().web);
  PacketSpec other = Asks(cast().pod);
  other.dport = 8775;
  PacketSpec udp = Udp(cast().pod, model::kMetadataAddress);
  udp.dport = 80;
  for (const PacketSpec& spec : {other, udp, Echo(cast().pod, model::kMetadataAddress)})
    EXPECT_EQ(Run(Hook::kPodIn, spec).dst(), model::kMetadataAddress);
  config.calico->metadata.reset();
  Apply();
  EXPECT_EQ(Run(Hook::kPodIn, Asks(cast().pod)).dst(), model::kMetadataAddress);
}

TEST_P(FloatingIp, WithoutOneNothingIsTranslated) {
  config.floating_ips.clear();
  Apply();
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().floating)), PassedFor(NX_R_NOT_OURS));
}

}  // namespace
}  // namespace natrix
