// SPDX-License-Identifier: Apache-2.0
//
// loadBalancerSourceRanges in kube-proxy's IPVS mode: KUBE-LOAD-BALANCER-FW and who may call, as
// v1.30 asks them in its filter table and as v1.24 did in nat.
#include <chrono>

#include "tests/oracle/ipvs_fixture.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::FirewallBy;
using model::Prefix;
using support::kAck;
using support::kSyn;

constexpr std::uint32_t kDrop = 0x8000;
constexpr nx_l4 kProtocols[] = {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};

class IpvsRanges : public IpvsOracle {
 protected:
  IpvsRanges() { config_.marks.drop = kDrop; }

  const std::string& through() const { return names().load_balancer; }
  const std::string& own() const { return cast().node_second; }
  int network() const { return family() == Family::kIpv4 ? 24 : 64; }

  // Port 80 of an address that packets pass through the node to, and of one that is its own; the
  // client's network and pod1 may call.
  void Guard(FirewallBy by) {
    ipvs() = {};
    ipvs().firewall_by = by;
    for (const std::string& address : {through(), own()})
      for (const nx_l4 protocol : kProtocols) {
        const model::ServicePort called = At(address, 80, protocol);
        ipvs().load_balancer_ips.push_back(called);
        ipvs().load_balancer_firewall.push_back(called);
        Allow(called, cast().client, network());
        ipvs().source_ips.push_back({called, Address::Parse(cast().pod1).value()});
      }
  }
  void Allow(const model::ServicePort& called, const std::string& source, int length) {
    const Prefix prefix{Address::Parse(source).value(), length};
    ipvs().source_cidrs.push_back({called, prefix.WithoutHostBits()});
  }
  PacketSpec CallBy(nx_l4 protocol, const std::string& src, const std::string& dst,
                    std::uint16_t port = 80) {
    return Fresh(protocol == NX_L4_TCP   ? Call(src, dst, port)
                 : protocol == NX_L4_UDP ? UdpCall(src, dst, port)
                                         : SctpCall(src, dst, port));
  }
  testing::AssertionResult IsDropped(Place from, const PacketSpec& call) {
    exchange_.Send(from, call);
    return Vanishes(exchange_);
  }
  // It goes on, masqueraded as who may call is, with the mark that INPUT alone would drop it for.
  testing::AssertionResult IsMarked(Place from, const PacketSpec& call) {
    exchange_.Send(from, call);
    const testing::AssertionResult same = Agree(exchange_);
    return same ? RightShows(exchange_, Arrival{Place::kOutside, cast().node, call.dst,
                                                call.protocol != support::kSctp, kDrop})
                : same;
  }
};
ORACLE_FAMILIES(IpvsRanges);

TEST_P(IpvsRanges, WhoIsInNoneIsDroppedOnTheWayThrough) {
  Guard(FirewallBy::kFilter);
  Apply();
  for (const nx_l4 protocol : kProtocols) {
    SCOPED_TRACE(static_cast<int>(protocol));
    EXPECT_TRUE(Leaves(Place::kOutside, CallBy(protocol, cast().client, through()), true));
    EXPECT_TRUE(Leaves(Place::kPod1, CallBy(protocol, cast().pod1, through()), true));
    EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(protocol, cast().web2, through())));
    EXPECT_TRUE(IsDropped(Place::kPod2, CallBy(protocol, cast().pod2, through())));
    // Another port, and another address.
    EXPECT_TRUE(Leaves(Place::kOutside, CallBy(protocol, cast().web2, through(), 81), false));
    EXPECT_TRUE(Leaves(Place::kPod2, CallBy(protocol, cast().pod2, names().external), false));
  }
}

TEST_P(IpvsRanges, WhoIsInNoneIsDroppedAtTheNodeItself) {
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    SCOPED_TRACE(by == FirewallBy::kMark);
    Guard(by);
    Apply();
    for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP}) {
      IsTheNodes(Place::kOutside, CallBy(protocol, cast().client, own()));
      IsTheNodes(Place::kPod1, CallBy(protocol, cast().pod1, own()));
      IsTheNodes(Place::kOutside, CallBy(protocol, cast().web2, own(), 81));
      EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(protocol, cast().web2, own())));
      EXPECT_TRUE(IsDropped(Place::kPod2, CallBy(protocol, cast().pod2, own())));
    }
    EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(NX_L4_SCTP, cast().web2, own())));
    // Sent again it is as new as before.
    exchange_.Repeat();
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

// nat marks before the packet is routed; nobody asks FORWARD for the mark.
TEST_P(IpvsRanges, TheMarkGoesOnThroughTheNode) {
  Guard(FirewallBy::kMark);
  Apply();
  for (const nx_l4 protocol : kProtocols) {
    SCOPED_TRACE(static_cast<int>(protocol));
    EXPECT_TRUE(Leaves(Place::kOutside, CallBy(protocol, cast().client, through()), true));
    EXPECT_TRUE(IsMarked(Place::kOutside, CallBy(protocol, cast().web2, through())));
    EXPECT_TRUE(IsMarked(Place::kPod2, CallBy(protocol, cast().pod2, through())));
  }
}

// ipset asks for the most specific first, and for all.
TEST_P(IpvsRanges, RangesMayLieInEachOther) {
  const bool v4 = family() == Family::kIpv4;
  const model::ServicePort called = At(through(), 80);
  ipvs().load_balancer_ips = {called, At(through(), 81)};
  ipvs().load_balancer_firewall = ipvs().load_balancer_ips;
  Allow(called, cast().web2, v4 ? 32 : 128);
  Allow(called, cast().web2, network());
  Allow(At(through(), 81), cast().client, 0);
  ipvs().source_ips = {{At(through(), 81), Address::Parse(cast().web2).value()}};
  Apply();
  const std::string neighbour = v4 ? "203.0.113.77" : "2001:db8:113::77";
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().web2, through()), true));
  EXPECT_TRUE(Leaves(Place::kOutside, Call(neighbour, through()), true));
  EXPECT_TRUE(IsDropped(Place::kOutside, Fresh(Call(cast().client, through()))));
  for (const std::string& source : {cast().client, cast().web2, neighbour})
    EXPECT_TRUE(Leaves(Place::kOutside, Call(source, through(), 81), true));
}

// KUBE-LOAD-BALANCER leads to nat's rules, INPUT and FORWARD to filter's, whatever nat accepted.
TEST_P(IpvsRanges, OnlyNatAsksForALoadBalancer) {
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    Guard(by);
    ipvs().load_balancer_ips.clear();
    Apply();
    const PacketSpec call = CallBy(NX_L4_TCP, cast().web2, own());
    if (by == FirewallBy::kFilter)
      EXPECT_TRUE(IsDropped(Place::kOutside, call));
    else
      IsTheNodes(Place::kOutside, call);
  }
}

// With local policy nobody is masqueraded, and the others are dropped all the same.
TEST_P(IpvsRanges, WithLocalPolicy) {
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    Guard(by);
    ipvs().local_load_balancer_ips = ipvs().load_balancer_ips;
    Apply();
    EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, through()), false));
    EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(NX_L4_TCP, cast().web2, own())));
    EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(NX_L4_UDP, cast().web2, own())));
  }
}

// filter asks for where a packet goes once it has its new destination.
TEST_P(IpvsRanges, AContainersPortBehindAHostPort) {
  ipvs().load_balancer_firewall = {At(cast().pod1, kContainerPort)};
  Allow(ipvs().load_balancer_firewall[0], cast().client, network());
  Map(Container());
  exchange_.Send(Place::kOutside, To(cast().client, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
  EXPECT_TRUE(IsDropped(Place::kOutside, To(cast().web2, cast().node)));
  EXPECT_TRUE(IsDropped(Place::kOutside, To(cast().web2, cast().pod1, kContainerPort)));

  ipvs().firewall_by = FirewallBy::kMark;
  Apply();
  exchange_.Send(Place::kOutside, To(cast().web2, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().web2)));
}

// A configuration that allows no longer: filter asks every packet, nat a connection's first.
TEST_P(IpvsRanges, AConversationThatGoesOn) {
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    SCOPED_TRACE(by == FirewallBy::kMark);
    Guard(by);
    Apply();
    const PacketSpec first = CallBy(NX_L4_TCP, cast().client, through());
    exchange_.Send(Place::kOutside, first);
    ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, through(), true}));
    exchange_.Reply(Place::kOutside, {.tcp_flags = kSyn | kAck});
    ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, through(), cast().client}));

    ipvs().source_cidrs.clear();
    Apply();
    PacketSpec next = first;
    next.tcp_flags = kAck;
    exchange_.Send(Place::kOutside, next);
    if (by == FirewallBy::kFilter)
      EXPECT_TRUE(Vanishes(exchange_));
    else
      EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, through(), true}));
  }
}

// Packets that take the short cut pass ingress by, until one of them has to show that the way is
// right: every 5 seconds.
TEST_P(IpvsRanges, AConversationThatTakesTheShortCut) {
  Guard(FirewallBy::kFilter);
  Apply();
  const PacketSpec first = CallBy(NX_L4_TCP, cast().pod1, through());
  Converses(Place::kPod1, first, {Place::kOutside, cast().node, through(), true});
  PacketSpec next = first;
  next.tcp_flags = kAck;
  exchange_.Send(Place::kPod1, next);
  ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, through(), true}));

  ipvs().source_ips.clear();
  Apply();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  do {
    exchange_.Send(Place::kPod1, next);
    ASSERT_TRUE(exchange_.last().left.empty());
  } while (!exchange_.last().right.empty() && std::chrono::steady_clock::now() < deadline);
  ASSERT_TRUE(exchange_.last().right.empty());
  for (int i = 0; i < 3; ++i) {
    exchange_.Send(Place::kPod1, next);
    EXPECT_TRUE(exchange_.last().right.empty());
  }
}

// conntrack calls it invalid: no rule of nat's sees it, and filter's do.
TEST_P(IpvsRanges, WhatBelongsToNothing) {
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    Guard(by);
    Apply();
    PacketSpec reset = CallBy(NX_L4_TCP, cast().web2, through());
    reset.tcp_flags = support::kRst;
    exchange_.Send(Place::kOutside, reset);
    if (by == FirewallBy::kFilter)
      EXPECT_TRUE(Vanishes(exchange_));
    else
      EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().web2, through()}));
  }
}

TEST_P(IpvsRanges, FragmentsOfADatagram) {
  Guard(FirewallBy::kFilter);
  Apply();
  PacketSpec call = CallBy(NX_L4_UDP, cast().web2, through());
  call.payload = 3000;
  call.fragment = 1200;
  call.id = 71;
  EXPECT_TRUE(IsDropped(Place::kOutside, call));
  call.src = cast().client;
  call.id = 72;
  ++call.frag_id;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
}

// Its accepts of pods' packets stand behind kube-proxy's chain.
TEST_P(IpvsRanges, BesideKubeOvn) {
  const model::Config example = LoadConfig(ExamplePath());
  for (const FirewallBy by : {FirewallBy::kFilter, FirewallBy::kMark}) {
    SCOPED_TRACE(by == FirewallBy::kMark);
    Guard(by);
    model::Config config = example;
    config.marks.drop = kDrop;
    config.ipvs = ipvs();
    nodes_.Apply(config);
    EXPECT_TRUE(IsDropped(Place::kPod2, CallBy(NX_L4_TCP, cast().pod2, own())));
    EXPECT_TRUE(IsDropped(Place::kOutside, CallBy(NX_L4_UDP, cast().web2, own())));
    IsTheNodes(Place::kPod1, CallBy(NX_L4_TCP, cast().pod1, own()));
  }
}

}  // namespace
}  // namespace natrix::oracle
