// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors about translated flows, from every side, with short and long quotations.
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class IcmpErrors : public Oracle {
 protected:
  std::vector<ErrorSpec> AllErrors() const {
    return {PortUnreachable(family()), HostUnreachable(family()), TooBig(family(), 1400),
            TimeExceeded(family())};
  }
};
ORACLE_FAMILIES(IcmpErrors);

TEST_P(IcmpErrors, FromOutsideReachThePod) {
  const PacketSpec first[] = {Tcp(cast().pod1, cast().web, kSyn), Udp(cast().pod1, cast().web),
                              Echo(cast().pod1, cast().web)};
  for (const PacketSpec& spec : first) {
    exchange_.Send(Place::kPod1, spec);
    for (ErrorSpec error : AllErrors()) {
      error.from = cast().router;
      exchange_.Report(Place::kOutside, error);
      ASSERT_TRUE(Arrives(exchange_, {Place::kPod1, cast().router, cast().pod1}));
    }
  }
}

TEST_P(IcmpErrors, QuotingTheLeastReachThePodToo) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  ErrorSpec error = PortUnreachable(family());
  error.quote = family() == Family::kIpv4 ? 28 : 48;
  exchange_.Report(Place::kOutside, error);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

TEST_P(IcmpErrors, FromThePodReachTheOutside) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  exchange_.Reply(Place::kOutside, {.payload = 64});
  exchange_.Report(Place::kPod1, PortUnreachable(family()));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
}

TEST_P(IcmpErrors, OfAFlowThatIsNotTranslatedPassAsTheyAre) {
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().web));
  exchange_.Report(Place::kOutside, PortUnreachable(family()));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().web, cast().pod3}));
}

TEST_P(IcmpErrors, BetweenPodsThroughTheNodeAreTranslated) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  exchange_.Report(Place::kPod3, PortUnreachable(family()));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
}

TEST_P(IcmpErrors, AboutNoFlowAreNotTranslated) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  exchange_.Report(Place::kOutside, PortUnreachable(family()));
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(IcmpErrors, DoNotEndTheFlow) {
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  const std::uint16_t port = SourcePort(exchange_.last().right.at(0).frame);
  exchange_.Report(Place::kOutside, PortUnreachable(family()));
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, true}));
  EXPECT_EQ(SourcePort(exchange_.last().right.at(0).frame), port);
}

TEST_P(IcmpErrors, PacketTooBigOfTheNodeQuotesThePodsOwnPacket) {
  PacketSpec spec = Udp(cast().pod1, cast().web);
  spec.payload = 2000;
  spec.dont_fragment = true;
  exchange_.Send(Place::kPod1, spec);
  EXPECT_TRUE(Agree(exchange_));
}

TEST_P(IcmpErrors, OrphanEchoReplyIsNotTranslated) {
  PacketSpec reply = Echo(cast().pod1, cast().web);
  reply.echo_reply = true;
  exchange_.Send(Place::kPod1, reply);
  EXPECT_TRUE(Agree(exchange_));
}

}  // namespace
}  // namespace natrix::oracle
