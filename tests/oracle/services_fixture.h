// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {

inline constexpr std::uint16_t kServicePort = 80;
inline constexpr std::uint16_t kEndpointPort = 8080;
inline constexpr std::uint16_t kNodePort = 30080;

// Addresses that only a Service has, in one family.
struct ServiceCast {
  std::string external;       // externalIPs
  std::string load_balancer;  // status.loadBalancer.ingress
  std::string remote_pod;     // on node2, routed by the uplink
};
const ServiceCast& ServiceCastOf(Family family);

// Of both families, ready, on this node.
model::ServiceEndpoint EndpointIn(Place pod, std::uint16_t port = kEndpointPort);
// On node2.
model::ServiceEndpoint RemoteEndpoint(std::uint16_t port = kEndpointPort);
model::ServiceEndpoint Leaving(model::ServiceEndpoint endpoint);   // serving and terminating
model::ServiceEndpoint NotReady(model::ServiceEndpoint endpoint);  // neither ready nor serving

// Port 80 of a ClusterIP, with these endpoints.
model::Service WebOf(std::vector<model::ServiceEndpoint> endpoints, nx_l4 protocol = NX_L4_TCP);
// The same at all that it may be called at: ClusterIP, external IP, load balancer and NodePort.
model::Service EverywhereOf(std::vector<model::ServiceEndpoint> endpoints,
                            nx_l4 protocol = NX_L4_TCP);
// kube-proxy's without Kube-OVN, and without Services: pods are 10.16.0.0/14 and fd00:10::/42.
model::Config ServiceConfig();

// Two nodes under ServiceConfig().
class ServiceOracle : public Oracle {
 protected:
  ServiceOracle() = default;
  // config_, in force, in another scene.
  explicit ServiceOracle(const model::Config& config, const Scene::Options& scene)
      : Oracle(config, scene), config_(config) {}

  const ServiceCast& names() const { return ServiceCastOf(family()); }
  static model::Service Web(std::vector<model::ServiceEndpoint> endpoints,
                            nx_l4 protocol = NX_L4_TCP) {
    return WebOf(std::move(endpoints), protocol);
  }
  static model::Service Everywhere(std::vector<model::ServiceEndpoint> endpoints,
                                   nx_l4 protocol = NX_L4_TCP) {
    return EverywhereOf(std::move(endpoints), protocol);
  }
  // The configuration with these Services and no others, in force.
  void Serve(std::vector<model::Service> services);
  void Serve(model::Service service) { Serve(std::vector{std::move(service)}); }

  PacketSpec Call(const std::string& src, const std::string& dst,
                  std::uint16_t port = kServicePort) const;
  PacketSpec UdpCall(const std::string& src, const std::string& dst,
                     std::uint16_t port = kServicePort) const;
  PacketSpec SctpCall(const std::string& src, const std::string& dst,
                      std::uint16_t port = kServicePort) const;

  // Where a first packet is to arrive, and that answers come back from what was called, with the
  // port that was called.  Two segments to either side after the handshake; or a few datagrams.
  void Converses(Place from, const PacketSpec& first, const Arrival& request);
  // Each side tells `from` that the port is unreachable, about what it sent.
  testing::AssertionResult IsRefused(Place from, const PacketSpec& call);

  // Where many calls, each from a port of its own, arrived on one side: "10.16.0.10:8080", how
  // often.
  using Spread = std::map<std::string, int>;
  Spread SpreadOf(Side& side, Place from, const PacketSpec& first, int calls) const;
  // Of both sides in turn.
  std::pair<Spread, Spread> Spreads(Place from, const PacketSpec& first, int calls);

  model::Config config_ = ServiceConfig();
};

std::set<std::string> KeysOf(const std::map<std::string, int>& spread);
// Pearson's statistic against equal chances.
double ChiSquare(const std::map<std::string, int>& spread);

}  // namespace natrix::oracle
