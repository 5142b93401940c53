// SPDX-License-Identifier: Apache-2.0
//
// Processes of the node itself that call floating IPs: cali-OUTPUT on the left, natrix' hooks of
// sockets on the right.
#include <fmt/core.h>

#include "tests/oracle/node_calls.h"
#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"
#include "tests/support/own_cgroup.h"

namespace natrix::oracle {
namespace {

using model::Address;
using netns::Point;
using What = CallOutcome::What;

constexpr std::uint16_t kPorts[] = {8080, 9090};

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

class FloatingIpsFromTheNode : public testing::TestWithParam<Family> {
 protected:
  FloatingIpsFromTheNode() {
    for (CallingNode* node : {&left_, &right_}) {
      const Scene& scene = node->scene();
      const char* host = v4() ? "/32" : "/128";
      for (const std::string& address : {cast().floating, remote(), names().external})
        support::Ip(scene.at(Place::kOutside), "route add local " + address + host + " dev lo\n");
      for (const std::uint16_t port : kPorts) {
        node->Serve(scene.at(Place::kPod1), {cast().pod1, port});
        node->Serve(scene.at(Place::kPod2), {cast().pod2, port});
        // Whoever has these addresses where they are not translated.
        for (const std::string& address : {cast().floating, remote(), names().external})
          node->Serve(scene.at(Place::kOutside), {address, port});
      }
    }
  }

  Family family() const { return GetParam(); }
  bool v4() const { return family() == Family::kIpv4; }
  const Cast& cast() const { return CastOf(family()); }
  const ServiceCast& names() const { return ServiceCastOf(family()); }
  std::string remote() const { return names().remote_pod; }

  void Apply() {
    left_.Apply(config_);
    right_.Apply(config_);
  }
  // Of this family, in both nodes.
  void Float(const std::vector<std::pair<std::string, std::string>>& list) {
    config_.floating_ips.clear();
    for (const auto& [external, internal] : list)
      config_.floating_ips.push_back({AddressOf(external), AddressOf(internal)});
    Apply();
  }
  // All kinds of calls of both nodes, of each port, are answered by who has `server`, that sees the
  // source, and is seen as what was called.
  void Served(const std::string& to, const std::string& server, const std::string& source) {
    for (const std::uint16_t port : kPorts)
      for (const CallKind kind : kCallKinds) {
        const Point called{to, port};
        SCOPED_TRACE(std::string(NameOf(kind)) + " to " + ToString(called));
        const CallOutcome expected{.what = What::kAnswered,
                                   .server = ToString(Point{server, port}),
                                   .source = source,
                                   .peer = ToString(called)};
        EXPECT_EQ(left_.Call(kind, called, expected.what), expected) << "Calico";
        EXPECT_EQ(right_.Call(kind, called, expected.what), expected) << "natrix";
      }
  }
  void Untouched(const std::string& to) { Served(to, to, cast().node); }

  support::OwnCgroup cgroup_;
  CallingNode left_{JudgeKind(), GetParam()};
  CallingNode right_{EngineKind::kNatrix, GetParam()};
  model::Config config_ = ServiceConfig();
};
ORACLE_FAMILIES(FloatingIpsFromTheNode);

TEST_P(FloatingIpsFromTheNode, ReachTheirPodAtAnyPort) {
  Float({{cast().floating, cast().pod1}});
  Served(cast().floating, cast().pod1, cast().node);

  // On another node.
  Float({{cast().floating, remote()}});
  Served(cast().floating, remote(), cast().node);

  Float({});
  Untouched(cast().floating);
}

TEST_P(FloatingIpsFromTheNode, SeveralAreToldFromEachOther) {
  Float({{cast().floating, cast().pod1}, {names().external, cast().pod2}});
  Served(cast().floating, cast().pod1, cast().node);
  Served(names().external, cast().pod2, cast().node);
  Served(cast().pod2, cast().pod2, cast().node);
}

// Kube-OVN's chains have nothing to say about what the node calls there.
TEST_P(FloatingIpsFromTheNode, ReachTheirPodBesideKubeOvn) {
  config_ = LoadConfig(ExamplePath());
  Apply();
  Served(cast().floating, cast().pod1, cast().node);
}

// Felix inserts its chains before KUBE-SERVICES.
TEST_P(FloatingIpsFromTheNode, ComeBeforeServices) {
  model::Service service = WebOf({});
  for (const Family each : model::kFamilies)
    service.external_ips.push_back(AddressOf(ServiceCastOf(each).external));
  service.ports.clear();
  service.endpoints.clear();
  for (const std::uint16_t port : kPorts)
    for (const nx_l4 protocol : {NX_L4_TCP, NX_L4_UDP}) {
      service.ports.push_back({.name = fmt::format("{}-{}", port, static_cast<int>(protocol)),
                               .protocol = protocol,
                               .port = port});
      service.endpoints.push_back({EndpointIn(Place::kPod2, port)});
    }
  config_.services.emplace_back(service);
  Float({});
  // kube-proxy masquerades it, natrix leaves it the route's source (docs/adr/0011).
  for (const CallKind kind : kCallKinds)
    for (CallingNode* node : {&left_, &right_})
      EXPECT_EQ(node->Call(kind, {names().external, kPorts[0]}, What::kAnswered).server,
                ToString(Point{cast().pod2, kPorts[0]}));
  Float({{names().external, cast().pod1}});
  Served(names().external, cast().pod1, cast().node);
}

}  // namespace
}  // namespace natrix::oracle
