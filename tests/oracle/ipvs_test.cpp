// SPDX-License-Identifier: Apache-2.0
//
// kube-proxy's helper sets of IPVS mode: whom KUBE-SERVICES marks for masquerade and what it
// accepts, KUBE-LOOP-BACK, and kubelet's KUBE-MARK-DROP.
#include "tests/oracle/ipvs_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class Ipvs : public IpvsOracle {};
ORACLE_FAMILIES(Ipvs);

TEST_P(Ipvs, ClusterIpsAreMasqueradedToForWhoIsNotTheClusters) {
  ipvs().cluster_ips = {At(cast().service, 80), At(cast().service, 53, NX_L4_UDP)};
  Apply();
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().service), true));
  EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().pod1, cast().service), false));
  EXPECT_TRUE(Leaves(Place::kOutside, UdpCall(cast().client, cast().service, 53), true));
  // Another port, another protocol, another address.
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().service, 81), false));
  EXPECT_TRUE(Leaves(Place::kOutside, UdpCall(cast().client, cast().service), false));
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().web), false));

  // Its answers, and what follows, without a mark of its own.
  const PacketSpec first = Fresh(Call(cast().client, cast().service));
  exchange_.Send(Place::kOutside, first);
  ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().service, true}));
  exchange_.Reply(Place::kOutside, {.tcp_flags = kSyn | kAck});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().service, cast().client}));
  PacketSpec next = first;
  next.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, next);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().service, true}));
}

TEST_P(Ipvs, WithMasqueradeAllForEverybodyAndWithoutDetectorFromClusterIps) {
  ipvs().cluster_ips = {At(cast().service, 80)};
  config_.kube_proxy = {};
  config_.kube_proxy.masquerade_all = true;
  Apply();
  EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().pod1, cast().service), true));
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().service), true));

  // src,dst: an address of a Service, which calls that Service's port anywhere.
  config_.kube_proxy = {};
  Apply();
  EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, cast().service), false));
  EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().service, cast().web2), true));
  EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().service, cast().web2, 81), false));
}

TEST_P(Ipvs, ExternalAndLoadBalancerIpsAreMasqueradedToButForLocalPolicy) {
  ipvs().external_ips = {At(names().external, 80)};
  ipvs().local_external_ips = {At(names().external, 81)};
  ipvs().load_balancer_ips = {At(names().load_balancer, 80), At(names().load_balancer, 81)};
  ipvs().local_load_balancer_ips = {At(names().load_balancer, 81)};
  Apply();
  for (const std::string& called : {names().external, names().load_balancer}) {
    EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, called), true));
    EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().pod1, called), true));
    EXPECT_TRUE(Leaves(Place::kOutside, Call(cast().client, called, 81), false));
    EXPECT_TRUE(Leaves(Place::kPod1, Call(cast().pod1, called, 81), false));
    EXPECT_TRUE(Leaves(Place::kOutside, UdpCall(cast().client, called), false));
  }
}

TEST_P(Ipvs, NodePortsAreMasqueradedToButForLocalPolicy) {
  ipvs().node_ports_tcp = {{30080, 30082}};
  ipvs().local_ports_tcp = {{30081, 30081}};
  ipvs().node_ports_udp = {{30053, 30054}};
  ipvs().local_ports_udp = {{30054, 30054}};
  ipvs().node_ports_sctp = {At(cast().node, 30038, NX_L4_SCTP), At(cast().node, 30039, NX_L4_SCTP)};
  ipvs().local_ports_sctp = {At(cast().node, 30039, NX_L4_SCTP)};
  Apply();
  Lead("tcp", {30080, 30081, 30082, 30083});
  Lead("udp", {30053, 30054, 30080});
  Lead("sctp", {30038, 30039, 30080});

  const auto tcp = [&](std::uint16_t port) { return Call(cast().client, cast().node, port); };
  EXPECT_TRUE(Enters(tcp(30080), true));
  EXPECT_TRUE(Enters(tcp(30081), false));
  EXPECT_TRUE(Enters(tcp(30082), true));
  EXPECT_TRUE(Enters(tcp(30083), false));
  const auto udp = [&](std::uint16_t port) { return UdpCall(cast().client, cast().node, port); };
  EXPECT_TRUE(Enters(udp(30053), true));
  EXPECT_TRUE(Enters(udp(30054), false));
  EXPECT_TRUE(Enters(udp(30080), false));
  const auto sctp = [&](std::uint16_t port) { return SctpCall(cast().client, cast().node, port); };
  EXPECT_TRUE(Enters(sctp(30038), true));
  EXPECT_TRUE(Enters(sctp(30039), false));
  EXPECT_TRUE(Enters(sctp(30080), false));
  // At the node's own addresses only.
  EXPECT_TRUE(Enters(Call(cast().client, cast().pod1, 30080), false));
}

// ACCEPT ends PREROUTING: the host port behind it is not asked.
TEST_P(Ipvs, WhatIsAcceptedIsNoHostPort) {
  ipvs().cluster_ips = {At(cast().node_second, kHostPort)};
  ipvs().load_balancer_ips = {At(cast().node_second, kHostPort + 1)};
  ipvs().external_ips = {At(cast().node_second, kHostPort + 2)};
  ipvs().local_external_ips = {At(cast().node_second, kHostPort + 3)};
  ipvs().node_ports_tcp = {{kHostPort + 4, kHostPort + 4}};
  std::vector<model::PortMapping> mappings;
  for (std::uint16_t i = 0; i < 5; ++i)
    mappings.push_back({{}, static_cast<std::uint16_t>(kHostPort + i), kContainerPort});
  Map(Container(mappings));
  for (std::uint16_t i = 0; i < 4; ++i) {
    const auto port = static_cast<std::uint16_t>(kHostPort + i);
    IsTheNodes(Place::kOutside, To(cast().client, cast().node_second, port));
    EXPECT_TRUE(Enters(Call(cast().client, cast().node, port), false)) << i;
  }
  // KUBE-NODE-PORT marks and accepts nothing.
  EXPECT_TRUE(Enters(Call(cast().client, cast().node_second, kHostPort + 4), true));
}

// KUBE-EXTERNAL-IP's ACCEPT stands before KUBE-NODE-PORT, KUBE-CLUSTER-IP's behind it.
TEST_P(Ipvs, AnExternalIpOfTheNodesOwnIsNoNodePort) {
  ipvs().cluster_ips = {At(cast().node_second, 30080)};
  ipvs().local_external_ips = {At(cast().node_second, 30081)};
  ipvs().node_ports_tcp = {{30080, 30081}};
  config_.kube_proxy = {};
  Apply();
  DropMarkedInput();
  exchange_.Send(Place::kOutside, To(cast().client, cast().node_second, 30080));
  EXPECT_TRUE(Vanishes(exchange_));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node_second, 30081));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node, 30081));
  EXPECT_TRUE(Vanishes(exchange_));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node, 30082));
}

// dst,dst,src, with the port and the mark as they were.
TEST_P(Ipvs, LoopBackMasqueradesAPodToItself) {
  ipvs().loop_back = {{At(cast().pod1, 8080), At(cast().pod1, 1).address},
                      {At(cast().pod1, 8081), At(cast().pod1, 1).address},
                      {At(cast().pod1, 53, NX_L4_UDP), At(cast().pod1, 1).address}};
  ipvs().cluster_ips = {At(cast().pod1, 8081)};
  config_.kube_proxy = {};
  config_.kube_proxy.masquerade_all = true;
  Apply();
  Converses(Place::kPod1, Fresh(Call(cast().pod1, cast().pod1, 8080)),
            {Place::kPod1, cast().join, cast().pod1});
  Converses(Place::kPod1, Fresh(Call(cast().pod1, cast().pod1, 8081)),
            {Place::kPod1, cast().join, cast().pod1, false, 0x4000});
  Converses(Place::kPod1, Fresh(UdpCall(cast().pod1, cast().pod1, 53)),
            {Place::kPod1, cast().join, cast().pod1});
  exchange_.Send(Place::kPod1, Fresh(UdpCall(cast().pod1, cast().pod1, 8080)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod1, cast().pod1}));
  exchange_.Send(Place::kPod2, Fresh(Call(cast().pod2, cast().pod1, 8080)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod2, cast().pod1}));
}

// OVN-POSTROUTING comes first, and what it leaves alone is KUBE-POSTROUTING's.
TEST_P(Ipvs, LoopBackComesBehindKubeOvn) {
  model::Config config = LoadConfig(ExamplePath());
  config.ipvs.emplace().loop_back = {{At(cast().web2, 80), At(cast().client, 1).address}};
  nodes_.Apply(config);
  exchange_.Send(Place::kOutside, Call(cast().client, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web2}));
  exchange_.Send(Place::kOutside, Call(cast().client, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().client, cast().web}));
}

class MarkDrop : public IpvsOracle {
 protected:
  MarkDrop() {
    config_.marks.drop = 0x8000;
    Apply();
  }
};
ORACLE_FAMILIES(MarkDrop);

TEST_P(MarkDrop, WhatTheNodeSendsWithIt) {
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x8000);
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x1008000);
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x20000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false, 0x20000}));
  // Every packet is asked, not only a connection's first.
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x8000);
  EXPECT_TRUE(Vanishes(exchange_));

  config_.marks.drop = 0x20000;
  Apply();
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x8000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false, 0x8000}));
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x28000);
  EXPECT_TRUE(Vanishes(exchange_));

  config_.marks.drop = 0;
  Apply();
  exchange_.SendFromNode(Udp(cast().node, cast().web), 0x28000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false, 0x28000}));
}

// FORWARD does not ask KUBE-FIREWALL.
TEST_P(MarkDrop, NotWhatIsForwarded) {
  AddRule("mangle", "FORWARD", "-j MARK --set-xmark 0x8000/0x8000");
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().pod1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1, false, 0x8000}));
}

}  // namespace
}  // namespace natrix::oracle
