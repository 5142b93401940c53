// SPDX-License-Identifier: Apache-2.0
//
// Calico's natPortRange: which source ports, and what when none is left.
#include <set>

#include "tests/oracle/calico_fixture.h"

namespace natrix::oracle {
namespace {

using support::kSyn;

class CalicoPorts : public CalicoOracle {
 protected:
  void SetRange(std::uint16_t first, std::uint16_t last) {
    ChangeCalico([&](model::Calico& calico) { calico.port_range = model::PortRange{first, last}; });
  }
  void KeepPorts() {
    model::Config config = nodes_.config();
    config.masquerade.port_choice = NX_PORT_KEEP;
    nodes_.Apply(config);
  }
  // The ports that both sides gave the last packet.
  void ExpectWithin(std::uint16_t first, std::uint16_t last) {
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      ASSERT_EQ(side->size(), 1U) << exchange_.transcript();
      EXPECT_GE(SourcePort(side->front().frame), first) << exchange_.transcript();
      EXPECT_LE(SourcePort(side->front().frame), last) << exchange_.transcript();
    }
  }
};
ORACLE_FAMILIES(CalicoPorts);

TEST_P(CalicoPorts, TcpAndUdpGetOneOfTheRange) {
  SetRange(20000, 20099);
  for (std::uint16_t i = 0; i < 10; ++i)
    for (PacketSpec first : {Tcp(cast().pod1, cast().web, kSyn), Udp(cast().pod1, cast().web)}) {
      first.sport = static_cast<std::uint16_t>(100 + i);  // of another class of ports
      exchange_.Send(Place::kPod1, first);
      ASSERT_TRUE(
          Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
      ExpectWithin(20000, 20099);
    }

  ChangeCalico([&](model::Calico& calico) { SetAddress(calico); });
  for (const PacketSpec& first :
       {Tcp(cast().pod1, cast().web, kSyn), Udp(cast().pod1, cast().web)}) {
    exchange_.Send(Place::kPod1, first);
    ASSERT_TRUE(
        Arrives(exchange_, {.src = cast().egress, .dst = cast().web, .port_changed = true}));
    ExpectWithin(20000, 20099);
    exchange_.Reply(Place::kOutside,
                    {.protocol = first.protocol, .tcp_flags = support::kSyn | support::kAck});
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  }
}

TEST_P(CalicoPorts, OtherProtocolsHaveNoRange) {
  SetRange(20000, 20000);
  for (const Place from : {Place::kPod1, Place::kPod2}) {
    const std::string& src = from == Place::kPod1 ? cast().pod1 : cast().pod2;
    PacketSpec lite = Udp(src, cast().web);
    lite.protocol = support::kUdpLite;
    for (const PacketSpec& first : {Echo(src, cast().web), lite}) {
      exchange_.Send(from, first);
      EXPECT_TRUE(
          Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
    }
  }
}

TEST_P(CalicoPorts, WithAllOfThemTakenFlowsAreDropped) {
  SetRange(20000, 20039);
  std::set<std::uint16_t> given;
  PacketSpec first = Udp(cast().pod1, cast().web);
  for (std::uint16_t i = 0; i < 40; ++i) {
    first.sport = static_cast<std::uint16_t>(30000 + i);
    exchange_.Send(Place::kPod1, first);
    ASSERT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
    ExpectWithin(20000, 20039);
    given.insert(SourcePort(exchange_.last().right.front().frame));
  }
  EXPECT_EQ(given.size(), 40U) << exchange_.transcript();
  first.sport = 30040;
  exchange_.Send(Place::kPod1, first);
  EXPECT_TRUE(Vanishes(exchange_));
  // Towards another destination they are all there.
  first.dst = cast().web2;
  exchange_.Send(Place::kPod1, first);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2, .port_changed = true}));
}

// The rules of seed 002, of before --random-fully.
TEST_P(CalicoPorts, Seed002_WithoutRandomFullyAFreePortIsKept) {
  KeepPorts();
  ExpectSource(cast().web, cast().node, false);
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  SetRange(39990, 40009);
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2}));
  PacketSpec other = Udp(cast().pod1, cast().web2);
  other.sport = 40010;
  exchange_.Send(Place::kPod1, other);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2, .port_changed = true}));
  ExpectWithin(39990, 40009);
}

}  // namespace
}  // namespace natrix::oracle
