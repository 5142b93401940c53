// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/decode_services.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "userspace/base/suggest.h"
#include "userspace/config/choice.h"
#include "userspace/config/values.h"

namespace natrix::config {
namespace {

using model::Address;
using model::DetectLocal;

// KubeProxyConfiguration's detectLocalMode, in the order of the table.
enum class Mode { kClusterCidr, kNodeCidr, kBridgeInterface, kInterfaceNamePrefix };

// Kubernetes' default: three hours.
constexpr std::uint32_t kAffinitySeconds = 10800;

void DecodeClusterCidr(const Mapping& map, std::vector<model::Prefix>& into,
                       std::vector<Span>& places) {
  const Node* value = map.Get("clusterCIDR");
  // kube-proxy's own default is an empty text.
  if (value == nullptr || (value->kind == Node::Kind::kScalar && value->text.empty())) return;
  const Key& key = map.KeyOf("clusterCIDR");
  for (const Node& part : SplitCommas(*value, key, map.diagnostics())) {
    const auto cidr = ReadCidr(part, key, map.diagnostics());
    if (!cidr) continue;
    into.push_back(*cidr);
    places.push_back(part.where);
  }
}

// The device that a mode asks for, from under `detectLocal`.
void DecodeDetectDevice(const Mapping& map, Span mode, std::string_view word, std::string& into,
                        Span& place) {
  const auto local = map.Sub("detectLocal");
  const Node* value = local ? local->Get(word) : nullptr;
  Diagnostics& diagnostics = map.diagnostics();
  if (value == nullptr) {
    if (!local && map.Get("detectLocal") != nullptr) return;  // reported: it is no mapping
    diagnostics.Error(mode, fmt::format("this mode needs \"detectLocal.{}\"", word),
                      fmt::format("add `detectLocal: {{{}: ...}}`", word));
    return;
  }
  place = local->Into(into, word, ReadDevice);
  if (into.find_first_of("*?[") == into.npos) return;
  diagnostics.Error(value->where, fmt::format("\"{}\" is a pattern", into),
                    "write a name, or with interfaceNamePrefix what the names begin with");
  into.clear();
}

void DecodeDetection(const Mapping& map, Decoded& out) {
  model::KubeProxy& proxy = out.config.kube_proxy;
  Places::KubeProxy& places = out.places.kube_proxy;
  std::vector<model::Prefix> cluster;
  std::vector<Span> cluster_places;
  DecodeClusterCidr(map, cluster, cluster_places);
  auto mode = Mode::kClusterCidr;
  const Node* written = map.Get("detectLocalMode");
  const Span where = written == nullptr ? Span{} : written->where;
  DecodeChoice(map, "detectLocalMode", mode);
  switch (mode) {
    case Mode::kClusterCidr:
      if (cluster.empty()) return;
      proxy.detect = DetectLocal::kClusterCidr;
      proxy.cluster_cidrs = std::move(cluster);
      places.cluster_cidrs = std::move(cluster_places);
      return;
    case Mode::kNodeCidr:
      proxy.detect = DetectLocal::kClusterCidr;
      proxy.cluster_cidrs = out.pod_cidrs;
      places.cluster_cidrs = out.places.pod_cidrs;
      if (proxy.cluster_cidrs.empty())
        map.diagnostics().Error(where, "this mode needs \"node.podCIDRs\"",
                                "add the podCIDRs that Kubernetes' Node has");
      return;
    case Mode::kBridgeInterface:
      proxy.detect = DetectLocal::kBridgeInterface;
      return DecodeDetectDevice(map, where, "bridgeInterface", proxy.device, places.device);
    case Mode::kInterfaceNamePrefix:
      proxy.detect = DetectLocal::kInterfaceNamePrefix;
      return DecodeDetectDevice(map, where, "interfaceNamePrefix", proxy.device, places.device);
  }
}

void DecodeKubeProxy(const Mapping& map, Decoded& out) {
  model::KubeProxy& proxy = out.config.kube_proxy;
  DecodeDetection(map, out);
  map.IntoList(proxy.node_port_addresses, nullptr, "nodePortAddresses", ReadRange);
  DecodeChoice(map, "socketLB", proxy.socket_lb);
  DecodeChoice(map, "invalid", proxy.invalid);
  if (const auto iptables = map.Sub("iptables")) {
    iptables->Into(proxy.masquerade_all, "masqueradeAll", ReadBool);
    const Span where = iptables->Into(proxy.localhost_node_ports, "localhostNodePorts", ReadBool);
    if (proxy.localhost_node_ports && where.end != 0 && proxy.socket_lb == model::SocketLb::kOff)
      map.diagnostics().Warn(where, "NodePorts are not reached at 127.0.0.1",
                             "nothing comes in by a device for a loopback address, and with "
                             "`socketLB: off` nobody looks at sockets: write `false`");
  }
}

nx_l4 ProtocolOf(const Mapping& map) {
  static constexpr nx_l4 kProtocols[] = {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};
  std::size_t index = 0;
  map.Into(index, "protocol", ReadChoice);
  return kProtocols[index];
}

void DecodePort(const Mapping& map, model::Service& service, Places::Service& places) {
  model::PortOfService port;
  Places::Service::Port where{.all = map.where(), .name = {}, .port = {}, .node_port = {}};
  where.name = map.Into(port.name, "name", ReadName);
  port.protocol = ProtocolOf(map);
  where.port = map.Into(port.port, "port", ReadPort);
  where.node_port = map.Into(port.node_port, "nodePort", ReadPort);
  service.ports.push_back(std::move(port));
  places.ports.push_back(where);
}

void DecodeAffinity(const Mapping& map, model::Service& service) {
  std::size_t kind = 0;
  map.Into(kind, "sessionAffinity", ReadChoice);
  if (kind != 0) service.affinity_seconds = kAffinitySeconds;
  const auto config = map.Sub("sessionAffinityConfig");
  if (!config) return;
  if (!service.affinity_seconds) {
    map.diagnostics().Error(config->where(), "there is no session affinity to configure",
                            "add `sessionAffinity: ClientIP`, or remove it");
    return;
  }
  if (const auto client = config->Sub("clientIP"))
    client->Into(*service.affinity_seconds, "timeoutSeconds", ReadCount);
}

// Of which port an endpoint is; nullopt after it has reported why that is none.
std::optional<std::size_t> PortOf(const Mapping& map, const model::Service& service) {
  const Node* named = map.Get("portName");
  const std::vector<model::PortOfService>& ports = service.ports;
  if (named == nullptr) {
    if (ports.size() == 1) return 0;
    if (!ports.empty())
      map.diagnostics().Error(map.where(), "an endpoint of a Service with several ports names none",
                              fmt::format("add `portName: {}`, or another one's name",
                                          ports[0].name.empty() ? "..." : ports[0].name));
    return std::nullopt;
  }
  const auto name = ReadName(*named, map.KeyOf("portName"), map.diagnostics());
  if (!name) return std::nullopt;
  const auto found = std::ranges::find(ports, *name, &model::PortOfService::name);
  if (found != ports.end()) return static_cast<std::size_t>(found - ports.begin());
  std::vector<std::string_view> names;
  for (const model::PortOfService& port : ports) names.emplace_back(port.name);
  const auto close = DidYouMean(*name, names);
  map.diagnostics().Error(named->where, fmt::format("the Service has no port \"{}\"", *name),
                          close ? fmt::format("did you mean \"{}\"?", *close)
                                : "it is the \"name\" of one of its \"ports\"");
  return std::nullopt;
}

void DecodeAddresses(const Mapping& map, model::ServiceEndpoint& endpoint,
                     std::vector<Span>& places) {
  map.IntoList(endpoint.addresses, &places, "addresses", ReadAddress);
  const Node* value = map.Get("addresses");
  if (value != nullptr && value->kind == Node::Kind::kList && value->items.empty())
    map.diagnostics().Error(value->where, "an endpoint without an address",
                            ShapeHelp(map.KeyOf("addresses")));
  for (std::size_t i = 1; i < endpoint.addresses.size(); ++i)
    if (endpoint.addresses[i].family() == endpoint.addresses[0].family())
      map.diagnostics().Error(
          places[i],
          fmt::format("{} is of the same family as {}", endpoint.addresses[i].ToString(),
                      endpoint.addresses[0].ToString()),
          "kube-proxy uses the first one only: write an endpoint for each");
}

// Where an endpoint of a port is: to find those that are written twice.
struct Written {
  std::size_t of;
  Address address;
  std::uint16_t port;
  Span where;
};

void CheckTwice(std::vector<Written>& list, Diagnostics& diagnostics) {
  const auto key = [](const Written& w) { return std::tie(w.of, w.address, w.port); };
  std::ranges::stable_sort(list, {}, key);
  for (std::size_t i = 1; i < list.size(); ++i)
    if (key(list[i]) == key(list[i - 1]))
      diagnostics.Error(
          list[i].where,
          fmt::format("{} port {} is written twice", list[i].address.ToString(), list[i].port),
          fmt::format("the one before is at {}", diagnostics.PlaceOf(list[i - 1].where)));
}

void DecodeEndpoint(const Mapping& map, model::Service& service, std::vector<Written>& written) {
  model::ServiceEndpoint endpoint;
  std::vector<Span> places;
  DecodeAddresses(map, endpoint, places);
  map.Into(endpoint.port, "port", ReadPort);
  map.Into(endpoint.node_name, "nodeName", ReadName);
  map.Into(endpoint.ready, "ready", ReadBool);
  map.Into(endpoint.serving, "serving", ReadBool);
  map.Into(endpoint.terminating, "terminating", ReadBool);
  if (const auto hints = map.Sub("hints"))
    for (const Mapping& zone : hints->SubList("forZones"))
      zone.Into(endpoint.zones.emplace_back(), "name", ReadName);
  const auto port = PortOf(map, service);
  if (!port) return;
  for (std::size_t i = 0; i < endpoint.addresses.size(); ++i)
    written.push_back({*port, endpoint.addresses[i], endpoint.port, places[i]});
  service.endpoints[*port].push_back(std::move(endpoint));
}

// The Services of the configuration before: a change is of a few among thousands, which nobody
// need compare again whose place is the same.
class Known {
 public:
  using List = std::vector<model::Shared<model::Service>>;

  explicit Known(const List& before) : before_(before) {}

  // The one of before that is like it, or else itself.
  model::Shared<model::Service> Or(model::Service service) {
    const bool found =
        (next_ < before_.size() && NameOf(before_[next_]) == NameOf(service)) || Seek(service);
    if (found && *before_[next_++] == service) return before_[next_ - 1];
    return service;
  }

 private:
  using Name = std::pair<std::string_view, std::string_view>;

  static Name NameOf(const model::Service& service) { return {service.name_space, service.name}; }

  bool Seek(const model::Service& service) {
    if (index_.empty())
      for (std::size_t i = 0; i < before_.size(); ++i) index_.emplace(NameOf(before_[i]), i);
    const auto found = index_.find(NameOf(service));
    if (found != index_.end()) next_ = found->second;
    return found != index_.end();
  }

  const List& before_;
  std::size_t next_ = 0;  // behind the one that was found last
  std::map<Name, std::size_t> index_;
};

void DecodeService(const Mapping& map, Known& known, Decoded& out) {
  model::Service service;
  Places::Service places;
  service.name_space = "default";
  places.name = map.Into(service.name, "name", ReadName);
  map.Into(service.name_space, "namespace", ReadName);
  map.IntoList(service.cluster_ips, &places.cluster_ips, "clusterIPs", ReadClusterIp);
  map.IntoList(service.external_ips, &places.external_ips, "externalIPs", ReadAddress);
  map.IntoList(service.load_balancer_ips, &places.load_balancer_ips, "loadBalancerIPs",
               ReadAddress);
  map.IntoList(service.load_balancer_source_ranges, nullptr, "loadBalancerSourceRanges", ReadRange);
  for (const Mapping& port : map.SubList("ports")) DecodePort(port, service, places);
  for (const char* name : {"clusterIPs", "ports"})
    if (const Node* value = map.Get(name);
        value != nullptr && value->kind == Node::Kind::kList && value->items.empty())
      map.diagnostics().Error(value->where, fmt::format("\"{}\" is empty", name),
                              ShapeHelp(map.KeyOf(name)));
  DecodeChoice(map, "externalTrafficPolicy", service.external_policy);
  DecodeChoice(map, "internalTrafficPolicy", service.internal_policy);
  DecodeChoice(map, "loadBalancing", service.load_balancing);
  if (service.external_policy == model::TrafficPolicy::kLocal)
    places.local_policy = map.Get("externalTrafficPolicy")->where;
  else if (service.internal_policy == model::TrafficPolicy::kLocal)
    places.local_policy = map.Get("internalTrafficPolicy")->where;
  DecodeAffinity(map, service);
  places.health_check = map.Into(service.health_check_node_port, "healthCheckNodePort", ReadPort);
  service.endpoints.resize(service.ports.size());
  std::vector<Written> written;
  for (const Mapping& endpoint : map.SubList("endpoints"))
    DecodeEndpoint(endpoint, service, written);
  CheckTwice(written, map.diagnostics());
  out.config.services.push_back(known.Or(std::move(service)));
  out.places.services.push_back(std::move(places));
}

}  // namespace

void DecodeServices(const Mapping& top, const model::Config* before, Decoded& out) {
  if (const auto proxy = top.Sub("kubeProxy")) DecodeKubeProxy(*proxy, out);
  out.config.services.reserve(top.Items("services").size());
  static const Known::List none;
  Known known(before == nullptr ? none : before->services);
  for (const Mapping& service : top.SubList("services")) DecodeService(service, known, out);
}

}  // namespace natrix::config
