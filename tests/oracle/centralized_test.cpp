// SPDX-License-Identifier: Apache-2.0
//
// A centralized gateway with an address of its own: R11, and mangle's drop of orphans.  In truth
// Kube-OVN cannot give such an address to IPv6: it cuts "node:fd00::51" at every colon.  The left
// side has the rules that it would write without that mistake.
#include "tests/oracle/oracle_fixture.h"
#include "tests/oracle/policies.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kFin;
using support::kPsh;
using support::kRst;
using support::kSyn;

class Centralized : public Oracle {
 protected:
  // What the gateways of ovn-default are; node1 is this node.
  void SetGateways(
      const std::vector<std::string>& names_with_address,
      const std::function<void(model::Subnet&)>& more = [](model::Subnet&) {}) {
    Change("ovn-default", [&](model::Subnet& subnet) {
      subnet.gateway_type = model::GatewayType::kCentralized;
      subnet.gateway_nodes.clear();
      subnet.enable_ecmp = false;
      subnet.activate_gateway.clear();
      for (const std::string& name : names_with_address)
        for (const Family each : {Family::kIpv4, Family::kIpv6})
          subnet.gateway_nodes.push_back({name, model::Address::Parse(CastOf(each).egress)});
      more(subnet);
    });
  }
  Arrival FromTheGateway(const std::string& dst) const {
    return {.src = cast().egress, .dst = dst, .port_changed = true};
  }
  Arrival FromTheDevice(const std::string& dst) const {
    return {.src = cast().node, .dst = dst, .port_changed = true};
  }
  PacketSpec From(std::uint16_t port) const {
    PacketSpec spec = Udp(cast().pod1, cast().web);
    spec.sport = port;
    return spec;
  }
};
ORACLE_FAMILIES(Centralized);

TEST_P(Centralized, P5_F5_PodsLeaveWithTheGatewaysAddress) {
  SetGateways({"node1"});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));

  for (const PacketSpec& spec : {Udp(cast().pod1, cast().web), Echo(cast().pod1, cast().web)}) {
    exchange_.Send(Place::kPod1, spec);
    EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));
    exchange_.Reply(Place::kOutside, {.payload = 11});
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
    exchange_.Report(Place::kOutside, PortUnreachable(family()));
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  }
  // Within the cluster nothing is different.
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
}

// A policy is asked before: "nat" gives the device's address, "forward" none.
TEST_P(Centralized, P6_PoliciesComeBeforeTheGatewaysAddress) {
  SetGateways({"node1"}, [&](model::Subnet& subnet) {
    subnet.policies = {Nat(cast().pod1, ""), Forward("", cast().web2)};
  });
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, FromTheDevice(cast().web)));
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod2, .dst = cast().web2, .mark = 0x90002}));
  exchange_.Send(Place::kPod2, Udp(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));
}

TEST_P(Centralized, C1_C1c_FIN_F23_OrphanAckIsDroppedAndPoisonsNothingAndAFinIsNot) {
  SetGateways({"node1"});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Repeat();
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().pod3, kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  // conntrack calls a FIN invalid, so that no rule about new connections sees it.
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web2, kFin | kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web2}));
}

// The request came in at another node: the SYN-ACK is no new connection, what follows is.
TEST_P(Centralized, C1b_F20_AnswersToWhatEnteredElsewhereAreDropped) {
  SetGateways({"node1"});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().client, kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().client}));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().client, kPsh | kAck));
  EXPECT_TRUE(Vanishes(exchange_));
  // What entered here is answered.
  PacketSpec request = Tcp(cast().client, cast().pod1, kSyn);
  request.sport = 41000;
  exchange_.Send(Place::kOutside, request);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().client}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kPsh | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().client}));
}

TEST_P(Centralized, F4_OnlyTheActiveGatewayOfThisNameHasTheAddress) {
  std::uint16_t port = 42000;
  const auto expect = [&](const Arrival& arrival) {
    exchange_.Send(Place::kPod1, From(port++));
    EXPECT_TRUE(Arrives(exchange_, arrival));
  };
  Change("ovn-default", [](model::Subnet& subnet) {
    subnet.gateway_type = model::GatewayType::kCentralized;
    subnet.gateway_nodes = {{"node1", std::nullopt}};
  });
  expect(FromTheDevice(cast().web));
  SetGateways({"node2"});
  expect(FromTheDevice(cast().web));
  SetGateways({"node2", "node1"});
  expect(FromTheDevice(cast().web));
  SetGateways({"node2", "node1"}, [](model::Subnet& subnet) { subnet.enable_ecmp = true; });
  expect(FromTheGateway(cast().web));
  SetGateways({"node2", "node1"}, [](model::Subnet& subnet) { subnet.activate_gateway = "node1"; });
  expect(FromTheGateway(cast().web));
  SetGateways({"node1", "node2"}, [](model::Subnet& subnet) { subnet.activate_gateway = "node2"; });
  expect(FromTheDevice(cast().web));
  SetGateways({"node1"}, [](model::Subnet& subnet) {
    subnet.gateway_type = model::GatewayType::kDistributed;
  });
  expect(FromTheDevice(cast().web));
  SetGateways({"node1"}, [](model::Subnet& subnet) { subnet.nat_outgoing = false; });
  expect({.src = cast().pod1, .dst = cast().web});
}

// An address for IPv4 only: the other family has none, and no orphan rule.
TEST_P(Centralized, TheAddressIsOfItsFamilyOnly) {
  Change("ovn-default", [](model::Subnet& subnet) {
    subnet.gateway_type = model::GatewayType::kCentralized;
    subnet.gateway_nodes = {{"node1", model::Address::Parse(CastOf(Family::kIpv4).egress)}};
  });
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  if (family() == Family::kIpv4) {
    EXPECT_TRUE(Vanishes(exchange_));
  } else {
    EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
  }
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, family() == Family::kIpv4 ? FromTheGateway(cast().web)
                                                           : FromTheDevice(cast().web)));
}

// SNAT --to-source leaves the mark, MASQUERADE by way of OVN-MASQUERADE does not.
TEST_P(Centralized, TheMarkStays) {
  Change("join", [&](model::Subnet& subnet) {
    subnet.gateway_type = model::GatewayType::kCentralized;
    subnet.nat_outgoing = true;
    subnet.gateway_nodes = {{"node1", model::Address::Parse(cast().egress)}};
  });
  exchange_.SendFromNode(Udp(cast().join, cast().web), 0x26000000);
  EXPECT_TRUE(
      Arrives(exchange_,
              {.src = cast().egress, .dst = cast().web, .port_changed = true, .mark = 0x26000000}));
}

// dropOrphans: nat-outgoing.  Kube-OVN protects only subnets with an address of their own; C2
// shows what becomes of the others.
TEST_P(Centralized, C2_DropOrphansProtectsEveryNatOutgoingSubnet) {
  model::Config config = nodes_.config();
  config.orphan_drop = model::OrphanDrop::kNatOutgoing;
  nodes_.Apply(config);
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(LeftShows(exchange_, Arrival{.src = cast().pod1, .dst = cast().web}));
  EXPECT_TRUE(RightShows(exchange_, std::nullopt));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(LeftShows(exchange_, Arrival{.src = cast().pod1, .dst = cast().web}));
  EXPECT_TRUE(RightShows(exchange_, FromTheDevice(cast().web)));
  // Others are as they were.
  Exchange after(nodes_);
  after.Send(Place::kPod3, Tcp(cast().pod3, cast().web, kAck));
  EXPECT_TRUE(Arrives(after, {.src = cast().pod3, .dst = cast().web}));
}

// To conntrack all segments before the first answer are of a new connection, and Kube-OVN's rule
// takes a client's RST for an orphan.  natrix knows the flow and lets it tell the far end.
TEST_P(Centralized, ResetBeforeTheAnswerReachesTheFarEnd) {
  SetGateways({"node1"});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, FromTheGateway(cast().web)));
  const std::uint16_t port = SourcePort(exchange_.last().right.at(0).frame);
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kRst));
  EXPECT_TRUE(LeftShows(exchange_, std::nullopt));
  ASSERT_TRUE(RightShows(exchange_, FromTheGateway(cast().web)));
  EXPECT_EQ(SourcePort(exchange_.last().right.at(0).frame), port);
}

}  // namespace
}  // namespace natrix::oracle
