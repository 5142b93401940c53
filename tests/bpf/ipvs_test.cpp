// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <array>

#include "tests/bpf/datapath.h"

// What of kube-proxy's IPVS mode and of kubelet's marks two nodes side by side do not show:
// reasons, and marks that a packet has before iptables sees it.
namespace natrix {
namespace {

using namespace support;

constexpr std::uint32_t kMasquerade = 0x4000;
constexpr std::uint32_t kDrop = 0x8000;

model::ServicePort At(const char* address, std::uint16_t port, nx_l4 protocol = NX_L4_TCP) {
  return {*model::Address::Parse(address), protocol, port};
}

class Ipvs : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.floating_ips.clear();
    config.subnets.clear();
    config.service_cidrs.clear();
    config.other_nodes.clear();
    model::Ipvs& ipvs = config.ipvs.emplace();
    ipvs.load_balancer_ips = {At(cast().service, 80)};
    ipvs.local_ports_tcp = {{30080, 30080}};
    ipvs.loop_back = {{At(cast().pod, 8080), At(cast().pod, 1).address}};
    Apply();
  }
};
NATRIX_BOTH_FAMILIES(Ipvs);

TEST_P(Ipvs, LoopBackHasAReasonOfItsOwn) {
  PacketSpec call = Tcp(cast().pod, cast().pod);
  call.dport = 8080;
  EXPECT_THAT(Run(Hook::kOut, call), PassedFor(NX_R_MASQ_LOOP_BACK));
  call.dport = 8081;
  EXPECT_THAT(Run(Hook::kOut, call), PassedFor(NX_R_KEEP));

  config.ipvs->loop_back.clear();
  Apply();
  Forget();
  call.dport = 8080;
  EXPECT_THAT(Run(Hook::kOut, call), PassedFor(NX_R_KEEP));
}

TEST_P(Ipvs, AServiceIsMarkedOnceForEachFlow) {
  PacketSpec call = Tcp(cast().web, cast().service);
  EXPECT_EQ(Run(Hook::kUplinkIn, call).mark, kMasquerade);
  call.src = v6() ? "::1" : "127.0.0.1";  // KUBE-SERVICES' first rule
  EXPECT_EQ(Run(Hook::kUplinkIn, call).mark, 0U);
}

// P2 and P3 are Kube-OVN's, which is not there.
TEST_P(Ipvs, WithoutKubeOvnThereIsNoMarkForLocalPolicy) {
  PacketSpec call = Tcp(cast().other_node, cast().node);
  call.dport = 30080;
  EXPECT_EQ(Run(Hook::kUplinkIn, call).mark, 0U);
}

// filter KUBE-IPVS-FILTER.  web is the one who calls.
class IpvsFilter : public Ipvs {
 protected:
  void SetUp() override {
    Ipvs::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    complete_checksums = false;
    config.ipvs->ips = {At(cast().node, 1).address, At(cast().service, 1).address};
    config.ipvs->cluster_ips = {At(cast().node, 80), At(cast().node, 53, NX_L4_UDP)};
    config.ipvs->health_check_ports = {{32000, 32001}};
    Apply();
  }
  Outcome Call(nx_l4 protocol, std::uint16_t port, std::uint8_t flags = kSyn) {
    PacketSpec call =
        protocol == NX_L4_TCP ? Tcp(cast().web, cast().node, flags) : Udp(cast().web, cast().node);
    call.protocol = protocol;
    call.dport = port;
    call.payload = 20;
    return Run(Hook::kUplinkIn, call);
  }
  testing::AssertionResult IsTold(const Outcome& out) {
    if (out.reflected && out.reason == NX_R_REJECTED && out.dst() == cast().web &&
        out.src() == cast().node && CountEmbryos() == 0)
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << testing::PrintToString(out);
  }
};
NATRIX_BOTH_FAMILIES(IpvsFilter);

TEST_P(IpvsFilter, WhatNoServiceHasIsRefusedOfAnyProtocol) {
  for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP})
    EXPECT_TRUE(IsTold(Call(protocol, 81))) << static_cast<int>(protocol);
  EXPECT_TRUE(IsTold(Call(NX_L4_TCP, 53)));
  EXPECT_TRUE(IsTold(Call(NX_L4_TCP, 81, kAck))) << "NEW in the middle";
  EXPECT_TRUE(IsTold(Run(Hook::kUplinkIn, Echo(cast().web, cast().node))));
}

TEST_P(IpvsFilter, ServicesHealthChecksAndOtherAddressesAreNot) {
  EXPECT_FALSE(Call(NX_L4_TCP, 80).reflected);
  EXPECT_FALSE(Call(NX_L4_UDP, 53).reflected);
  for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP})
    for (const std::uint16_t port : std::array<std::uint16_t, 2>{32000, 32001})
      EXPECT_FALSE(Call(protocol, port).reflected);
  // Not the node's: FORWARD has no such rule.
  EXPECT_FALSE(Run(Hook::kUplinkIn, Tcp(cast().web, cast().service)).reflected);
  EXPECT_FALSE(Call(NX_L4_TCP, 82, kRst).reflected) << "not NEW";
  config.ipvs->ips = {At(cast().service, 1).address};
  Apply();
  EXPECT_FALSE(Call(NX_L4_TCP, 81).reflected);
}

TEST_P(IpvsFilter, WhatIsAnsweredOrBeganBeforeGoesOn) {
  config.ipvs->ips.clear();
  Apply();
  EXPECT_FALSE(Call(NX_L4_TCP, 81).reflected);
  config.ipvs->ips = {At(cast().node, 1).address};
  Apply();
  EXPECT_FALSE(Call(NX_L4_TCP, 81, kAck).reflected);
}

class IpvsRanges : public Ipvs {
 protected:
  void SetUp() override {
    Ipvs::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.marks.drop = kDrop;
    Guard(model::FirewallBy::kFilter);
  }
  // What the node's own address is called at, and another one; web may call.
  void Guard(model::FirewallBy by) {
    model::Ipvs& ipvs = *config.ipvs;
    ipvs.firewall_by = by;
    ipvs.load_balancer_ips = {At(cast().node, 80), At(cast().node, 53, NX_L4_UDP),
                              At(cast().service, 80)};
    ipvs.load_balancer_firewall = ipvs.load_balancer_ips;
    ipvs.source_cidrs.clear();
    for (const model::ServicePort& called : ipvs.load_balancer_ips)
      ipvs.source_cidrs.push_back({called, model::Prefix::Of(At(cast().web, 1).address)});
    Apply();
  }
};
NATRIX_BOTH_FAMILIES(IpvsRanges);

TEST_P(IpvsRanges, HaveAReasonAndLeaveNothingBehind) {
  EXPECT_THAT(Run(Hook::kUplinkIn, Tcp(cast().other_node, cast().service)),
              DroppedFor(NX_R_SOURCE_RANGE));
  EXPECT_THAT(Run(Hook::kUplinkIn, Tcp(cast().other_node, cast().node)),
              DroppedFor(NX_R_SOURCE_RANGE));
  EXPECT_EQ(CountEmbryos(), 0U);
  EXPECT_FALSE(Run(Hook::kUplinkIn, Tcp(cast().web, cast().service)).dropped);
  EXPECT_FALSE(Run(Hook::kUplinkIn, Tcp(cast().web, cast().node)).dropped);
}

TEST_P(IpvsRanges, ByAMarkItIsTheMarksReason) {
  Guard(model::FirewallBy::kMark);
  EXPECT_EQ(Run(Hook::kUplinkIn, Tcp(cast().other_node, cast().service)).mark, kMasquerade | kDrop);
  EXPECT_EQ(Run(Hook::kUplinkIn, Tcp(cast().web, cast().service)).mark, kMasquerade);
  EXPECT_THAT(Run(Hook::kUplinkIn, Tcp(cast().other_node, cast().node)),
              DroppedFor(NX_R_MARK_DROP));
  EXPECT_EQ(CountEmbryos(), 0U);
}

// The header that says which port is called comes in two fragments; the kernel puts it together.
TEST_P(IpvsRanges, NobodyHidesThePort) {
  PacketSpec call = Tcp(cast().other_node, cast().service);
  call.payload = 64;
  call.fragment = 8;
  const Bytes first = Build(call, {"02:00:00:00:00:01", "00:00:00:00:00:00"}).at(0);
  for (const auto by : {model::FirewallBy::kFilter, model::FirewallBy::kMark}) {
    Guard(by);
    EXPECT_THAT(Run(Hook::kUplinkIn, first), DroppedFor(NX_R_HEADLESS));
  }
  config.ipvs->load_balancer_firewall.clear();
  Apply();
  EXPECT_FALSE(Run(Hook::kUplinkIn, first).dropped);
}

class MarkDrop : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.marks.drop = kDrop;
    Apply();
  }
};
NATRIX_BOTH_FAMILIES(MarkDrop);

TEST_P(MarkDrop, ToTheNodeAndFromItIsDropped) {
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().node), kDrop),
              DroppedFor(NX_R_MARK_DROP));
  EXPECT_THAT(Run(Hook::kUplinkIn, Echo(cast().web, cast().join), kDrop | 1),
              DroppedFor(NX_R_MARK_DROP));
  EXPECT_THAT(Run(Hook::kOut, Udp(cast().node, cast().web), kDrop), DroppedFor(NX_R_MARK_DROP));
  // Nothing is remembered of what was dropped.
  EXPECT_EQ(CountEmbryos(), 0U);
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().node)), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().node), kDrop >> 1),
              PassedFor(NX_R_NOT_OURS));
}

TEST_P(MarkDrop, WhatIsForwardedIsNot) {
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().pod), kDrop), PassedFor(NX_R_NOT_OURS));
  ingress_ifindex = 1;
  EXPECT_FALSE(Run(Hook::kOut, Udp(cast().web, cast().pod), kDrop).dropped);
}

// INPUT asks for the destination after DNAT, and for every packet of a flow.
TEST_P(MarkDrop, AFlowsPacketsAreAskedWhereTheyGo) {
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().web, cast().floating)), PassedFor(NX_R_FIP_DNAT));
  EXPECT_FALSE(Run(Hook::kUplinkIn, Udp(cast().web, cast().floating), kDrop).dropped);
  EXPECT_FALSE(Run(Hook::kPodIn, Udp(cast().pod, cast().node)).dropped);
  EXPECT_THAT(Run(Hook::kUplinkIn, Udp(cast().pod, cast().node), kDrop),
              DroppedFor(NX_R_MARK_DROP));
}

TEST_P(MarkDrop, APodsPacketLosesTheMark) {
  const Outcome out = Run(Hook::kPodIn, Udp(cast().pod, cast().node), kDrop | 0x40);
  EXPECT_FALSE(out.dropped);
  EXPECT_EQ(out.mark, 0x40U);
}

// Their mark is that of the packet inside.
TEST_P(MarkDrop, NotTheNodesOwnTunnels) {
  PacketSpec outer = Udp(cast().node, cast().other_node);
  outer.dport = 6081;
  EXPECT_FALSE(Run(Hook::kOut, outer, kDrop).dropped);
}

TEST_P(MarkDrop, NobodyDropsUnlessAsked) {
  config.marks.drop = 0;
  Apply();
  EXPECT_FALSE(Run(Hook::kUplinkIn, Udp(cast().web, cast().node), kDrop).dropped);
  EXPECT_FALSE(Run(Hook::kOut, Udp(cast().node, cast().web), kDrop).dropped);
}

}  // namespace
}  // namespace natrix
