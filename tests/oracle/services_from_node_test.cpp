// SPDX-License-Identifier: Apache-2.0
//
// Processes of the node itself that call Services: kube-proxy's rules in OUTPUT on the left,
// natrix' hooks of sockets on the right.  What differs on purpose is docs/adr/0011.
#include <future>
#include <set>

#include "tests/oracle/node_calls.h"
#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"
#include "tests/support/own_cgroup.h"

namespace natrix::oracle {
namespace {

using model::Prefix;
using model::Service;
using model::ServiceEndpoint;
using model::TrafficPolicy;
using netns::Point;
using What = CallOutcome::What;

class ServicesFromTheNode : public testing::TestWithParam<Family> {
 protected:
  ServicesFromTheNode() {
    for (CallingNode* node : {&left_, &right_}) {
      const Scene& scene = node->scene();
      const char* host = v4() ? "/32" : "/128";
      for (const std::string& address :
           {names().external, names().load_balancer, names().remote_pod})
        support::Ip(scene.at(Place::kOutside), "route add local " + address + host + " dev lo\n");
      node->Serve(scene.at(Place::kPod1), {cast().pod1, kEndpointPort});
      node->Serve(scene.at(Place::kPod2), {cast().pod2, kEndpointPort});
      node->Serve(scene.at(Place::kOutside), {names().remote_pod, kEndpointPort});
      // Whoever has these addresses when they are nobody's Service.
      for (const std::string& address : {cast().service, names().external, names().load_balancer})
        node->Serve(scene.at(Place::kOutside), {address, kServicePort});
      for (const std::string& address : {cast().node, cast().node_second, cast().join, localhost()})
        node->Serve(scene.node(), {address, kNodePort});
    }
  }

  Family family() const { return GetParam(); }
  bool v4() const { return family() == Family::kIpv4; }
  const Cast& cast() const { return CastOf(family()); }
  const ServiceCast& names() const { return ServiceCastOf(family()); }
  std::string localhost() const { return v4() ? "127.0.0.1" : "::1"; }
  Point ClusterIp() const { return {cast().service, kServicePort}; }
  Point External() const { return {names().external, kServicePort}; }
  Point Balancer() const { return {names().load_balancer, kServicePort}; }
  Point NodePortAt(const std::string& address) const { return {address, kNodePort}; }
  std::vector<Point> NodePorts() const {
    return {NodePortAt(cast().node), NodePortAt(cast().node_second), NodePortAt(cast().join)};
  }
  // All that is called from outside.
  std::vector<Point> Externals() const {
    std::vector<Point> all = NodePorts();
    all.push_back(External());
    all.push_back(Balancer());
    return all;
  }
  std::string Pod1() const { return ToString(Point{cast().pod1, kEndpointPort}); }
  std::string Remote() const { return ToString(Point{names().remote_pod, kEndpointPort}); }

  // Everywhere(), of TCP and UDP.
  Service Both(const std::vector<ServiceEndpoint>& endpoints) const {
    Service service = EverywhereOf(endpoints);
    service.ports.push_back(service.ports[0]);
    service.ports[0].name = "tcp";
    service.ports[1].name = "udp";
    service.ports[1].protocol = NX_L4_UDP;
    service.endpoints.push_back(endpoints);
    return service;
  }
  void Offer(const Service& service) {
    config_.services.clear();
    config_.services.emplace_back(service);
    left_.Apply(config_);
    right_.Apply(config_);
  }

  // Both are served by the same, that sees these sources.
  void Served(const Point& to, const std::string& server, const std::string& left_source,
              const std::string& right_source) {
    for (const CallKind kind : kCallKinds) {
      SCOPED_TRACE(std::string(NameOf(kind)) + " to " + ToString(to));
      CallOutcome expected{
          .what = What::kAnswered, .server = server, .source = left_source, .peer = ToString(to)};
      EXPECT_EQ(left_.Call(kind, to, expected.what), expected) << "kube-proxy";
      expected.source = right_source;
      EXPECT_EQ(right_.Call(kind, to, expected.what), expected) << "natrix";
    }
  }
  void Served(const Point& to, const std::string& server, const std::string& source) {
    Served(to, server, source, source);
  }
  // Whoever has the address.
  void Untouched(const Point& to, const std::string& source) { Served(to, ToString(to), source); }
  void Dropped(const Point& to) {
    for (const CallKind kind : kCallKinds) {
      SCOPED_TRACE(std::string(NameOf(kind)) + " to " + ToString(to));
      for (CallingNode* node : {&left_, &right_}) {
        const CallOutcome outcome = node->Call(kind, to, What::kDropped);
        EXPECT_EQ(outcome.what, What::kDropped) << WhoIs(*node) << outcome;
      }
    }
  }
  // All of them; of kube-proxy at the same time, since it takes a second.
  void Refused(const std::vector<Point>& points) {
    std::vector<std::future<CallOutcome>> left;
    for (const Point& to : points)
      left.push_back(std::async(std::launch::async, [this, to] {
        return left_.Call(CallKind::kTcp, to, What::kRefused);
      }));
    for (std::size_t i = 0; i < points.size(); ++i) {
      SCOPED_TRACE(ToString(points[i]));
      for (const CallKind kind : {CallKind::kTcp, CallKind::kConnectedUdp, CallKind::kUdp}) {
        const CallOutcome right = right_.Call(kind, points[i], What::kRefused);
        EXPECT_EQ(right.what, What::kRefused) << "natrix, " << NameOf(kind) << ": " << right;
      }
      const CallOutcome tcp = left[i].get();
      EXPECT_EQ(tcp.what, What::kRefused) << "kube-proxy, TCP: " << tcp;
      const CallOutcome udp = left_.Call(CallKind::kConnectedUdp, points[i], What::kRefused);
      EXPECT_EQ(udp.what, What::kRefused) << "kube-proxy, connected UDP: " << udp;
      // On purpose: the kernel tells a socket without a peer of no error (or of EPERM).
      const CallOutcome lost = left_.Call(CallKind::kUdp, points[i], What::kDropped);
      EXPECT_EQ(lost.what, What::kDropped) << "kube-proxy, UDP: " << lost;
    }
  }
  const char* WhoIs(const CallingNode& node) const {
    return &node == &left_ ? "kube-proxy: " : "natrix: ";
  }

  support::OwnCgroup cgroup_;
  CallingNode left_{JudgeKind(), GetParam()};
  CallingNode right_{EngineKind::kNatrix, GetParam()};
  model::Config config_ = ServiceConfig();
};
ORACLE_FAMILIES(ServicesFromTheNode);

// On purpose: kube-proxy masquerades with the address of the device towards the endpoint, natrix
// has the kernel choose a source for the way there.
TEST_P(ServicesFromTheNode, ReachEndpointsOnTheNode) {
  Offer(Both({EndpointIn(Place::kPod1)}));
  Served(ClusterIp(), Pod1(), cast().join, cast().node);
  for (const Point& to : Externals()) Served(to, Pod1(), cast().join, cast().node);
  if (v4())
    Served(NodePortAt(localhost()), Pod1(), cast().join, cast().node);
  else
    Untouched(NodePortAt(localhost()), localhost());

  // Nobody is masqueraded for a ClusterIP then.
  config_.kube_proxy.detect = model::DetectLocal::kNone;
  config_.kube_proxy.cluster_cidrs.clear();
  Offer(Both({EndpointIn(Place::kPod1)}));
  Served(ClusterIp(), Pod1(), cast().node);
}

TEST_P(ServicesFromTheNode, ReachEndpointsElsewhere) {
  Service service = Both({RemoteEndpoint()});
  Offer(service);
  Served(ClusterIp(), Remote(), cast().node);
  for (const Point& to : Externals()) Served(to, Remote(), cast().node);
  if (v4()) Served(NodePortAt(localhost()), Remote(), cast().node);

  // "route LOCAL traffic": whatever the policy for what comes from outside.
  service.external_policy = TrafficPolicy::kLocal;
  Offer(service);
  Served(ClusterIp(), Remote(), cast().node);
  for (const Point& to : Externals()) Served(to, Remote(), cast().node);
}

TEST_P(ServicesFromTheNode, AreDroppedByTheInternalPolicy) {
  Service service = Both({RemoteEndpoint()});
  service.internal_policy = TrafficPolicy::kLocal;
  Offer(service);
  Dropped(ClusterIp());
  Served(External(), Remote(), cast().node);
  service.endpoints.assign(2, {RemoteEndpoint(), EndpointIn(Place::kPod1)});
  Offer(service);
  Served(ClusterIp(), Pod1(), cast().join, cast().node);
}

TEST_P(ServicesFromTheNode, AreGuardedByTheSourceRanges) {
  Service service = Both({RemoteEndpoint()});
  const auto guard = [&](const char* four, const char* six) {
    service.load_balancer_source_ranges = {Prefix::Parse(four).value(), Prefix::Parse(six).value()};
    Offer(service);
  };
  guard("172.18.0.0/24", "fd00:172:18::/64");
  Served(Balancer(), Remote(), cast().node);
  guard("203.0.113.0/24", "2001:db8:113::/64");
  Dropped(Balancer());
  Served(External(), Remote(), cast().node);
  Served(NodePortAt(cast().node), Remote(), cast().node);
}

// KUBE-SERVICES is asked in OUTPUT, KUBE-EXTERNAL-SERVICES in INPUT only.
TEST_P(ServicesFromTheNode, WithoutEndpointsAreRefusedWhereKubeProxyIsAsked) {
  Offer(Both({}));
  std::vector<Point> refused = NodePorts();
  refused.push_back(ClusterIp());
  refused.push_back(NodePortAt(localhost()));
  Refused(refused);
  Untouched(External(), cast().node);
  Untouched(Balancer(), cast().node);

  // At localhost too, where nobody else would be served.
  config_.kube_proxy.localhost_node_ports = false;
  Offer(Both({}));
  Refused({NodePortAt(localhost())});
}

TEST_P(ServicesFromTheNode, FindNodePortsAtTheAddressesThatAreChosen) {
  config_.kube_proxy.node_port_addresses = {Prefix::Parse("172.18.0.0/27").value(),
                                            Prefix::Parse("fd00:172:18::/124").value()};
  Service service = Both({RemoteEndpoint()});
  Offer(service);
  Served(NodePortAt(cast().node), Remote(), cast().node);
  for (const std::string& address : {cast().join, localhost()})
    Untouched(NodePortAt(address), address);
  Untouched(NodePortAt(cast().node_second), v4() ? cast().node : cast().node_second);

  // Nobody here has one: dropped where it is no NodePort.
  service.external_policy = TrafficPolicy::kLocal;
  Offer(service);
  Served(NodePortAt(cast().node), Remote(), cast().node);
  for (const std::string& address : {cast().node_second, cast().join, localhost()})
    Dropped(NodePortAt(address));

  config_.kube_proxy.node_port_addresses.clear();
  config_.kube_proxy.localhost_node_ports = false;
  Offer(Both({RemoteEndpoint()}));
  Untouched(NodePortAt(localhost()), localhost());
  Served(NodePortAt(cast().node), Remote(), cast().node);
}

TEST_P(ServicesFromTheNode, KeepTheirEndpointWithAffinity) {
  Service service = Both({EndpointIn(Place::kPod1), EndpointIn(Place::kPod2)});
  service.affinity_seconds = 10800;
  Offer(service);
  for (CallingNode* node : {&left_, &right_}) {
    for (const CallKind kind : {CallKind::kTcp, CallKind::kUdp}) {
      std::set<std::string> servers;
      for (int i = 0; i < 10; ++i)
        servers.insert(node->Call(kind, ClusterIp(), What::kAnswered).server);
      EXPECT_EQ(servers.size(), 1U) << NameOf(kind);
      EXPECT_FALSE(servers.contains("")) << NameOf(kind);
    }
  }
}

}  // namespace
}  // namespace natrix::oracle
