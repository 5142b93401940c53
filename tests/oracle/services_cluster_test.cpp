// SPDX-License-Identifier: Apache-2.0
//
// ClusterIPs: KUBE-SERVICES to KUBE-SVC or KUBE-SVL to KUBE-SEP, and who is masqueraded.
#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {
namespace {

using model::DetectLocal;
using support::kAck;
using support::kSyn;
using support::Word;

class ServiceCluster : public ServiceOracle {
 protected:
  // `request` of a call of the ClusterIP from a pod and from outside, with the endpoint in pod2.
  void ExpectMasquerade(bool of_pods, bool of_others) {
    PacketSpec call = Call(cast().pod1, cast().service);
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Arrives(exchange_,
                        of_pods ? Masqueraded() : Arrival{Place::kPod2, cast().pod1, cast().pod2}));
    call.src = cast().client;
    exchange_.Send(Place::kOutside, call);
    EXPECT_TRUE(Arrives(
        exchange_, of_others ? Masqueraded() : Arrival{Place::kPod2, cast().client, cast().pod2}));
  }
  Arrival Masqueraded() const { return {Place::kPod2, cast().join, cast().pod2, true}; }
};
ORACLE_FAMILIES(ServiceCluster);

TEST_P(ServiceCluster, PodsReachPodsOfTheirOwnAndOfAnotherSubnet) {
  Serve(Web({EndpointIn(Place::kPod2)}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kPod2, cast().pod1, cast().pod2});
  Serve(Web({EndpointIn(Place::kPod3)}));
  PacketSpec next = Call(cast().pod1, cast().service);
  next.sport = 40001;
  Converses(Place::kPod1, next, {Place::kPod3, cast().pod1, cast().pod3});
}

TEST_P(ServiceCluster, PodsReachPodsOfAnotherNode) {
  Serve(Web({RemoteEndpoint()}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kOutside, cast().pod1, names().remote_pod});
}

TEST_P(ServiceCluster, UdpAndSctpAreServedAlike) {
  Serve(Web({EndpointIn(Place::kPod2)}, NX_L4_UDP));
  Converses(Place::kPod1, UdpCall(cast().pod1, cast().service),
            {Place::kPod2, cast().pod1, cast().pod2});
  Serve(Web({EndpointIn(Place::kPod2, kServicePort)}, NX_L4_SCTP));
  Converses(Place::kPod1, SctpCall(cast().pod1, cast().service),
            {Place::kPod2, cast().pod1, cast().pod2});
}

// SCTP's ports are under a CRC of the whole packet: natrix rather drops it than lets it go wrong.
TEST_P(ServiceCluster, SctpIsNotGivenAnotherPort) {
  Serve(Web({EndpointIn(Place::kPod2)}, NX_L4_SCTP));
  exchange_.Send(Place::kPod1, SctpCall(cast().pod1, cast().service));
  EXPECT_TRUE(LeftShows(exchange_, Arrival{Place::kPod2, cast().pod1, cast().pod2}));
  EXPECT_TRUE(RightShows(exchange_, std::nullopt));
}

TEST_P(ServiceCluster, EveryPortHasItsOwnEndpointsAndPort) {
  model::Service service = Web({EndpointIn(Place::kPod2)});
  service.ports[0].name = "http";
  service.ports.push_back({.name = "dns", .protocol = NX_L4_UDP, .port = kServicePort});
  service.ports.push_back({.name = "metrics", .protocol = NX_L4_TCP, .port = 9090});
  service.endpoints.push_back({EndpointIn(Place::kPod3, 5353)});
  service.endpoints.push_back({EndpointIn(Place::kPod2, 9091)});
  Serve(service);
  const auto expect = [&](const PacketSpec& call, Place place, const std::string& pod,
                          std::uint16_t port) {
    exchange_.Send(Place::kPod1, call);
    ASSERT_TRUE(Arrives(exchange_, {place, cast().pod1, pod}));
    const Bytes& frame = exchange_.last().right[0].frame;
    EXPECT_EQ(Word(frame, support::Dissect(frame)->dport_at.value()), port);
  };
  expect(Call(cast().pod1, cast().service), Place::kPod2, cast().pod2, kEndpointPort);
  expect(UdpCall(cast().pod1, cast().service), Place::kPod3, cast().pod3, 5353);
  expect(Call(cast().pod1, cast().service, 9090), Place::kPod2, cast().pod2, 9091);
}

TEST_P(ServiceCluster, WhatNobodyServesIsRoutedAsItIs) {
  Serve(Everywhere({EndpointIn(Place::kPod2)}));
  for (const PacketSpec& call :
       {Call(cast().pod1, cast().service, 81), UdpCall(cast().pod1, cast().service),
        SctpCall(cast().pod1, cast().service), Echo(cast().pod1, cast().service),
        Call(cast().pod1, names().load_balancer, 81), Call(cast().pod1, names().external, 81)}) {
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, call.dst}));
  }
  // A NodePort is the node's, and a Service's port no NodePort.
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().service, kNodePort));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().service}));
  exchange_.Send(Place::kOutside, Call(cast().client, cast().pod3, kNodePort));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
}

TEST_P(ServiceCluster, OthersThanClusterCidrsAreMasqueraded) {
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(false, true);
  PacketSpec call = Call(cast().client, cast().service);
  call.sport = 40002;
  Converses(Place::kOutside, call, Masqueraded());
}

TEST_P(ServiceCluster, ThatCidrMayBeNarrowerThanThePods) {
  config_.kube_proxy.cluster_cidrs = {
      model::Prefix::Parse(CastOf(Family::kIpv4).pod3 + "/32").value(),
      model::Prefix::Parse(CastOf(Family::kIpv6).pod3 + "/128").value()};
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(true, true);
  exchange_.Send(Place::kPod3, Call(cast().pod3, cast().service));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().pod3, cast().pod2}));
}

TEST_P(ServiceCluster, WithoutDetectorNobodyIsMasqueraded) {
  config_.kube_proxy = {};
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(false, false);
}

TEST_P(ServiceCluster, DevicesDetectThoseBehindThem) {
  config_.kube_proxy = {.detect = DetectLocal::kBridgeInterface,
                        .cluster_cidrs = {},
                        .device = kPodDevice,
                        .node_port_addresses = {}};
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(false, true);
  // The device, and not the address.
  PacketSpec call = Call(cast().pod3, cast().service);
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded()));
  call.src = cast().web;
  exchange_.Send(Place::kPod3, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().web, cast().pod2}));
}

TEST_P(ServiceCluster, PrefixesOfDeviceNamesDo) {
  config_.kube_proxy = {.detect = DetectLocal::kInterfaceNamePrefix,
                        .cluster_cidrs = {},
                        .device = "ov",
                        .node_port_addresses = {}};
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(false, true);
  config_.kube_proxy.device = "eth";
  Serve(Web({EndpointIn(Place::kPod3)}));
  PacketSpec call = Call(cast().pod1, cast().service);
  call.sport = 40003;
  exchange_.Send(Place::kPod1, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  call.src = cast().client;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
}

TEST_P(ServiceCluster, MasqueradeAllIsOfAll) {
  config_.kube_proxy.masquerade_all = true;
  Serve(Web({EndpointIn(Place::kPod2)}));
  ExpectMasquerade(true, true);
  PacketSpec call = Call(cast().pod3, cast().service);
  Converses(Place::kPod3, call, Masqueraded());
}

TEST_P(ServiceCluster, MasqueradeToAnotherNodeHasTheUplinksAddress) {
  config_.kube_proxy.masquerade_all = true;
  Serve(Web({RemoteEndpoint()}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kOutside, cast().node, names().remote_pod, true});
}

// KUBE-SEP's first rule: else the answer would not come back by the node.
TEST_P(ServiceCluster, APodThatCallsItselfIsMasqueraded) {
  Serve(Web({EndpointIn(Place::kPod1)}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kPod1, cast().join, cast().pod1, true});
}

TEST_P(ServiceCluster, SoItIsWithoutDetector) {
  config_.kube_proxy = {};
  Serve(Web({EndpointIn(Place::kPod1)}, NX_L4_UDP));
  Converses(Place::kPod1, UdpCall(cast().pod1, cast().service),
            {Place::kPod1, cast().join, cast().pod1, true});
}

TEST_P(ServiceCluster, InternalLocalKeepsToThisNode) {
  model::Service service = Web({RemoteEndpoint(), EndpointIn(Place::kPod2), RemoteEndpoint(81)});
  service.internal_policy = model::TrafficPolicy::kLocal;
  Serve(service);
  for (std::uint16_t i = 0; i < 8; ++i) {
    PacketSpec call = Call(cast().pod1, cast().service);
    call.sport = static_cast<std::uint16_t>(41000 + i);
    exchange_.Send(Place::kPod1, call);
    ASSERT_TRUE(Arrives(exchange_, {Place::kPod2, cast().pod1, cast().pod2}));
  }
  PacketSpec call = Call(cast().client, cast().service);
  Converses(Place::kOutside, call, Masqueraded());
}

// The internal policy is not that of what is called from outside.
TEST_P(ServiceCluster, InternalLocalIsNotOfExternalIps) {
  model::Service service = Everywhere({RemoteEndpoint()});
  service.internal_policy = model::TrafficPolicy::kLocal;
  Serve(service);
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().service));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod1, Call(cast().pod1, names().external));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, names().remote_pod, true}));
}

TEST_P(ServiceCluster, OtherFirstSegmentsThanSyn) {
  Serve(Web({EndpointIn(Place::kPod2)}));
  std::uint16_t port = 42000;
  for (const std::uint8_t flags :
       {std::uint8_t{kAck}, std::uint8_t{kSyn | kAck}, std::uint8_t{support::kRst},
        std::uint8_t{support::kFin | kAck}, std::uint8_t{support::kPsh | kAck}}) {
    PacketSpec call = Call(cast().pod1, cast().service);
    call.sport = port++;
    call.tcp_flags = flags;
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Agree(exchange_));
    call.src = cast().client;
    exchange_.Send(Place::kOutside, call);
    EXPECT_TRUE(Agree(exchange_));
  }
}

// Rules look at the first packet only.
TEST_P(ServiceCluster, AConnectionKeepsItsEndpointWhenTheServiceChanges) {
  Serve(Web({EndpointIn(Place::kPod2)}));
  const PacketSpec call = Call(cast().pod1, cast().service);
  Converses(Place::kPod1, call, {Place::kPod2, cast().pod1, cast().pod2});
  Serve(Web({EndpointIn(Place::kPod3)}));
  PacketSpec data = call;
  data.tcp_flags = kAck;
  data.payload = 10;
  exchange_.Send(Place::kPod1, data);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().pod1, cast().pod2}));
  Serve(std::vector<model::Service>());
  exchange_.Send(Place::kPod1, data);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().pod1, cast().pod2}));
  PacketSpec another = call;
  another.sport = 40077;
  exchange_.Send(Place::kPod1, another);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().service}));
}

}  // namespace
}  // namespace natrix::oracle
