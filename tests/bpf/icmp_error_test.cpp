// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// ICMP errors about translated flows, in both directions.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class IcmpErrors : public Datapath {
 protected:
  // Unreachable port, packet too big, time exceeded.
  struct Kind {
    std::uint8_t type, code;
    std::uint32_t rest;
  };
  std::vector<Kind> Kinds() const {
    if (v6()) return {{1, 4, 0}, {2, 0, 1280}, {3, 0, 0}};
    return {{3, 3, 0}, {3, 4, 1280}, {11, 0, 0}};
  }
  Bytes Error(const char* from, const Kind& kind, const Bytes& about, std::size_t quote) const {
    return IcmpError(from, kind.type, kind.code, kind.rest, about, quote, kMacs);
  }
  std::vector<PacketSpec> Flows(const char* from, const char* to) const {
    PacketSpec tcp = Tcp(from, to);
    PacketSpec lite = Udp(from, to);
    lite.protocol = kUdpLite;
    return {tcp, Udp(from, to), Echo(from, to), lite};
  }
  Layers Quoted(const Outcome& out) const { return *Dissect(out.frame, *out.layers().inner); }
};
NATRIX_BOTH_FAMILIES(IcmpErrors);

TEST_P(IcmpErrors, FromARouterReachThePodAboutItsOwnPacket) {
  for (const PacketSpec& spec : Flows(cast().pod, cast().web))
    for (const Kind& kind : Kinds())
      for (const std::size_t quote : {v6() ? 48U : 28U, 500U}) {
        const Outcome sent = Run(Hook::kOut, spec);
        const Outcome out = Run(Hook::kUplinkIn, Error(cast().router, kind, sent.frame, quote));
        SCOPED_TRACE(Describe(out.frame));
        EXPECT_THAT(out, PassedFor(NX_R_ICMP_TRANSLATED));
        EXPECT_EQ(out.src(), cast().router) << "the router stays who it is";
        EXPECT_EQ(out.dst(), cast().pod);
        EXPECT_EQ(Quoted(out).src, cast().pod);
        EXPECT_EQ(Quoted(out).dst, cast().web);
        if (const auto at = Quoted(out).sport_at) {
          EXPECT_EQ(Word(out.frame, *at), spec.sport);
        }
      }
}

TEST_P(IcmpErrors, OfThePodAboutAnAnswerLeaveAsTheNodes) {
  for (const PacketSpec& spec : Flows(cast().pod, cast().web)) {
    if (spec.protocol == kIcmp) continue;  // nobody reports an error about an echo reply
    const Outcome sent = Run(Hook::kOut, spec);
    const Outcome answer = Run(Hook::kUplinkIn, Answer(sent, spec));
    const Outcome out = Run(Hook::kOut, Error(cast().pod, Kinds()[0], answer.frame, 500));
    SCOPED_TRACE(Describe(out.frame));
    EXPECT_THAT(out, PassedFor(NX_R_ICMP_TRANSLATED));
    EXPECT_EQ(out.src(), cast().node);
    EXPECT_EQ(out.dst(), cast().web);
    EXPECT_EQ(Quoted(out).src, cast().web);
    EXPECT_EQ(Quoted(out).dst, cast().node);
    EXPECT_EQ(Word(out.frame, *Quoted(out).dport_at), sent.sport());
  }
}

// What is quoted of a short packet is shorter than 8 bytes; a protocol without ports needs none.
TEST_P(IcmpErrors, AboutAProtocolWithoutPortsNeedNoTransportHeader) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.protocol = kEsp;
  spec.payload = 3;
  const Outcome sent = Run(Hook::kOut, spec);
  const Outcome out =
      Run(Hook::kUplinkIn, Error(cast().router, Kinds()[0], sent.frame, v6() ? 43U : 23U));
  EXPECT_THAT(out, PassedFor(NX_R_ICMP_TRANSLATED));
  EXPECT_EQ(out.dst(), cast().pod);
  EXPECT_EQ(Quoted(out).src, cast().pod);
}

// Nor is a protocol without ports looked for behind options that are not all there.
TEST_P(IcmpErrors, ThatQuoteHalfAnIpHeaderAreLeftAlone) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.protocol = kEsp;
  spec.payload = 40;
  spec.options = true;
  const Outcome sent = Run(Hook::kOut, spec);
  const std::size_t header = sent.layers().l4 - 14;
  for (const std::size_t quote : {header - 8, header - 4, header}) {
    const Bytes error = Error(cast().router, Kinds()[0], sent.frame, quote);
    const Outcome out = Run(Hook::kUplinkIn, error);
    EXPECT_EQ(out.frame == error, quote < header) << quote;
  }
}

TEST_P(IcmpErrors, AboutNoFlowAreLeftAlone) {
  PacketSpec never = Udp(cast().node, cast().web);
  const Bytes error = Error(cast().router, Kinds()[0], Build(never, kMacs)[0], 500);
  const Outcome in = Run(Hook::kUplinkIn, error);
  EXPECT_THAT(in, PassedFor(NX_R_ICMP_UNRELATED));
  EXPECT_EQ(in.frame, error);
  never = Udp(cast().web, cast().pod);
  EXPECT_THAT(Run(Hook::kOut, Error(cast().pod, Kinds()[0], Build(never, kMacs)[0], 500)),
              PassedFor(NX_R_ICMP_UNRELATED));
}

TEST_P(IcmpErrors, RefreshNothingAndEndNothing) {
  const PacketSpec spec = Tcp(cast().pod, cast().web);
  const Outcome sent = Run(Hook::kOut, spec);
  const nx_tuple key = TupleOf(Build(Answer(sent, spec), kMacs)[0]);
  auto before = *Embryo(key);
  before.seen -= 50;
  SetEmbryo(key, before);
  Run(Hook::kUplinkIn, Error(cast().router, Kinds()[0], sent.frame, 500));
  ASSERT_TRUE(Embryo(key));
  EXPECT_EQ(Embryo(key)->seen, before.seen);
  EXPECT_EQ(Embryo(key)->state, before.state);
}

TEST_P(IcmpErrors, ThatQuoteTooLittleOrNonsenseAreLeftAlone) {
  const Outcome sent = Run(Hook::kOut, Udp(cast().pod, cast().web));
  const std::size_t header = v6() ? 40 : 20;
  for (std::size_t quote = 0; quote < header + 8; ++quote) {
    const Bytes error = Error(cast().router, Kinds()[0], sent.frame, quote);
    EXPECT_EQ(Run(Hook::kUplinkIn, error).frame, error) << quote;
  }
  Bytes nested = Error(cast().router, Kinds()[0], sent.frame, 500);
  const Bytes about_error = Error(cast().router, Kinds()[0], nested, 500);
  EXPECT_EQ(Run(Hook::kUplinkIn, about_error).frame, about_error) << "an error about an error";
}

}  // namespace
}  // namespace natrix
