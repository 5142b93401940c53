// SPDX-License-Identifier: Apache-2.0
//
// kube-proxy in IPVS mode: P1b to P5 look into its sets.  The destination is given by the same
// rules in both nodes, which IPVS would do without them.
#include "tests/oracle/kube_proxy.h"
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

constexpr std::uint16_t kLocalTcp = 30080;
constexpr std::uint16_t kLocalUdp = 30053;
constexpr std::uint16_t kCluster = 30090;

class NodePorts : public Oracle {
 protected:
  NodePorts() {
    model::Config config = nodes_.config();
    model::Ipvs& ipvs = config.ipvs.emplace();
    for (const Family each : {Family::kIpv4, Family::kIpv6}) {
      const auto service = model::Address::Parse(CastOf(each).service).value();
      ipvs.cluster_ips.push_back({service, NX_L4_TCP, 80});
      ipvs.cluster_ips.push_back({service, NX_L4_UDP, 53});
    }
    ipvs.local_ports_tcp = {{kLocalTcp, kLocalTcp + 3}};
    ipvs.local_ports_udp = {{kLocalUdp, kLocalUdp}};
    for (model::Subnet& subnet : config.subnets)
      if (subnet.name == "no-nat") subnet.gateway_type = model::GatewayType::kCentralized;
    nodes_.Apply(config);
  }
  PacketSpec TcpTo(std::uint16_t port, const std::string& src) const {
    PacketSpec spec = Tcp(src, cast().node, kSyn);
    spec.dport = port;
    return spec;
  }
  PacketSpec UdpTo(std::uint16_t port, const std::string& src) const {
    PacketSpec spec = Udp(src, cast().node);
    spec.dport = port;
    return spec;
  }
  void NodePortLeadsTo(std::uint16_t port, const std::string& pod) {
    rules_.push_back({.address = cast().node, .port = port, .endpoint = pod});
  }
  void Load() { LoadKubeProxy(nodes_, family(), rules_); }

  std::vector<ServiceRule> rules_;
};
ORACLE_FAMILIES(NodePorts);

TEST_P(NodePorts, N1_F11_LocalPolicyKeepsTheClientForADistributedPod) {
  NodePortLeadsTo(kLocalTcp + 1, cast().pod1);
  Load();
  const PacketSpec syn = TcpTo(kLocalTcp + 1, cast().client);
  exchange_.Send(Place::kOutside, syn);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1, false, 0x80000}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
  PacketSpec ack = syn;
  ack.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, ack);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Send(Place::kOutside, ack);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
}

TEST_P(NodePorts, N2_F12_LocalPolicyMasqueradesForACentralizedPod) {
  NodePortLeadsTo(kLocalTcp, cast().pod3);
  Load();
  const PacketSpec syn = TcpTo(kLocalTcp, cast().client);
  exchange_.Send(Place::kOutside, syn);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  exchange_.Reply(Place::kPod3, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
  PacketSpec ack = syn;
  ack.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, ack);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
}

// It carries both marks, and R2 comes first.
TEST_P(NodePorts, N3_F13_AnotherNodeIsMasqueradedAllTheSame) {
  NodePortLeadsTo(kLocalTcp, cast().pod1);
  Load();
  const PacketSpec syn = TcpTo(kLocalTcp, cast().other_node);
  exchange_.Send(Place::kOutside, syn);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().other_node, true}));
  PacketSpec ack = syn;
  ack.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, ack);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
}

TEST_P(NodePorts, N1_N3_UdpHasASetOfItsOwn) {
  NodePortLeadsTo(kLocalUdp, cast().pod1);
  NodePortLeadsTo(kLocalTcp, cast().pod1);
  Load();
  exchange_.Send(Place::kOutside, UdpTo(kLocalUdp, cast().client));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1, false, 0x80000}));
  exchange_.Reply(Place::kPod1, {.payload = 3});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
  exchange_.Send(Place::kOutside, UdpTo(kLocalUdp, cast().client));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  exchange_.Send(Place::kOutside, UdpTo(kLocalUdp, cast().other_node));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  // The TCP set's number is none of UDP's.
  exchange_.Send(Place::kOutside, UdpTo(kLocalTcp, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web2, cast().pod1}));
}

TEST_P(NodePorts, PortsOfNoSetAreNotMarked) {
  NodePortLeadsTo(kCluster, cast().pod3);
  Load();
  exchange_.Send(Place::kOutside, TcpTo(kCluster, cast().client));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
}

// P2 asks whether the address is the node's own, P3 does not.
TEST_P(NodePorts, P3_P5_AskNothingOfTheAddress) {
  PacketSpec syn = Tcp(cast().other_node, cast().pod1, kSyn);
  syn.dport = kLocalTcp;
  exchange_.Send(Place::kOutside, syn);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  syn.src = cast().client;
  exchange_.Send(Place::kOutside, syn);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  PacketSpec query = Udp(cast().other_node, cast().pod3);
  query.dport = kLocalUdp;
  exchange_.Send(Place::kOutside, query);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
}

// P1b: the address, protocol and port of a Service, not any of the Service CIDR's.
TEST_P(NodePorts, S1_F2_P1b_OnlyWhatIsServedIsMasqueraded) {
  rules_.push_back({.address = cast().service, .endpoint = cast().pod2});
  rules_.push_back({.address = cast().service, .port = 8443, .endpoint = cast().pod2});
  rules_.push_back({.address = cast().service, .port = 53, .endpoint = cast().other_node});
  Load();
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().service, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2, true}));
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().service));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().other_node, true}));
  exchange_.Reply(Place::kOutside, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().service, cast().pod3, true}));
  // TCP's port 53 is not in the set, nor is 8443; but a pod to a pod is R3's.
  PacketSpec other = Tcp(cast().pod3, cast().service, kSyn);
  other.dport = 53;
  exchange_.Send(Place::kPod3, other);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().other_node}));
  other.dport = 8443;
  exchange_.Send(Place::kPod3, other);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2, true}));
}

TEST_P(NodePorts, WithoutANodeAddressThereAreNoSuchMarks) {
  model::Config config = nodes_.config();
  config.node.addresses.clear();
  nodes_.Apply(config);
  NodePortLeadsTo(kLocalTcp, cast().pod3);
  Load();
  exchange_.Send(Place::kOutside, TcpTo(kLocalTcp, cast().client));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
}

}  // namespace
}  // namespace natrix::oracle
