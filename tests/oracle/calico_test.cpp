// SPDX-License-Identifier: Apache-2.0
//
// Calico's nat outgoing, row by row of what Felix writes: pools and what they exclude, the output
// device, the address, and the tunnels.  Ports are in calico_ports_test.cpp.
#include "tests/oracle/calico_fixture.h"

namespace natrix::oracle {
namespace {

using model::Address;
using support::kAck;
using support::kSyn;

class CalicoPools : public CalicoOracle {};
ORACLE_FAMILIES(CalicoPools);

TEST_P(CalicoPools, OutsideSeesTheNodeWhateverThePacketIsLike) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  ExpectSource(cast().web2, cast().node, true);

  // No SYN: Calico has no rule about that.
  PacketSpec late = Tcp(cast().pod1, cast().web, kAck);
  late.sport = 40001;
  exchange_.Send(Place::kPod1, late);
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));

  PacketSpec fragments = Udp(cast().pod1, cast().web);
  fragments.payload = 2500;
  fragments.fragment = 1000;
  fragments.id = 83;
  exchange_.Send(Place::kPod1, fragments);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(support::Dissect(seen.frame)->src, cast().node) << exchange_.transcript();

  const PacketSpec init{.src = cast().pod1,
                        .dst = cast().web,
                        .protocol = support::kSctp,
                        .sport = 4000,
                        .dport = 36412};
  exchange_.Send(Place::kPod1, init);
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_TRUE(RightShows(exchange_, Arrival{.src = cast().node, .dst = cast().web}));

  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().client));
  ErrorSpec error = TooBig(family(), 1280);
  error.from = cast().router;
  exchange_.Report(Place::kOutside, error);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().router, cast().pod1}));
}

TEST_P(CalicoPools, NorWhatIsNotAskedForNorAnswersAreTranslated) {
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().web}));

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().pod3, kSyn));
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod1, cast().pod3}));
  exchange_.Reply(Place::kPod3, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));

  // The answer alone would look like an outgoing flow.
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().pod1));
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().client}));
}

// And so would the node's own, of an address that Calico took from a pool for it.
TEST_P(CalicoPools, AnswersOfTheNodeItselfKeepItsAddress) {
  const bool v4 = family() == Family::kIpv4;
  ChangeCalico([&](model::Calico& calico) {
    calico.pools.push_back(PoolOf("own", v4 ? "172.18.0.3/32" : "fd00:172:18::3/128", true));
  });
  ExpectAnswered(Place::kOutside, cast().client);

  PacketSpec own = Udp(cast().node, cast().client);
  own.sport = 4000;
  exchange_.SendFromNode(own);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().client, .port_changed = true}));
}

TEST_P(CalicoPools, PoolsInOneAnotherAreEachAsked) {
  const bool v4 = family() == Family::kIpv4;
  ChangeCalico([&](model::Calico& calico) {
    // pod2 is in the inner one, which does not ask for it; the one around it does.
    calico.pools.push_back(PoolOf("inner", v4 ? "10.16.0.11/32" : "fd00:10:16::11/128", false));
    calico.pools.push_back(PoolOf("world", v4 ? "8.8.0.0/16" : "2001:db8:8::/48", false));
    // Nobody sends from there: it keeps nobody from being masqueraded.
    calico.pools.push_back(PoolOf("lb", v4 ? "198.51.0.0/16" : "2001:db8:100::/48", true));
    calico.pools.back().load_balancer_only = true;
  });
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().client));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().client, .port_changed = true}));
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2, .port_changed = true}));
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod2, .dst = cast().web}));
}

class CalicoExclusions : public CalicoOracle {};
ORACLE_FAMILIES(CalicoExclusions);

TEST_P(CalicoExclusions, HostsAreMasqueradedToUnlessAskedFor) {
  const auto hosts = [&](model::Calico& calico) {
    calico.hosts = {Address::Parse(cast().other_node).value()};
  };
  ChangeCalico(hosts);
  ExpectSource(cast().other_node, cast().node, true);

  ChangeCalico([&](model::Calico& calico) { calico.exclude_hosts = true; });
  PacketSpec next = Udp(cast().pod1, cast().other_node);
  next.sport = 40001;  // a flow of its own
  exchange_.Send(Place::kPod1, next);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().other_node}));
  ExpectSource(cast().web, cast().node, true);
}

TEST_P(CalicoExclusions, TheFilterChoosesTheOutputDevice) {
  ChangeCalico(DropSecondPool);
  ExpectSource(cast().pod3, cast().join, true, Place::kPod3);

  ChangeCalico([](model::Calico& calico) { calico.interface_filter = kUplink; });
  PacketSpec next = Udp(cast().pod2, cast().pod3);
  exchange_.Send(Place::kPod2, next);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod2, cast().pod3}));
  ExpectSource(cast().web, cast().node, true);

  ChangeCalico([](model::Calico& calico) { calico.interface_filter = "ov+"; });
  next.sport = 40001;
  exchange_.Send(Place::kPod2, next);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod2, .dst = cast().web2}));
}

TEST_P(CalicoExclusions, TheAddressStandsForTheDevices) {
  ChangeCalico([&](model::Calico& calico) { SetAddress(calico); });
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().egress, .dst = cast().web, .port_changed = true}));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  ExpectSource(cast().web2, cast().egress, true);
}

class CalicoOrder : public CalicoOracle {};
ORACLE_FAMILIES(CalicoOrder);

// cali-POSTROUTING comes before KUBE-POSTROUTING, which would clear the mark.
TEST_P(CalicoOrder, PoolsComeBeforeKubeProxysMarkAndKubeOvnsSubnets) {
  ChangeCalico([&](model::Calico& calico) { SetAddress(calico); });
  PacketSpec spec = Udp(cast().pod1, cast().web);
  exchange_.SendFromNode(spec, 0x4000);
  EXPECT_TRUE(Arrives(
      exchange_, {.src = cast().egress, .dst = cast().web, .port_changed = true, .mark = 0x4000}));
  // Between pools there is the mark alone.
  spec.dst = cast().pod3;
  exchange_.SendFromNode(spec, 0x4000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));

  // Beside Kube-OVN, too.
  model::Config config = LoadConfig(ExamplePath());
  config.calico = nodes_.config().calico;
  SetAddress(*config.calico);
  nodes_.Apply(config);
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().egress, .dst = cast().web, .port_changed = true}));
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod2));
  EXPECT_TRUE(Agree(exchange_));
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
}

// cali-fip-snat comes before cali-nat-outgoing.
TEST_P(CalicoOrder, FloatingIpsComeBeforePools) {
  model::Config config = nodes_.config();
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config.floating_ips.push_back(
        {Address::Parse(CastOf(each).floating).value(), Address::Parse(CastOf(each).pod1).value()});
  DropSecondPool(*config.calico);
  for (model::IpPool& pool : config.calico->pools) pool.load_balancer_only = true;
  nodes_.Apply(config);

  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().floating, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().floating, cast().pod1}));
  // Another pod is masqueraded on top: the pool is not excluded from itself.
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().floating));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  exchange_.Reply(Place::kPod1, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().floating, cast().pod2}));
}

// Any device may be called a tunnel: here the one towards the pods.
class CalicoTunnels : public CalicoOracle {
 protected:
  CalicoTunnels() {
    ChangeCalico([](model::Calico& calico) { calico.tunnels = {kPodDevice}; });
  }
};
ORACLE_FAMILIES(CalicoTunnels);

TEST_P(CalicoTunnels, AnotherDevicesAddressBecomesTheTunnels) {
  for (const PacketSpec& first :
       {Tcp(cast().node, cast().pod3, kSyn), Udp(cast().node, cast().pod3),
        Echo(cast().node, cast().pod3), Udp(cast().node_second, cast().pod3)}) {
    exchange_.SendFromNode(first);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  }

  // Its own, those of pods, and what goes elsewhere.
  exchange_.SendFromNode(Udp(cast().join, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3}));
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().pod1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
  exchange_.SendFromNode(Udp(cast().node, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web}));

  // The answer alone would look like the node calling from the wrong address.
  ExpectAnswered(Place::kPod3, cast().pod3);
}

TEST_P(CalicoTunnels, UdpGetsAPortBesideTheVxlanPort) {
  ChangeCalico([](model::Calico& calico) { calico.vxlan_port = 30000; });
  for (std::uint16_t i = 0; i < 20; ++i) {
    PacketSpec spec = Udp(cast().node, cast().pod3);
    spec.sport = static_cast<std::uint16_t>(20000 + i);
    exchange_.SendFromNode(spec);
    ASSERT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right})
      EXPECT_GT(SourcePort(side->front().frame), 30000) << exchange_.transcript();
  }
}

}  // namespace
}  // namespace natrix::oracle
