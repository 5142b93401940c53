// SPDX-License-Identifier: Apache-2.0
//
// Services that nobody, or nobody on this node, serves: REJECT and DROP in KUBE-SERVICES and
// KUBE-EXTERNAL-SERVICES.
#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using model::TrafficPolicy;

class ServiceUnserved : public ServiceOracle {
 protected:
  struct Caller {
    Place place;
    std::string address;
  };
  std::vector<Caller> Callers() const {
    return {{Place::kPod1, cast().pod1}, {Place::kOutside, cast().client}};
  }
  PacketSpec To(nx_l4 protocol, const Caller& caller, const std::string& address,
                std::uint16_t port) {
    PacketSpec spec = protocol == NX_L4_TCP   ? Call(caller.address, address, port)
                      : protocol == NX_L4_UDP ? UdpCall(caller.address, address, port)
                                              : SctpCall(caller.address, address, port);
    spec.sport = next_port_++;
    return spec;
  }
  void ExpectAllRefused(nx_l4 protocol) {
    for (const Caller& caller : Callers()) {
      for (const std::string& address : {cast().service, names().external, names().load_balancer})
        EXPECT_TRUE(IsRefused(caller.place, To(protocol, caller, address, kServicePort)));
      for (const std::string& address : {cast().node, cast().node_second})
        EXPECT_TRUE(IsRefused(caller.place, To(protocol, caller, address, kNodePort)));
    }
  }

  std::uint16_t next_port_ = 44000;
};
ORACLE_FAMILIES(ServiceUnserved);

TEST_P(ServiceUnserved, WithoutEndpointsAllIsRefused) {
  for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP}) {
    Serve(Everywhere({}, protocol));
    ExpectAllRefused(protocol);
  }
}

// KUBE-EXTERNAL-SERVICES asks for any address of the node, whatever nodePortAddresses says.
TEST_P(ServiceUnserved, NodePortsAreRefusedOnAllAddresses) {
  config_.kube_proxy.node_port_addresses = {model::Prefix::Parse("172.18.0.0/27").value(),
                                            model::Prefix::Parse("fd00:172:18::/124").value()};
  Serve(Everywhere({}));
  for (const std::string& address : {cast().node, cast().node_second, cast().join})
    EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, address, kNodePort)));
  model::Service service = Everywhere({RemoteEndpoint()});
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  for (const std::string& address : {cast().node, cast().node_second, cast().join}) {
    exchange_.Send(Place::kOutside, Call(cast().client, address, kNodePort));
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

TEST_P(ServiceUnserved, SoItIsWhateverThePolicies) {
  model::Service service = Everywhere({NotReady(EndpointIn(Place::kPod1))});
  service.external_policy = service.internal_policy = TrafficPolicy::kLocal;
  Serve(service);
  ExpectAllRefused(NX_L4_TCP);
}

TEST_P(ServiceUnserved, EndpointsOfTheOtherFamilyDoNotServe) {
  model::ServiceEndpoint endpoint = EndpointIn(Place::kPod1);
  std::erase_if(endpoint.addresses,
                [&](const model::Address& address) { return address.family() == family(); });
  Serve(Everywhere({endpoint}));
  ExpectAllRefused(NX_L4_TCP);
}

TEST_P(ServiceUnserved, RefusedIsEveryTry) {
  Serve(Web({}));
  const PacketSpec call = Call(cast().pod1, cast().service);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsRefused(Place::kPod1, call));
  PacketSpec query = UdpCall(cast().pod1, cast().service);
  exchange_.Send(Place::kPod1, query);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().service}))
      << "nobody calls this one a Service";
}

TEST_P(ServiceUnserved, RefusedWithDataAndWithOptions) {
  Serve(Web({}, NX_L4_UDP));
  PacketSpec query = UdpCall(cast().pod1, cast().service);
  query.payload = 1200;
  EXPECT_TRUE(IsRefused(Place::kPod1, query));
  // To a recorded route over IPv4 the kernel sends no error.
  if (family() == Family::kIpv4) return;
  query.options = true;
  query.sport = 40001;
  exchange_.Send(Place::kPod1, query);
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
  EXPECT_TRUE(RightShows(exchange_, std::nullopt)) << "natrix drops it without a word: README";
}

// Not NEW: an answer, a reset.
TEST_P(ServiceUnserved, OtherSegmentsThanSyn) {
  Serve(Web({}));
  PacketSpec call = Call(cast().pod1, cast().service);
  for (const std::uint8_t flags :
       {std::uint8_t{support::kSyn | support::kAck}, std::uint8_t{support::kRst},
        std::uint8_t{support::kFin | support::kAck}}) {
    call.tcp_flags = flags;
    ++call.sport;
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Agree(exchange_));
  }
  call.tcp_flags = support::kAck;
  ++call.sport;
  EXPECT_TRUE(IsRefused(Place::kPod1, call));
}

TEST_P(ServiceUnserved, ServedElsewhereIsDroppedByLocalPolicy) {
  for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP}) {
    model::Service service = Everywhere({RemoteEndpoint()}, protocol);
    service.external_policy = TrafficPolicy::kLocal;
    Serve(service);
    const Caller client{Place::kOutside, cast().client};
    for (const std::string& address : {names().external, names().load_balancer}) {
      exchange_.Send(Place::kOutside, To(protocol, client, address, kServicePort));
      EXPECT_TRUE(Vanishes(exchange_));
    }
    exchange_.Send(Place::kOutside, To(protocol, client, cast().node, kNodePort));
    EXPECT_TRUE(Vanishes(exchange_));
    // The cluster's own have any endpoint, and so has the ClusterIP.
    const Caller pod{Place::kPod1, cast().pod1};
    exchange_.Send(Place::kPod1, To(protocol, pod, names().load_balancer, kServicePort));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, names().remote_pod}));
    exchange_.Send(Place::kOutside, To(protocol, client, cast().service, kServicePort));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, names().remote_pod, true}));
  }
}

TEST_P(ServiceUnserved, InternalLocalServedElsewhereIsDropped) {
  model::Service service = Everywhere({RemoteEndpoint()});
  service.internal_policy = TrafficPolicy::kLocal;
  Serve(service);
  for (const Caller& caller : Callers()) {
    exchange_.Send(caller.place, To(NX_L4_TCP, caller, cast().service, kServicePort));
    EXPECT_TRUE(Vanishes(exchange_));
    exchange_.Send(caller.place, To(NX_L4_TCP, caller, names().external, kServicePort));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, names().remote_pod, true}));
  }
}

// With ClusterIP only and Internal Local, what is not ready and leaves elsewhere counts as serving.
TEST_P(ServiceUnserved, ElsewhereMayBeLeaving) {
  model::Service service = Web({Leaving(RemoteEndpoint())});
  service.internal_policy = TrafficPolicy::kLocal;
  Serve(service);
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().service));
  EXPECT_TRUE(Vanishes(exchange_));
}

TEST_P(ServiceUnserved, RangesDoNotMatterWithoutEndpoints) {
  model::Service service = Everywhere({});
  service.load_balancer_source_ranges = {model::Prefix::Parse("8.8.8.8/32").value(),
                                         model::Prefix::Parse("2001:db8:8::8/128").value()};
  Serve(service);
  EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, names().load_balancer)));
}

// Outside of the ranges comes before no local endpoint; the packet is lost either way.
TEST_P(ServiceUnserved, RangesWithoutLocalEndpoint) {
  model::Service service = Everywhere({RemoteEndpoint()});
  service.external_policy = TrafficPolicy::kLocal;
  service.load_balancer_source_ranges = {model::Prefix::Parse("8.8.8.8/32").value(),
                                         model::Prefix::Parse("2001:db8:8::8/128").value()};
  Serve(service);
  exchange_.Send(Place::kOutside, Call(cast().client, names().load_balancer));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kOutside, Call(cast().web, names().load_balancer));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod1, Call(cast().pod1, names().load_balancer));
  EXPECT_TRUE(Vanishes(exchange_));
}

TEST_P(ServiceUnserved, ServedAgainItIsServed) {
  Serve(Web({}));
  const PacketSpec call = Call(cast().pod1, cast().service);
  EXPECT_TRUE(IsRefused(Place::kPod1, call));
  Serve(Web({EndpointIn(Place::kPod2)}));
  Converses(Place::kPod1, call, {Place::kPod2, cast().pod1, cast().pod2});
}

// A port that only accepts health checks is the node's own.
// CVE-2020-8558: kube-proxy has set route_localnet for NodePorts at 127.0.0.1, and KUBE-FIREWALL
// keeps the wire away from what listens there.  At ::1 the kernel does.
TEST_P(ServiceUnserved, TheWireDoesNotReachLocalhost) {
  for (Side* side : {&nodes_.left(), &nodes_.right()})
    support::Sysctl(side->scene.node(), "net/ipv4/conf/all/route_localnet", "1");
  const bool v4 = family() == Family::kIpv4;
  const std::string localhost = v4 ? "127.0.0.1" : "::1";
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  for (const Caller& caller : Callers())
    for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP}) {
      exchange_.Send(caller.place, To(protocol, caller, localhost, 10249));
      EXPECT_TRUE(Vanishes(exchange_));
    }
  PacketSpec middle = To(NX_L4_TCP, Callers()[1], localhost, 10249);
  middle.tcp_flags = support::kRst;
  exchange_.Send(Place::kOutside, middle);
  EXPECT_TRUE(Vanishes(exchange_));

  // Without such NodePorts it has no such rule.
  config_.kube_proxy.localhost_node_ports = false;
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  exchange_.Send(Place::kOutside, To(NX_L4_TCP, Callers()[1], localhost, 10249));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), v4 ? 1U : 0U) << exchange_.transcript();
}

TEST_P(ServiceUnserved, HealthCheckPortsAreTheNodes) {
  model::Service service = Everywhere({EndpointIn(Place::kPod1)});
  service.external_policy = TrafficPolicy::kLocal;
  service.health_check_node_port = 32100;
  Serve(service);
  exchange_.Send(Place::kOutside, Call(cast().client, cast().node, 32100));
  EXPECT_TRUE(Agree(exchange_)) << "the node answers, nobody listens";
}

}  // namespace
}  // namespace natrix::oracle
