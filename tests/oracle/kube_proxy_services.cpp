// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/kube_proxy_services.h"

#include <fmt/core.h>
#include <nettle/sha2.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

namespace natrix::oracle {
namespace {

using model::Address;
using model::Prefix;
using model::Service;
using model::ServiceEndpoint;

// The first 16 characters of base32 (RFC 4648) of SHA-256.
std::string HashOf(std::string_view text) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  sha256_ctx hash;
  sha256_init(&hash);
  sha256_update(&hash, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&hash, digest.size(), digest.data());
  std::string encoded;
  for (std::size_t bit = 0; encoded.size() < 16; bit += 5) {
    const unsigned pair = digest[bit / 8] << 8U | digest[bit / 8 + 1];
    encoded += kDigits[pair >> (11 - bit % 8) & 31U];
  }
  return encoded;
}

std::string ProtocolOf(nx_l4 protocol) {
  return protocol == NX_L4_TCP ? "tcp" : protocol == NX_L4_UDP ? "udp" : "sctp";
}

std::vector<std::string> OfFamily(const std::vector<Address>& addresses, Family family) {
  std::vector<std::string> found;
  for (const Address& address : addresses)
    if (address.family() == family) found.push_back(address.ToString());
  return found;
}

std::vector<ProxyEndpoint> EndpointsOf(const std::vector<ServiceEndpoint>& written,
                                       const std::string& node, const ProxyPort& port,
                                       Family family) {
  std::vector<ProxyEndpoint> endpoints;
  for (const ServiceEndpoint& one : written) {
    for (const std::string& address : OfFamily(one.addresses, family)) {
      ProxyEndpoint endpoint{.address = address,
                             .port = one.port,
                             .local = one.node_name == node,
                             .ready = one.ready,
                             .serving = one.serving,
                             .terminating = one.terminating,
                             .zones = one.zones,
                             .chain = {}};
      endpoint.chain = "KUBE-SEP-" + HashOf(port.name + port.protocol + endpoint.ToString());
      endpoints.push_back(std::move(endpoint));
    }
  }
  return endpoints;
}

bool IsHinted(const ProxyEndpoint& endpoint, const std::string& zone) {
  return std::ranges::find(endpoint.zones, zone) != endpoint.zones.end();
}

// canUseTopology
bool UsesTopology(const std::vector<ProxyEndpoint>& endpoints, const std::string& zone) {
  bool hinted_here = false;
  for (const ProxyEndpoint& endpoint : endpoints) {
    if (!endpoint.ready) continue;
    if (endpoint.zones.empty() || zone.empty()) return false;
    if (IsHinted(endpoint, zone)) hinted_here = true;
  }
  return hinted_here;
}

std::vector<ProxyEndpoint> Those(const std::vector<ProxyEndpoint>& endpoints,
                                 const std::function<bool(const ProxyEndpoint&)>& wanted) {
  std::vector<ProxyEndpoint> found;
  std::ranges::copy_if(endpoints, std::back_inserter(found), wanted);
  return found;
}

bool IsLeaving(const ProxyEndpoint& endpoint) { return endpoint.serving && endpoint.terminating; }

// CategorizeEndpoints
void Categorize(ProxyPort& port, const std::vector<ProxyEndpoint>& all, const std::string& zone) {
  if (!port.internal_local || port.IsExternal()) {
    const bool topology = UsesTopology(all, zone);
    port.cluster = Those(all, [&](const ProxyEndpoint& endpoint) {
      return endpoint.ready && (!topology || IsHinted(endpoint, zone));
    });
    if (port.cluster.empty()) port.cluster = Those(all, IsLeaving);
    port.has_endpoints = !port.cluster.empty();
    port.reachable = port.cluster;
  }
  if (!port.internal_local && (!port.external_local || !port.IsExternal())) return;
  port.local = Those(all, [](const ProxyEndpoint& one) { return one.local && one.ready; });
  if (port.local.empty())
    port.local = Those(all, [](const ProxyEndpoint& one) { return one.local && IsLeaving(one); });
  if (std::ranges::any_of(all, [](const auto& one) { return one.ready || IsLeaving(one); }))
    port.has_endpoints = true;
  for (const ProxyEndpoint& endpoint : port.local)
    if (std::ranges::find(port.reachable, endpoint.chain, &ProxyEndpoint::chain) ==
        port.reachable.end())
      port.reachable.push_back(endpoint);
}

// What all ports of a Service have in common; nullopt when it is none of this family's.
std::optional<ProxyPort> CommonOf(const Service& service, const Config& config, Family family) {
  const std::optional<Address> cluster_ip = model::FirstOf(service.cluster_ips, family);
  if (!cluster_ip) return std::nullopt;
  ProxyPort port;
  port.cluster_ip = cluster_ip->ToString();
  port.external_ips = OfFamily(service.external_ips, family);
  port.load_balancer_ips = OfFamily(service.load_balancer_ips, family);
  const std::optional<Address> node = model::FirstOf(config.node.addresses, family);
  for (const Prefix& range : service.load_balancer_source_ranges) {
    if (range.family() != family) continue;
    port.source_ranges.push_back(range.ToString());
    if (node && range.Contains(*node)) port.node_in_ranges = true;
  }
  port.external_local = service.external_policy == model::TrafficPolicy::kLocal;
  port.internal_local = service.internal_policy == model::TrafficPolicy::kLocal;
  port.affinity_seconds = service.affinity_seconds.value_or(0);
  port.health_check_port = service.health_check_node_port;
  return port;
}

}  // namespace

std::string ProxyEndpoint::ToString() const {
  return address.find(':') == address.npos ? fmt::format("{}:{}", address, port)
                                           : fmt::format("[{}]:{}", address, port);
}

std::vector<ProxyPort> ProxyPortsOf(const Config& config, Family family) {
  std::vector<ProxyPort> ports;
  for (const Service& service : config.services) {
    const std::optional<ProxyPort> common = CommonOf(service, config, family);
    if (!common) continue;
    for (std::size_t i = 0; i < service.ports.size(); ++i) {
      const model::PortOfService& written = service.ports[i];
      ProxyPort port = *common;
      port.name = fmt::format("{}/{}{}{}", service.name_space, service.name,
                              written.name.empty() ? "" : ":", written.name);
      port.protocol = ProtocolOf(written.protocol);
      port.hash = HashOf(port.name + port.protocol);
      port.port = written.port;
      port.node_port = written.node_port;
      Categorize(port, EndpointsOf(service.endpoints.at(i), config.node.name, port, family),
                 config.node.zone);
      ports.push_back(std::move(port));
    }
  }
  return ports;
}

std::string LocalDetector(const model::KubeProxy& proxy, Family family) {
  switch (proxy.detect) {
    case model::DetectLocal::kNone:
      return {};
    case model::DetectLocal::kClusterCidr:
      for (const Prefix& cidr : proxy.cluster_cidrs)
        if (cidr.family() == family) return "-s " + cidr.ToString();
      return {};
    case model::DetectLocal::kBridgeInterface:
      return "-i " + proxy.device;
    case model::DetectLocal::kInterfaceNamePrefix:
      return fmt::format("-i {}+", proxy.device);
  }
  return {};
}

}  // namespace natrix::oracle
