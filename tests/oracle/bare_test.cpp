// SPDX-License-Identifier: Apache-2.0
//
// Devices without a link-layer header, as Calico's IPIP and WireGuard tunnels are: the tunnels'
// rule, and all else of natrix for pods that are behind one.
#include "tests/oracle/calico_fixture.h"
#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using model::Address;
using support::kAck;
using support::kSyn;

// kube-proxy's and Calico's node; pods are in pools, pod1 and pod2 in one with natOutgoing.
model::Config BareConfig(const std::string& device) {
  model::Config config = ServiceConfig();
  config.node.pod_devices.push_back(device);
  config.calico = CalicoConfig(config.node).calico;
  config.calico->tunnels = {device};
  return config;
}

// pod3 is behind the device.
class Bare : public ServiceOracle {
 protected:
  explicit Bare(const std::string& device = "tunl0")
      : ServiceOracle(BareConfig(device), {.bare = device}) {}

  void Apply() { nodes_.Apply(config_); }
  // pod3 is masqueraded, too.
  void MasqueradeAll() {
    for (model::IpPool& pool : config_.calico->pools) pool.nat_outgoing = true;
    Apply();
  }
  void ExpectTunnelsSource() {
    for (const PacketSpec& first :
         {Tcp(cast().node, cast().pod3, kSyn), Udp(cast().node, cast().pod3),
          Echo(cast().node, cast().pod3), Udp(cast().node_second, cast().pod3)}) {
      exchange_.SendFromNode(first);
      EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().tunnel, cast().pod3, true}));
    }
  }
};
ORACLE_FAMILIES(Bare);

class BareWireguard : public Bare {
 protected:
  BareWireguard() : Bare("wireguard.cali") {}
};
ORACLE_FAMILIES(BareWireguard);

class BareWireguardV6 : public Bare {
 protected:
  BareWireguardV6() : Bare("wg-v6.cali") {}
};
ORACLE_FAMILIES(BareWireguardV6);

TEST_P(Bare, AnotherDevicesAddressBecomesTheTunnels) {
  ExpectTunnelsSource();
  // Answers find their way back.
  exchange_.Reply(Place::kPod3, {.payload = 12});
  ASSERT_TRUE(Agree(exchange_));

  // Its own, those of pods, and what goes elsewhere.
  exchange_.SendFromNode(Udp(cast().tunnel, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().tunnel, cast().pod3}));
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod1, cast().pod3}));
  exchange_.Reply(Place::kPod3, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
  exchange_.SendFromNode(Udp(cast().node, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web}));
}

TEST_P(Bare, UdpGetsAPortBesideTheVxlanPort) {
  config_.calico->vxlan_port = 30000;
  Apply();
  for (std::uint16_t i = 0; i < 10; ++i) {
    PacketSpec spec = Udp(cast().node, cast().pod3);
    spec.sport = static_cast<std::uint16_t>(20000 + i);
    exchange_.SendFromNode(spec);
    ASSERT_TRUE(Arrives(exchange_, {Place::kPod3, cast().tunnel, cast().pod3, true}));
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right})
      EXPECT_GT(SourcePort(side->front().frame), 30000) << exchange_.transcript();
  }
}

TEST_P(BareWireguard, AnotherDevicesAddressBecomesTheTunnels) { ExpectTunnelsSource(); }
TEST_P(BareWireguardV6, AnotherDevicesAddressBecomesTheTunnels) { ExpectTunnelsSource(); }

TEST_P(Bare, WhatComesFromItIsMasqueradedAndAnswered) {
  MasqueradeAll();
  Converses(Place::kPod3, Tcp(cast().pod3, cast().web, kSyn),
            {.src = cast().node, .dst = cast().web, .port_changed = true});
  Converses(Place::kPod3, Udp(cast().pod3, cast().web2),
            {.src = cast().node, .dst = cast().web2, .port_changed = true});
  exchange_.Send(Place::kPod3, Echo(cast().pod3, cast().web));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
  exchange_.Reply(Place::kOutside, {.payload = 20});
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod3, cast().web, cast().pod3}));

  // Errors, whose quotation is translated back.
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().client));
  ErrorSpec error = TooBig(family(), 1280);
  error.from = cast().router;
  exchange_.Report(Place::kOutside, error);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().router, cast().pod3}));
}

TEST_P(Bare, FragmentsFromItFollowTheFirst) {
  MasqueradeAll();
  PacketSpec fragments = Udp(cast().pod3, cast().web);
  fragments.payload = 2500;
  fragments.fragment = 1000;
  fragments.id = 83;
  exchange_.Send(Place::kPod3, fragments);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(support::Dissect(seen.frame)->src, cast().node) << exchange_.transcript();
}

TEST_P(Bare, WhatLeavesByItIsMasqueradedAndAnswered) {
  for (Side* side : {&nodes_.left(), &nodes_.right()})
    support::Ip(side->scene.node(), "route replace " + cast().web2 + " dev tunl0\n");
  Converses(Place::kPod1, Tcp(cast().pod1, cast().web2, kSyn),
            {Place::kPod3, cast().tunnel, cast().web2, true});
  Converses(Place::kPod1, Udp(cast().pod1, cast().web2),
            {Place::kPod3, cast().tunnel, cast().web2, true});
  exchange_.Send(Place::kPod1, Echo(cast().pod1, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().tunnel, cast().web2, true}));

  PacketSpec fragments = Udp(cast().pod1, cast().web2);
  fragments.sport = 40001;
  fragments.payload = 2500;
  fragments.fragment = 1000;
  fragments.id = 84;
  exchange_.Send(Place::kPod1, fragments);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(support::Dissect(seen.frame)->src, cast().tunnel) << exchange_.transcript();
}

TEST_P(Bare, ServicesAreCalledFromBehindIt) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  Converses(Place::kPod3, Call(cast().pod3, cast().service),
            {Place::kPod1, cast().pod3, cast().pod1});
  // A NodePort is masqueraded to.
  Converses(Place::kPod3, Call(cast().pod3, cast().node, kNodePort),
            {Place::kPod1, cast().join, cast().pod1, true});
}

TEST_P(Bare, ServicesAreServedFromBehindIt) {
  Serve({Everywhere({EndpointIn(Place::kPod3)}), [&] {
           model::Service udp = Everywhere({EndpointIn(Place::kPod3)}, NX_L4_UDP);
           udp.name = "dns";
           return udp;
         }()});
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kPod3, cast().pod1, cast().pod3});
  Converses(Place::kPod1, UdpCall(cast().pod1, cast().service),
            {Place::kPod3, cast().pod1, cast().pod3});
  Converses(Place::kOutside, Call(cast().client, cast().node, kNodePort),
            {Place::kPod3, cast().tunnel, cast().pod3, true});
  // It calls itself.
  Converses(Place::kPod3, Call(cast().pod3, cast().service),
            {Place::kPod3, cast().tunnel, cast().pod3, true});
}

TEST_P(Bare, ARefusalComesBackThroughIt) {
  Serve(Everywhere({}));
  EXPECT_TRUE(IsRefused(Place::kPod3, Call(cast().pod3, cast().service)));
  EXPECT_TRUE(IsRefused(Place::kPod3, Call(cast().pod3, cast().node, kNodePort)));
  PacketSpec longer = Call(cast().pod3, names().load_balancer);
  longer.payload = 1200;
  EXPECT_TRUE(IsRefused(Place::kPod3, longer));

  Serve(Everywhere({}, NX_L4_UDP));
  EXPECT_TRUE(IsRefused(Place::kPod3, UdpCall(cast().pod3, cast().service)));
  EXPECT_TRUE(IsRefused(Place::kPod3, UdpCall(cast().pod3, names().external)));
}

TEST_P(Bare, FloatingIpsLeadThroughItAndOutOfIt) {
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config_.floating_ips.push_back(
        {Address::Parse(CastOf(each).floating).value(), Address::Parse(CastOf(each).pod3).value()});
  Apply();
  Converses(Place::kOutside, Tcp(cast().client, cast().floating, kSyn),
            {Place::kPod3, cast().client, cast().pod3});
  Converses(Place::kPod1, Udp(cast().pod1, cast().floating),
            {Place::kPod3, cast().pod1, cast().pod3});
  // Itself.
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, cast().floating, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().floating, cast().pod3}));
}

}  // namespace
}  // namespace natrix::oracle
