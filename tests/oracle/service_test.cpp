// SPDX-License-Identifier: Apache-2.0
//
// Services: kube-proxy gives the destination, Kube-OVN or natrix the source.  Without `ipvs` in the
// configuration: kube-proxy in iptables mode.
#include "tests/oracle/kube_proxy.h"
#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kPsh;
using support::kSyn;

class Services : public Oracle {
 protected:
  // A whole handshake and some data: what is expected of the first packet is so of each.
  void Handshake(Place from, const PacketSpec& syn, const Arrival& request, const Arrival& reply) {
    exchange_.Send(from, syn);
    EXPECT_TRUE(Arrives(exchange_, request));
    exchange_.Reply(request.place, Tcp("", "", kSyn | kAck));
    EXPECT_TRUE(Arrives(exchange_, reply));
    PacketSpec ack = syn;
    ack.tcp_flags = kAck;
    for (int i = 0; i < 2; ++i) {
      exchange_.Send(from, ack);
      Arrival later = request;
      later.mark = 0;  // marks are the first packet's
      EXPECT_TRUE(Arrives(exchange_, later));
    }
    exchange_.Reply(request.place, Tcp("", "", kPsh | kAck));
    EXPECT_TRUE(Arrives(exchange_, reply));
  }
};
ORACLE_FAMILIES(Services);

TEST_P(Services, S1_F2_PodToServiceToPodIsMasqueradedWithTheJoinAddress) {
  LoadKubeProxy(nodes_, family(), {{.address = cast().service, .endpoint = cast().pod2}});
  Handshake(Place::kPod1, Tcp(cast().pod1, cast().service, kSyn),
            {Place::kPod2, cast().join, cast().pod2, true},
            {Place::kPod1, cast().service, cast().pod1, true});
}

TEST_P(Services, S2_PodToServiceToAHostIsMasqueradedWithTheDevicesAddress) {
  LoadKubeProxy(nodes_, family(), {{.address = cast().service, .endpoint = cast().other_node}});
  Handshake(Place::kPod1, Tcp(cast().pod1, cast().service, kSyn),
            {Place::kOutside, cast().node, cast().other_node, true},
            {Place::kPod1, cast().service, cast().pod1, true});
}

TEST_P(Services, S3_SoIsThatOfASubnetWithoutNatOutgoing) {
  LoadKubeProxy(nodes_, family(), {{.address = cast().service, .endpoint = cast().other_node}});
  PacketSpec query = Udp(cast().pod3, cast().service);
  query.dport = 80;
  exchange_.Send(Place::kPod3, query);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().other_node, true}));
  exchange_.Reply(Place::kOutside, {.payload = 12});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().service, cast().pod3, true}));
  exchange_.Send(Place::kPod3, query);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().other_node, true}));
}

TEST_P(Services, N4_F10_NodePortOfClusterPolicyIsMasqueraded) {
  LoadKubeProxy(
      nodes_, family(),
      {{.address = cast().node, .port = 30080, .endpoint = cast().pod1, .masquerade = true}});
  PacketSpec syn = Tcp(cast().client, cast().node, kSyn);
  syn.dport = 30080;
  Handshake(Place::kOutside, syn, {Place::kPod1, cast().join, cast().pod1, true},
            {Place::kOutside, cast().node, cast().client, true});
}

// kube-proxy in iptables mode sets no mark, so that a centralized gateway makes no difference.
TEST_P(Services, N5_F14_NodePortOfLocalPolicyKeepsTheClient) {
  Change("no-nat",
         [](model::Subnet& subnet) { subnet.gateway_type = model::GatewayType::kCentralized; });
  LoadKubeProxy(nodes_, family(),
                {{.address = cast().node, .port = 30080, .endpoint = cast().pod1},
                 {.address = cast().node, .port = 30081, .endpoint = cast().pod3}});
  PacketSpec syn = Tcp(cast().client, cast().node, kSyn);
  syn.dport = 30080;
  Handshake(Place::kOutside, syn, {Place::kPod1, cast().client, cast().pod1},
            {Place::kOutside, cast().node, cast().client, true});
  syn.dport = 30081;
  Handshake(Place::kOutside, syn, {Place::kPod3, cast().client, cast().pod3},
            {Place::kOutside, cast().node, cast().client, true});
}

// IPVS leaves the ClusterIP as the source of what the node itself asks of it: R1.
TEST_P(Services, M7_F15_NodeToServiceByIpvsGetsTheNodesAddress) {
  exchange_.SendFromNode(Udp(cast().service, cast().pod1), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, {.place = Place::kPod1,
                                  .src = cast().node,
                                  .dst = cast().pod1,
                                  .port_changed = true,
                                  .mark = 0x4000}));
  // Without the mark, or to elsewhere, it is not R1.
  PacketSpec unmarked = Udp(cast().service, cast().pod2);
  exchange_.SendFromNode(unmarked);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().service, cast().pod2}));
  exchange_.SendFromNode(Udp(cast().service, cast().web), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
}

TEST_P(Services, M8_F15_NodeToServiceByIptablesGetsTheJoinAddress) {
  LoadKubeProxy(
      nodes_, family(),
      {{.address = cast().service, .port = 53, .endpoint = cast().pod1, .masquerade = true}});
  exchange_.SendFromNode(Udp(cast().node, cast().service));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
}

}  // namespace
}  // namespace natrix::oracle
