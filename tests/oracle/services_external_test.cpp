// SPDX-License-Identifier: Apache-2.0
//
// What is called from outside the cluster: external IPs, load balancers' addresses and NodePorts,
// KUBE-EXT and KUBE-FW.
#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {
namespace {

using model::TrafficPolicy;

model::Address AddressOf(const std::string& text) { return model::Address::Parse(text).value(); }

class ServiceExternal : public ServiceOracle {
 protected:
  struct Called {
    std::string address;
    std::uint16_t port;
  };
  // All that Everywhere() is called at from outside.
  std::vector<Called> AllCalled() const {
    return {{names().external, kServicePort},
            {names().load_balancer, kServicePort},
            {cast().node, kNodePort},
            {cast().node_second, kNodePort}};
  }
  PacketSpec Next(PacketSpec spec) {
    spec.sport = next_port_++;
    return spec;
  }
  model::Service Local(std::vector<model::ServiceEndpoint> endpoints,
                       nx_l4 protocol = NX_L4_TCP) const {
    model::Service service = Everywhere(std::move(endpoints), protocol);
    service.external_policy = TrafficPolicy::kLocal;
    return service;
  }

  std::uint16_t next_port_ = 43000;
};
ORACLE_FAMILIES(ServiceExternal);

TEST_P(ServiceExternal, ClusterPolicyMasquerades) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  for (const Called& called : AllCalled())
    Converses(Place::kOutside, Next(Call(cast().client, called.address, called.port)),
              {Place::kPod1, cast().join, cast().pod1, true});
}

TEST_P(ServiceExternal, ClusterPolicyMasqueradesUdpAndSctp) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}, NX_L4_UDP));
  for (const Called& called : AllCalled())
    Converses(Place::kOutside, Next(UdpCall(cast().client, called.address, called.port)),
              {Place::kPod1, cast().join, cast().pod1, true});
}

// natrix keeps SCTP's source port where the kernel chooses one.
TEST_P(ServiceExternal, SctpReachesANodePortToo) {
  Serve(Everywhere({EndpointIn(Place::kPod1, kNodePort)}, NX_L4_SCTP));
  exchange_.Send(Place::kOutside, SctpCall(cast().client, cast().node, kNodePort));
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
  EXPECT_EQ(exchange_.last().left[0].place, Place::kPod1);
}

TEST_P(ServiceExternal, ClusterPolicyMasqueradesToAnotherNode) {
  Serve(Everywhere({RemoteEndpoint()}));
  for (const Called& called : AllCalled())
    Converses(Place::kOutside, Next(Call(cast().client, called.address, called.port)),
              {Place::kOutside, cast().node, names().remote_pod, true});
}

TEST_P(ServiceExternal, ClusterPolicyMasqueradesPodsToo) {
  Serve(Everywhere({EndpointIn(Place::kPod2)}));
  for (const Called& called : AllCalled())
    Converses(Place::kPod1, Next(Call(cast().pod1, called.address, called.port)),
              {Place::kPod2, cast().join, cast().pod2, true});
}

TEST_P(ServiceExternal, LocalPolicyKeepsTheClient) {
  Serve(Local({RemoteEndpoint(), EndpointIn(Place::kPod1), RemoteEndpoint(81)}));
  for (const Called& called : AllCalled())
    for (int i = 0; i < 3; ++i)
      Converses(Place::kOutside, Next(Call(cast().client, called.address, called.port)),
                {Place::kPod1, cast().client, cast().pod1});
}

TEST_P(ServiceExternal, LocalPolicyKeepsTheClientOfUdp) {
  Serve(Local({RemoteEndpoint(), EndpointIn(Place::kPod1)}, NX_L4_UDP));
  for (const Called& called : AllCalled())
    Converses(Place::kOutside, Next(UdpCall(cast().client, called.address, called.port)),
              {Place::kPod1, cast().client, cast().pod1});
}

// "pod traffic for ... external destinations": as if the packet had gone out to the load balancer
// and come to a node with an endpoint.
TEST_P(ServiceExternal, LocalPolicyLetsPodsHaveAnyEndpoint) {
  Serve(Local({RemoteEndpoint()}));
  for (const Called& called : AllCalled())
    Converses(Place::kPod1, Next(Call(cast().pod1, called.address, called.port)),
              {Place::kOutside, cast().pod1, names().remote_pod});
  Serve(Local({EndpointIn(Place::kPod2)}));
  for (const Called& called : AllCalled())
    Converses(Place::kPod1, Next(Call(cast().pod1, called.address, called.port)),
              {Place::kPod2, cast().pod1, cast().pod2});
}

TEST_P(ServiceExternal, LocalPolicyWithoutDetectorKnowsNoPods) {
  config_.kube_proxy = {};
  Serve(Local({RemoteEndpoint(), EndpointIn(Place::kPod2)}));
  for (const Called& called : AllCalled())
    for (int i = 0; i < 3; ++i)
      Converses(Place::kPod1, Next(Call(cast().pod1, called.address, called.port)),
                {Place::kPod2, cast().pod1, cast().pod2});
}

TEST_P(ServiceExternal, LocalPolicyWithADeviceAsDetector) {
  config_.kube_proxy = {.detect = model::DetectLocal::kBridgeInterface,
                        .cluster_cidrs = {},
                        .device = kPodDevice,
                        .node_port_addresses = {}};
  Serve(Local({RemoteEndpoint()}));
  Converses(Place::kPod3, Next(Call(cast().pod3, names().external)),
            {Place::kOutside, cast().pod3, names().remote_pod});
  exchange_.Send(Place::kOutside, Next(Call(cast().pod3, names().external)));
  EXPECT_TRUE(Vanishes(exchange_));
}

// "masquerade LOCAL traffic", "route LOCAL traffic".
TEST_P(ServiceExternal, LocalPolicyMasqueradesTheNodesOwnAddresses) {
  Serve(Local({RemoteEndpoint()}));
  for (const Called& called : AllCalled()) {
    if (called.address == cast().node_second) continue;
    exchange_.Send(Place::kPod1, Next(Call(cast().node_second, called.address, called.port)));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, names().remote_pod, true}));
  }
}

TEST_P(ServiceExternal, APodThatCallsItselfFromOutsideIsMasqueraded) {
  Serve(Local({EndpointIn(Place::kPod1)}));
  for (const Called& called : AllCalled())
    Converses(Place::kPod1, Next(Call(cast().pod1, called.address, called.port)),
              {Place::kPod1, cast().join, cast().pod1, true});
}

// Calling the ClusterIP of a Service with Local policy is nobody's concern here.
TEST_P(ServiceExternal, TheExternalPolicyIsNotTheClusterIps) {
  Serve(Local({RemoteEndpoint()}));
  Converses(Place::kPod1, Call(cast().pod1, cast().service),
            {Place::kOutside, cast().pod1, names().remote_pod});
}

TEST_P(ServiceExternal, NodePortsAreOnAllAddressesOfTheNode) {
  Serve(Local({EndpointIn(Place::kPod1)}));
  for (const std::string& address : {cast().node, cast().node_second, cast().join}) {
    Converses(Place::kOutside, Next(Call(cast().client, address, kNodePort)),
              {Place::kPod1, cast().client, cast().pod1});
    Converses(Place::kPod3, Next(Call(cast().pod3, address, kNodePort)),
              {Place::kPod1, cast().pod3, cast().pod1});
  }
  exchange_.Send(Place::kPod3, Next(Call(cast().pod3, cast().other_node, kNodePort)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().other_node}));
}

TEST_P(ServiceExternal, OrOnThoseThatAreChosen) {
  config_.kube_proxy.node_port_addresses = {model::Prefix::Parse("172.18.0.0/27").value(),
                                            model::Prefix::Parse("fd00:172:18::/124").value()};
  Serve(Local({EndpointIn(Place::kPod1)}));
  Converses(Place::kOutside, Next(Call(cast().client, cast().node, kNodePort)),
            {Place::kPod1, cast().client, cast().pod1});
  for (const std::string& address : {cast().node_second, cast().join}) {
    exchange_.Send(Place::kOutside, Next(UdpCall(cast().client, address, kNodePort)));
    EXPECT_TRUE(Agree(exchange_));
    exchange_.Send(Place::kOutside, Next(Call(cast().client, address, kNodePort)));
    EXPECT_TRUE(Agree(exchange_));
  }
}

TEST_P(ServiceExternal, AFamilyThatNoneIsChosenForHasAll) {
  config_.kube_proxy.node_port_addresses = {
      model::Prefix::Parse(family() == Family::kIpv4 ? "fd00:172:18::/124" : "172.18.0.0/27")
          .value()};
  Serve(Local({EndpointIn(Place::kPod1)}));
  for (const std::string& address : {cast().node, cast().node_second})
    Converses(Place::kOutside, Next(Call(cast().client, address, kNodePort)),
              {Place::kPod1, cast().client, cast().pod1});
}

// The ClusterIP's and other rules come before the NodePorts'.
TEST_P(ServiceExternal, AServiceOnTheNodesAddressComesBeforeANodePort) {
  model::Service port = Everywhere({EndpointIn(Place::kPod1)});
  port.load_balancer_ips.clear();
  port.external_ips.clear();
  model::Service balanced = Web({EndpointIn(Place::kPod3)});
  balanced.name = "balanced";
  balanced.cluster_ips = {AddressOf("10.96.0.11"), AddressOf("fd00:10:96::b")};
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    balanced.external_ips.push_back(AddressOf(CastOf(each).node));
  balanced.ports[0].port = kNodePort;
  Serve({port, balanced});
  Converses(Place::kOutside, Next(Call(cast().client, cast().node, kNodePort)),
            {Place::kPod3, cast().join, cast().pod3, true});
  Converses(Place::kOutside, Next(Call(cast().client, cast().node_second, kNodePort)),
            {Place::kPod1, cast().join, cast().pod1, true});
}

class SourceRanges : public ServiceExternal {
 protected:
  // Everywhere() with ranges of both families: 198.51.100.0/24 is the client's.
  model::Service Guarded(const std::vector<std::string>& ranges) const {
    model::Service service = Local({EndpointIn(Place::kPod1)});
    for (const std::string& range : ranges)
      service.load_balancer_source_ranges.push_back(model::Prefix::Parse(range).value());
    return service;
  }
  void Admits(const std::string& client) {
    exchange_.Send(Place::kOutside, Next(Call(client, names().load_balancer)));
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, client, cast().pod1}));
  }
  void Refuses(const std::string& client) {
    exchange_.Send(Place::kOutside, Next(Call(client, names().load_balancer)));
    EXPECT_TRUE(Vanishes(exchange_));
  }
};
ORACLE_FAMILIES(SourceRanges);

TEST_P(SourceRanges, AdmitThoseInOneOfThem) {
  Serve(Guarded({"198.51.100.0/24", "8.8.8.8/32", "2001:db8:100::/48", "2001:db8:8::8/128"}));
  Admits(cast().client);
  Admits(cast().web);
  Refuses(cast().web2);
  // Not the cluster's own either.
  exchange_.Send(Place::kPod3, Next(Call(cast().pod3, names().load_balancer)));
  EXPECT_TRUE(Vanishes(exchange_));
  // Other ports and protocols are not guarded.
  exchange_.Send(Place::kPod3, Next(Call(cast().pod3, names().load_balancer, 81)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, names().load_balancer}));
  exchange_.Send(Place::kPod3, Next(UdpCall(cast().pod3, names().load_balancer)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, names().load_balancer}));
}

TEST_P(SourceRanges, AreOfLoadBalancersOnly) {
  Serve(Guarded({"198.51.100.0/24", "2001:db8:100::/48"}));
  for (const Called& called : AllCalled()) {
    if (called.address == names().load_balancer) continue;
    exchange_.Send(Place::kOutside, Next(Call(cast().web2, called.address, called.port)));
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web2, cast().pod1}));
  }
  exchange_.Send(Place::kPod3, Next(Call(cast().pod3, cast().service)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
}

TEST_P(SourceRanges, WithTheClusterPolicyMasqueradeWhomTheyAdmit) {
  model::Service service = Guarded({"198.51.100.0/24", "2001:db8:100::/48"});
  service.external_policy = TrafficPolicy::kCluster;
  Serve(service);
  Converses(Place::kOutside, Next(Call(cast().client, names().load_balancer)),
            {Place::kPod1, cast().join, cast().pod1, true});
  Refuses(cast().web2);
}

TEST_P(SourceRanges, WithTheNodesAddressAdmitTheLoadBalancersOwn) {
  Serve(Guarded({"172.18.0.0/24", "fd00:172:18::/64"}));
  Admits(names().load_balancer);
  Refuses(cast().client);
  Serve(Guarded({"198.51.100.0/24", "2001:db8:100::/48"}));
  Refuses(names().load_balancer);
}

TEST_P(SourceRanges, OfEverybodyAdmitAll) {
  Serve(Guarded({"0.0.0.0/0", "::/0"}));
  Admits(cast().client);
  Admits(cast().web2);
}

// kube-proxy gives each family the ranges of its own, and no range admits everybody.
TEST_P(SourceRanges, OfTheOtherFamilyDoNotGuard) {
  Serve(Guarded({family() == Family::kIpv4 ? "2001:db8:100::/48" : "198.51.100.0/24"}));
  Admits(cast().client);
  Admits(cast().web2);
}

TEST_P(SourceRanges, SpeakToTheFirstPacketOnly) {
  Serve(Guarded({"198.51.100.0/24", "2001:db8:100::/48"}));
  const PacketSpec call = Next(Call(cast().client, names().load_balancer));
  Converses(Place::kOutside, call, {Place::kPod1, cast().client, cast().pod1});
  Serve(Guarded({"8.8.8.8/32", "2001:db8:8::8/128"}));
  PacketSpec data = call;
  data.tcp_flags = support::kAck;
  exchange_.Send(Place::kOutside, data);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  Refuses(cast().client);
}

}  // namespace
}  // namespace natrix::oracle
