// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "tests/bpf/datapath.h"

// Calico's nat outgoing: which rule decides, and which ports there are.
namespace natrix {
namespace {

using namespace support;

class Outgoing : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    config.subnets.clear();
    config.service_cidrs.clear();
    config.other_nodes.clear();
    config.calico.emplace().pools = {Pool("10.16.0.0/16", true), Pool("fd00:10:16::/112", true),
                                     Pool("10.17.0.0/16", false), Pool("fd00:10:17::/112", false)};
    Apply();
  }
  static model::IpPool Pool(const char* cidr, bool nat) {
    return {.name = cidr, .cidr = *model::Prefix::Parse(cidr), .nat_outgoing = nat};
  }
  Outcome Out(const char* from, const char* to, std::uint32_t mark = 0) {
    return Run(Hook::kOut, Udp(from, to), mark);
  }
};
NATRIX_BOTH_FAMILIES(Outgoing);

TEST_P(Outgoing, APoolIsMasqueradedWithoutItsMark) {
  const Outcome out = Out(cast().pod, cast().web, 0x4000);
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_POOL));
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_EQ(out.mark, 0x4000U) << "Calico's rules touch no mark";
  EXPECT_THAT(Out(cast().pod, cast().kept_pod), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Out(cast().kept_pod, cast().web), PassedFor(NX_R_NOT_OURS));
}

TEST_P(Outgoing, TheAddressStandsForTheDevices) {
  config.calico->nat_address = {*model::Address::Parse(cast().floating)};
  Apply();
  const Outcome out = Out(cast().pod, cast().web);
  EXPECT_THAT(out, PassedFor(NX_R_SNAT_POOL));
  EXPECT_EQ(out.src(), cast().floating);
}

TEST_P(Outgoing, WhatMightBeAnsweredFromAPoolIsRemembered) {
  EXPECT_THAT(Out(cast().web, cast().pod), PassedFor(NX_R_KEEP));
  EXPECT_THAT(Out(cast().pod, cast().web), PassedFor(NX_R_MASQ_POOL)) << "of other ports";
  PacketSpec answer = Udp(cast().pod, cast().web);
  std::swap(answer.sport, answer.dport);
  const Outcome out = Run(Hook::kOut, answer);
  EXPECT_THAT(out, PassedFor(NX_R_FLOW_KEPT));
  EXPECT_EQ(out.src(), cast().pod);
}

TEST_P(Outgoing, TheFilterLeavesOtherDevicesAlone) {
  config.calico->interface_filter = "eth1";
  Apply();
  const Outcome out = Out(cast().pod, cast().web);
  EXPECT_THAT(out, PassedFor(NX_R_KEEP));
  EXPECT_EQ(out.src(), cast().pod);
}

// Nobody can tell its ports; with the pod's address it must not leave.
TEST_P(Outgoing, WithoutATransportHeaderItIsDropped) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.payload = 64;
  spec.fragment = 8;  // the UDP header alone; TCP's would be in three
  PacketSpec tcp = Tcp(cast().pod, cast().web);
  tcp.fragment = 8;
  const Macs macs{"02:00:00:00:00:01", "00:00:00:00:00:00"};
  EXPECT_THAT(Run(Hook::kOut, Build(tcp, macs).front()), DroppedFor(NX_R_HEADLESS));
  tcp.dst = cast().kept_pod;
  EXPECT_FALSE(Run(Hook::kOut, Build(tcp, macs).front()).dropped) << "it is not translated";
  EXPECT_THAT(Run(Hook::kOut, Build(spec, macs).front()), PassedFor(NX_R_MASQ_POOL));
}

TEST_P(Outgoing, ATunnelGetsItsOwnAddress) {
  host.devices.push_back(
      {.ifindex = 7, .name = "eth7", .addresses = {{*model::Address::Parse(cast().router), 32}}});
  config.calico->tunnels = {"eth0"};
  config.calico->vxlan_port = 30000;
  Apply();
  const Outcome out = Out(cast().router, cast().web);
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_TUNNEL));
  EXPECT_EQ(out.src(), cast().node);
  PacketSpec spec = Udp(cast().router, cast().web);
  for (spec.sport = 20000; spec.sport < 20020; ++spec.sport)
    EXPECT_GT(Run(Hook::kOut, spec).sport(), 30000);
  EXPECT_THAT(Out(cast().node, cast().web), PassedFor(NX_R_NOT_OURS)) << "its own address";
  EXPECT_THAT(Out(cast().kept_pod, cast().web), PassedFor(NX_R_NOT_OURS)) << "not the node's";
}

TEST_P(Outgoing, PortsOfTheRangeAreGivenOnceAndThenNone) {
  config.calico->port_range = model::PortRange{40000, 40099};  // within the node's own
  Apply();
  std::set<std::uint16_t> seen;
  PacketSpec spec = Udp(cast().pod, cast().web);
  for (int i = 0; i < 100; ++i) {
    spec.sport = static_cast<std::uint16_t>(1 + i);
    const Outcome out = Run(Hook::kOut, spec);
    ASSERT_THAT(out, PassedFor(NX_R_MASQ_POOL)) << i;
    EXPECT_GE(out.sport(), 40000);
    EXPECT_LE(out.sport(), 40099);
    EXPECT_TRUE(seen.insert(out.sport()).second) << out.sport() << " was given away twice";
  }
  spec.sport = 101;
  EXPECT_THAT(Run(Hook::kOut, spec), DroppedFor(NX_R_NO_PORT));
  spec.dst = cast().router;
  EXPECT_THAT(Run(Hook::kOut, spec), PassedFor(NX_R_MASQ_POOL)) << "towards somebody else";
}

// Who wants the node's own sockets out of it reserves it with the kernel.
TEST_P(Outgoing, AReservedPortOfTheRangeIsGiven) {
  config.calico->port_range = model::PortRange{30000, 30001};
  config.masquerade.reserved_ports = {{30000, 30001}};
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.sport = 30001;
  EXPECT_EQ(Run(Hook::kOut, spec).sport(), 30001);
  spec.src = cast().other_pod;
  EXPECT_EQ(Run(Hook::kOut, spec).sport(), 30000);
}

TEST_P(Outgoing, AFreePortOfTheRangeIsKeptIfPortsAre) {
  config.calico->port_range = model::PortRange{30000, 30009};
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.sport = 30005;
  EXPECT_EQ(Run(Hook::kOut, spec).sport(), 30005);
  spec.src = cast().other_pod;
  EXPECT_NE(Run(Hook::kOut, spec).sport(), 30005);
}

}  // namespace
}  // namespace natrix
