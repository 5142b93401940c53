// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// A flow through masquerade and back, per protocol.
namespace natrix {
namespace {

using namespace support;

class Masquerade : public Datapath {
 protected:
  std::vector<PacketSpec> Kinds() const {
    std::vector<PacketSpec> kinds{Tcp(cast().pod, cast().web), Udp(cast().pod, cast().web),
                                  Echo(cast().pod, cast().web)};
    PacketSpec lite = Udp(cast().pod, cast().web);
    lite.protocol = kUdpLite;
    kinds.push_back(lite);
    lite.coverage = 8;
    lite.sport = 40003;
    kinds.push_back(lite);
    PacketSpec options = Udp(cast().pod, cast().web);
    options.options = true;
    options.sport = 40001;
    kinds.push_back(options);
    if (!v6()) {
      PacketSpec zero = Udp(cast().pod, cast().web);
      zero.no_checksum = true;
      zero.sport = 40002;
      kinds.push_back(zero);
    }
    return kinds;
  }
};
NATRIX_BOTH_FAMILIES(Masquerade);

TEST_P(Masquerade, GivesThePodTheUplinksAddressAndAPortOfItsOwn) {
  for (const PacketSpec& spec : Kinds()) {
    const Outcome out = Run(Hook::kOut, spec);
    SCOPED_TRACE(Describe(out.frame));
    EXPECT_THAT(out, PassedFor(NX_R_MASQ_OUTGOING));
    EXPECT_EQ(out.src(), cast().node);
    EXPECT_EQ(out.dst(), cast().web);
    if (spec.protocol != kIcmp) {
      EXPECT_NE(out.sport(), spec.sport) << "one in 33000 runs may draw the same port";
      EXPECT_GE(out.sport(), 1024);
      EXPECT_TRUE(out.sport() < 32768 || out.sport() > 60999) << "the node's own sockets' range";
      EXPECT_EQ(out.dport(), spec.dport);
    }
  }
}

TEST_P(Masquerade, BringsTheAnswerBackByteForByte) {
  for (const PacketSpec& spec : Kinds()) {
    const Outcome out = Run(Hook::kOut, spec);
    const PacketSpec answer = Answer(out, spec);
    const Outcome back = Run(Hook::kUplinkIn, answer);
    SCOPED_TRACE(Describe(back.frame));
    EXPECT_THAT(back, PassedFor(NX_R_FLOW_TRANSLATED));

    PacketSpec expected = answer;  // as if there had been no translation
    expected.dst = spec.src;
    if (spec.protocol == kIcmp)
      expected.sport = spec.sport;
    else
      expected.dport = spec.sport;
    EXPECT_EQ(back.frame, Build(expected, {"02:00:00:00:00:01", "00:00:00:00:00:00"})[0]);
  }
}

TEST_P(Masquerade, KeepsItsChoiceForLaterPackets) {
  for (PacketSpec spec : Kinds()) {
    const Outcome first = Run(Hook::kOut, spec);
    spec.payload += 7;
    if (spec.protocol == kTcp) spec.tcp_flags = kSyn;
    const Outcome again = Run(Hook::kOut, spec);
    EXPECT_THAT(again, PassedFor(NX_R_FLOW_TRANSLATED));
    EXPECT_EQ(again.sport(), first.sport());
    Run(Hook::kUplinkIn, Answer(first, spec));
    const Outcome answered = Run(Hook::kOut, spec);
    EXPECT_EQ(answered.src(), cast().node);
    EXPECT_EQ(answered.sport(), first.sport());
  }
}

TEST_P(Masquerade, ClearsTheWholeMark) {
  EXPECT_EQ(Run(Hook::kOut, Udp(cast().pod, cast().web), 0x00100100).mark, 0U);
}

TEST_P(Masquerade, LeavesSctpItsPortAndItsCrcWhole) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.protocol = kSctp;
  const Outcome out = Run(Hook::kOut, spec);
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_EQ(out.sport(), spec.sport);

  spec.src = cast().other_pod;
  EXPECT_THAT(Run(Hook::kOut, spec), DroppedFor(NX_R_CLASH));
}

TEST_P(Masquerade, TranslatesTheAddressOfAProtocolWithoutPorts) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.protocol = kGre;
  const Outcome out = Run(Hook::kOut, spec);
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_EQ(out.src(), cast().node);
  PacketSpec answer = spec;
  answer.src = cast().web;
  answer.dst = cast().node;
  EXPECT_EQ(Run(Hook::kUplinkIn, answer).dst(), cast().pod);
}

TEST_P(Masquerade, DropsWhereTheDeviceHasNoAddress) {
  auto* devices = skel()->maps.nx_device;
  const std::uint32_t lo = 1;
  ASSERT_EQ(bpf_map__delete_elem(devices, &lo, sizeof(lo), 0), 0);
  EXPECT_THAT(Run(Hook::kOut, Udp(cast().pod, cast().web)), DroppedFor(NX_R_NO_ADDRESS));
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(Masquerade, WritesBothHalvesWithTheRuleThatDecided) {
  const PacketSpec spec = Udp(cast().pod, cast().web);
  const Outcome out = Run(Hook::kOut, spec);
  const auto original = Embryo(TupleOf(Build(spec, {"02:00:00:00:00:01", "02:00:00:00:00:02"})[0]));
  const auto reply =
      Embryo(TupleOf(Build(Answer(out, spec), {"02:00:00:00:00:01", "02:00:00:00:00:02"})[0]));
  ASSERT_TRUE(original && reply);
  EXPECT_EQ(original->role, NX_ROLE_ORIGINAL);
  EXPECT_EQ(reply->role, NX_ROLE_REPLY);
  EXPECT_EQ(original->why, NX_R_MASQ_OUTGOING);
  EXPECT_EQ(reply->why, NX_R_MASQ_OUTGOING);
  EXPECT_EQ(CountEmbryos(), 2U);
  EXPECT_EQ(CountEstablished(), 0U);
}

}  // namespace
}  // namespace natrix
