// SPDX-License-Identifier: Apache-2.0
//
// The suite services: what kube-proxy does, with and without Kube-OVN beside it.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tests/oracle/generator.h"
#include "tests/oracle/rules.h"
#include "tests/support/setup_error.h"
#include "userspace/config/load.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Prefix;
using model::Service;
using model::ServiceEndpoint;
using model::TrafficPolicy;

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};
constexpr char kZone[] = "zone-a";

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

// `base` and a number, of the network that each family has for such addresses.
Address Numbered(Family family, const char* base4, const char* base6, std::uint32_t number) {
  return AddressOf(family == Family::kIpv4 ? fmt::format("{}{}", base4, number)
                                           : fmt::format("{}{:x}", base6, number));
}

void AddDetector(Dice& dice, model::KubeProxy& proxy) {
  switch (dice.Weighted({45, 15, 20, 10, 10})) {
    case 0:
      proxy.detect = model::DetectLocal::kClusterCidr;
      proxy.cluster_cidrs = {Prefix::Parse("10.16.0.0/14").value(),
                             Prefix::Parse("fd00:10::/42").value()};
      return;
    case 1:  // some pods are in it
      proxy.detect = model::DetectLocal::kClusterCidr;
      proxy.cluster_cidrs = {Prefix::Parse("10.16.0.0/29").value(),
                             Prefix::Parse("fd00:10:16::/64").value()};
      return;
    case 2:
      return;
    case 3:
      proxy.detect = model::DetectLocal::kBridgeInterface;
      proxy.device = dice.Chance(80) ? kPodDevice : kUplink;
      return;
    default:
      proxy.detect = model::DetectLocal::kInterfaceNamePrefix;
      proxy.device = dice.Chance(80) ? "ov" : "eth";
  }
}

void AddProxy(Dice& dice, model::KubeProxy& proxy) {
  static const std::vector<std::string> kAddresses{"172.18.0.0/27",      "172.18.0.60/32",
                                                   "100.64.0.0/16",      "fd00:172:18::/64",
                                                   "fd00:100:64::2/128", "0.0.0.0/0"};
  AddDetector(dice, proxy);
  proxy.masquerade_all = dice.Chance(12);
  proxy.localhost_node_ports = dice.Chance(70);
  proxy.invalid = dice.Chance(15) ? model::Invalid::kPass : model::Invalid::kDrop;
  if (dice.Chance(30))
    for (const std::string& prefix : kAddresses)
      if (dice.Chance(30)) proxy.node_port_addresses.push_back(Prefix::Parse(prefix).value());
}

// A pod, or something on another node.
ServiceEndpoint AnyEndpoint(Dice& dice, bool local) {
  static const std::vector<std::uint16_t> kPorts{80, 443, 8080, 10250, 30080};
  const auto pod = static_cast<Place>(dice.Below(3));
  const int subnet = static_cast<int>(dice.Chance(70) ? dice.Below(2) : dice.Below(kSubnets));
  const std::uint32_t number = dice.Between(1, 200);
  ServiceEndpoint endpoint{.addresses = {},
                           .port = dice.Pick(kPorts),
                           .node_name = local ? "node1" : "node2",
                           .zones = {}};
  for (const Family family : kFamilies)
    endpoint.addresses.push_back(local ? AddressOf(PodAddress(family, pod, subnet))
                                       : Numbered(family, "10.30.0.", "fd00:30::", number));
  return endpoint;
}

// At most one that a policy may choose, since the two nodes throw dice of their own; with others
// that it must not.
std::vector<ServiceEndpoint> AnyEndpoints(Dice& dice, bool always) {
  std::vector<ServiceEndpoint> endpoints;
  const auto add = [&](bool local, bool ready, bool leaving) {
    ServiceEndpoint endpoint = AnyEndpoint(dice, local);
    while (std::ranges::any_of(endpoints, [&](const ServiceEndpoint& other) {
      return other.addresses == endpoint.addresses;
    }))
      endpoint = AnyEndpoint(dice, local);
    endpoint.ready = ready;
    endpoint.serving = ready || leaving;
    endpoint.terminating = leaving;
    endpoints.push_back(std::move(endpoint));
  };
  const bool local = dice.Chance(65);
  switch (dice.Weighted({60, 12, 8, 10, 10})) {
    case 0:
      add(local, true, false);
      break;
    case 1:
      add(local, false, true);
      break;
    case 2:  // for the Local policy the one, for the Cluster policy the other
      add(true, false, true);
      add(false, true, false);
      break;
    case 3:
      add(local, true, false);
      add(!local, true, false);
      endpoints[0].zones = {kZone};
      endpoints[1].zones = {"zone-b"};
      break;
    default:
      if (always) add(local, true, false);
  }
  if (dice.Chance(30)) add(dice.Chance(50), false, false);
  return endpoints;
}

Service AnyService(Dice& dice, std::uint32_t number, bool with_kube_ovn) {
  static const std::vector<std::uint16_t> kPorts{53, 80, 443, 6443, 30080};
  static const std::vector<nx_l4> kProtocols{NX_L4_TCP, NX_L4_TCP, NX_L4_TCP,
                                             NX_L4_UDP, NX_L4_UDP, NX_L4_SCTP};
  Service service;
  service.name_space = "default";
  service.name = fmt::format("service-{}", number);
  const bool external = dice.Chance(50);
  const bool balanced = dice.Chance(50);
  for (const Family family : kFamilies) {
    service.cluster_ips.push_back(Numbered(family, "10.96.0.", "fd00:10:96::", number));
    if (external)
      service.external_ips.push_back(Numbered(family, "192.0.2.", "2001:db8:2::", number));
    if (balanced)
      service.load_balancer_ips.push_back(Numbered(family, "203.0.113.", "2001:db8:113::", number));
  }
  service.ports = {{.name = {}, .protocol = dice.Pick(kProtocols), .port = dice.Pick(kPorts)}};
  const bool keeps_port = service.ports[0].protocol == NX_L4_SCTP;
  if (!keeps_port && dice.Chance(60))
    service.ports[0].node_port = static_cast<std::uint16_t>(30000 + number);
  const auto policy = [&](std::uint32_t percent) {
    return dice.Chance(percent) ? TrafficPolicy::kLocal : TrafficPolicy::kCluster;
  };
  service.external_policy = policy(45);
  service.internal_policy = policy(20);
  if (dice.Chance(20)) service.affinity_seconds = dice.Between(1, 86400);
  // Kube-OVN's ACCEPT in FORWARD lets pass what kube-proxy would refuse or drop.
  if (with_kube_ovn) service.external_policy = service.internal_policy = TrafficPolicy::kCluster;
  service.endpoints = {AnyEndpoints(dice, with_kube_ovn)};
  if (keeps_port)
    for (ServiceEndpoint& endpoint : service.endpoints[0]) endpoint.port = service.ports[0].port;
  if (with_kube_ovn || !balanced || !dice.Chance(40)) return service;
  static const std::vector<std::string> kRanges{
      "198.51.100.0/25",   "198.51.100.128/26", "10.16.0.0/16",      "172.18.0.0/24",
      "2001:db8:100::/52", "fd00:10:16::/64",   "fd00:172:18::3/128"};
  for (const std::string& range : kRanges)
    if (dice.Chance(35))
      service.load_balancer_source_ranges.push_back(Prefix::Parse(range).value());
  return service;
}

// Whether somebody may be refused or dropped: only those that all may call are sure not to be.
bool MayBeUnserved(const Service& service) {
  const bool ready = std::ranges::any_of(service.endpoints[0], &ServiceEndpoint::ready);
  return !ready || !service.load_balancer_source_ranges.empty() ||
         service.external_policy == TrafficPolicy::kLocal ||
         service.internal_policy == TrafficPolicy::kLocal;
}

}  // namespace

Config GenerateProxied(Dice& dice) {
  const bool with_kube_ovn = dice.Chance(30);
  Config config;
  if (with_kube_ovn) config = GenerateConfig(dice, Scope::kBasic);
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  config.node.zone = kZone;
  config.node.addresses.clear();
  for (const Family family : kFamilies)
    config.node.addresses.push_back(AddressOf(CastOf(family).node));
  AddProxy(dice, config.kube_proxy);
  const bool ipvs = dice.Chance(30);
  if (ipvs) AddIpvsSets(dice, config);
  const std::uint32_t count = ipvs ? 0 : dice.Between(1, 12);
  for (std::uint32_t i = 0; i < count; ++i)
    config.services.push_back(AnyService(dice, 20 + i, with_kube_ovn));
  const config::Loaded loaded = config::LoadText("generated", YamlText(config));
  if (!loaded) throw support::SetupError(loaded.Render() + YamlText(config));
  return config;
}

Call GenerateProxiedCall(Dice& dice, Family family, const Config& config) {
  const Cast& cast = CastOf(family);
  const Service& service = dice.Pick(config.services);
  const model::PortOfService& port = service.ports[0];
  const std::vector<std::string> own{cast.node, cast.node, cast.node_second, cast.join};
  std::vector<std::pair<std::string, std::uint16_t>> called{
      {model::FirstOf(service.cluster_ips, family)->ToString(), port.port}};
  for (const auto* addresses : {&service.external_ips, &service.load_balancer_ips})
    if (const auto address = model::FirstOf(*addresses, family))
      called.emplace_back(address->ToString(), port.port);
  if (port.node_port != 0) called.emplace_back(dice.Pick(own), port.node_port);
  const std::size_t which = dice.Below(static_cast<std::uint32_t>(called.size()));

  Call call = CallOfAnyPod(dice, family);
  if (dice.Chance(which == 0 ? 20 : 60)) call = {Place::kOutside, AnyOutsideHost(dice, family), {}};
  call.dst = called[which].first;
  call.dport = called[which].second;
  if (dice.Chance(5)) call.dport = static_cast<std::uint16_t>(*call.dport + 1);
  call.protocol = port.protocol;
  if (dice.Chance(5)) call.protocol = support::kIcmp;
  call.plain = MayBeUnserved(service);
  return call;
}

}  // namespace natrix::oracle
