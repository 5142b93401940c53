// SPDX-License-Identifier: Apache-2.0
//
// Kube-OVN and kube-proxy on one node: kube-proxy gives the destination, and Kube-OVN's rules in
// POSTROUTING come first.
#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {
namespace {

using model::TrafficPolicy;
using support::kAck;

class ServiceKubeOvn : public ServiceOracle {
 protected:
  ServiceKubeOvn() {
    model::Config config = LoadConfig(ExamplePath());
    config.kube_proxy = config_.kube_proxy;
    config_ = config;
  }
};
ORACLE_FAMILIES(ServiceKubeOvn);

// P1: what pods call in the service CIDR is masqueraded, and R3: pods to pods.
TEST_P(ServiceKubeOvn, PodsAreMasqueradedToPods) {
  Serve(Web({EndpointIn(Place::kPod2)}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kPod2, cast().join, cast().pod2, true});
  Serve(Web({EndpointIn(Place::kPod3)}, NX_L4_UDP));
  Converses(Place::kPod1, UdpCall(cast().pod1, cast().service),
            {Place::kPod3, cast().join, cast().pod3, true});
}

TEST_P(ServiceKubeOvn, PodsAreMasqueradedToOtherNodes) {
  Serve(Web({RemoteEndpoint()}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kOutside, cast().node, names().remote_pod, true});
}

TEST_P(ServiceKubeOvn, ExternalIpsOfPodsOfASubnetWithNat) {
  model::Service service = Everywhere({RemoteEndpoint()});
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  // Not in the service CIDR: no mark, but R12 for ovn-default and none for no-nat.
  Converses(Place::kPod1, Call(cast().pod1, names().external),
            {Place::kOutside, cast().node, names().remote_pod, true});
  Converses(Place::kPod3, Call(cast().pod3, names().external),
            {Place::kOutside, cast().pod3, names().remote_pod});
}

TEST_P(ServiceKubeOvn, NodePortsOfBothPolicies) {
  model::Service service = Everywhere({EndpointIn(Place::kPod1)});
  Serve(service);
  PacketSpec call = Call(cast().client, cast().node, kNodePort);
  Converses(Place::kOutside, call, {Place::kPod1, cast().join, cast().pod1, true});
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  call.sport = 40001;
  Converses(Place::kOutside, call, {Place::kPod1, cast().client, cast().pod1});
  service.endpoints[0] = {EndpointIn(Place::kPod3)};
  Serve(service);
  call.sport = 40002;
  Converses(Place::kOutside, call, {Place::kPod3, cast().client, cast().pod3});
}

// Calico's chains come first: the floating IP wins over a Service on its address.
TEST_P(ServiceKubeOvn, AFloatingIpComesBeforeAService) {
  model::Service service = Web({EndpointIn(Place::kPod3)});
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    service.external_ips.push_back(model::Address::Parse(CastOf(each).floating).value());
  Serve(service);
  Converses(Place::kOutside, Call(cast().client, cast().floating),
            {Place::kPod1, cast().client, cast().pod1});
}

TEST_P(ServiceKubeOvn, AnUnservedExternalIpIsRefused) {
  Serve(Everywhere({}));
  EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, names().external)));
  EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, cast().node, kNodePort)));
}

// Kube-OVN's ACCEPT of its sets stands before KUBE-SERVICES' REJECT here, and behind it where
// kube-proxy began later: natrix refuses, as kube-proxy means it.
TEST_P(ServiceKubeOvn, WhatTheServiceCidrHasIsRefusedWithoutEndpoint) {
  Serve(Web({}));
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().service));
  EXPECT_TRUE(LeftShows(exchange_, Arrival{Place::kOutside, cast().node, cast().service, true}));
  EXPECT_TRUE(RightShows(exchange_, Arrival{Place::kPod1, cast().node, cast().pod1, true}));
}

// R6: a first segment without SYN is not masqueraded for natOutgoing; KUBE-SEP translates it.
TEST_P(ServiceKubeOvn, OtherFirstSegmentsThanSyn) {
  Serve(Everywhere({RemoteEndpoint()}));
  for (const std::string& address : {cast().service, names().external}) {
    PacketSpec call = Call(cast().pod1, address);
    call.tcp_flags = kAck;
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Agree(exchange_));
  }
}

// P1's mark is set again until a packet has passed POSTROUTING; no other rule is for this pod.
TEST_P(ServiceKubeOvn, AFirstPacketThatDiesOnItsWayTakesNoMarkAlong) {
  Serve(Web({RemoteEndpoint()}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().pod3, cast().service);
  call.ttl = 1;
  exchange_.Send(Place::kPod3, call);
  EXPECT_TRUE(Agree(exchange_)) << "time exceeded";
  call.ttl = 64;
  Converses(Place::kPod3, call, {Place::kOutside, cast().node, names().remote_pod, true});
}

}  // namespace
}  // namespace natrix::oracle
