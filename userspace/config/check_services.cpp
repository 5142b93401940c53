// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/check_services.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "maps/abi/service.h"
#include "userspace/config/room.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::Service;

const char* NameOf(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

const char* NameOf(nx_l4 protocol) {
  return protocol == NX_L4_TCP ? "TCP" : protocol == NX_L4_UDP ? "UDP" : "SCTP";
}

bool IsOf(const Service& service, Family family) {
  return model::FirstOf(service.cluster_ips, family).has_value();
}

void CheckFamilies(const Service& service, const Places::Service& places,
                   Diagnostics& diagnostics) {
  for (std::size_t i = 1; i < service.cluster_ips.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (service.cluster_ips[i].family() == service.cluster_ips[j].family())
        diagnostics.Error(
            places.cluster_ips[i],
            fmt::format("{} is a second {} ClusterIP", service.cluster_ips[i].ToString(),
                        NameOf(service.cluster_ips[i].family())),
            "a Service has at most one of each family");
  if (service.cluster_ips.empty()) return;  // reported when they were read
  const auto check = [&](const std::vector<Address>& list, const std::vector<Span>& where) {
    for (std::size_t i = 0; i < list.size(); ++i)
      if (!IsOf(service, list[i].family()))
        diagnostics.Error(where[i],
                          fmt::format("{} is {}, and the Service is not", list[i].ToString(),
                                      NameOf(list[i].family())),
                          fmt::format("a Service is of the families of its \"clusterIPs\": add an "
                                      "{} one, or remove this",
                                      NameOf(list[i].family())));
  };
  check(service.external_ips, places.external_ips);
  check(service.load_balancer_ips, places.load_balancer_ips);
}

// The node would not be reached any more at such a port.  External and load balancer IPs may be
// the node's own: kube-proxy has that on purpose.
void CheckClusterIps(const Decoded& decoded, const Service& service, const Places::Service& places,
                     Diagnostics& diagnostics) {
  const std::vector<Address>& own = decoded.config.node.addresses;
  for (std::size_t i = 0; i < service.cluster_ips.size(); ++i)
    if (const auto found = std::ranges::find(own, service.cluster_ips[i]); found != own.end())
      diagnostics.Error(
          places.cluster_ips[i],
          fmt::format("{} is an address of this node", service.cluster_ips[i].ToString()),
          fmt::format(
              "in \"node.addresses\" it is at {}: a ClusterIP is nobody's own",
              diagnostics.PlaceOf(
                  decoded.places.addresses[static_cast<std::size_t>(found - own.begin())])));
}

void CheckPortNames(const Service& service, const Places::Service& places,
                    Diagnostics& diagnostics) {
  if (service.ports.size() < 2) return;
  std::map<std::string, Span> seen;
  for (std::size_t i = 0; i < service.ports.size(); ++i) {
    const std::string& name = service.ports[i].name;
    if (name.empty()) {
      if (places.ports[i].name.end == 0)
        diagnostics.Error(places.ports[i].all, "one of several ports has no \"name\"",
                          "add one: endpoints say by it what they answer for");
      continue;
    }
    const auto [first, is_new] = seen.emplace(name, places.ports[i].name);
    if (!is_new)
      diagnostics.Error(places.ports[i].name, fmt::format("a second port is called \"{}\"", name),
                        FirstAt(first->second, diagnostics));
  }
}

void CheckPolicies(const Decoded& decoded, const Service& service, const Places::Service& places,
                   Diagnostics& diagnostics) {
  const bool external = service.external_policy == model::TrafficPolicy::kLocal;
  if (service.health_check_node_port != 0 && !external)
    diagnostics.Error(places.health_check,
                      "\"healthCheckNodePort\" is of Services with a local policy",
                      "add `externalTrafficPolicy: Local`, or remove it");
  if ((external || service.internal_policy == model::TrafficPolicy::kLocal) &&
      decoded.config.node.name.empty())
    diagnostics.Error(places.local_policy, "which endpoints are on this node is not known",
                      "add `node.name`: endpoints have it as their \"nodeName\"");
}

// Who is called where: addresses with ports, and NodePorts.
class Called {
 public:
  explicit Called(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void Add(const Service& service, const Places::Service& places) {
    const auto each = [&](const std::vector<Address>& list, const std::vector<Span>& where,
                          const std::vector<Span>* also) {
      for (std::size_t i = 0; i < list.size(); ++i)
        for (const model::PortOfService& port : service.ports)
          if (port.port != 0) AddAddress(list[i], port, where[i], also);
    };
    each(service.cluster_ips, places.cluster_ips, nullptr);
    each(service.external_ips, places.external_ips, nullptr);
    // One address may be both, and kube-proxy asks about external IPs first.
    each(service.load_balancer_ips, places.load_balancer_ips, &places.external_ips);
    for (const Family family : kFamilies) {
      if (!IsOf(service, family)) continue;
      for (std::size_t i = 0; i < service.ports.size(); ++i)
        AddNodePort(family, service.ports[i].protocol, service.ports[i].node_port,
                    places.ports[i].node_port);
      AddNodePort(family, NX_L4_TCP, service.health_check_node_port, places.health_check);
    }
  }

 private:
  // Where the address may have been written before: `also`, or nowhere.
  void AddAddress(const Address& address, const model::PortOfService& port, Span where,
                  const std::vector<Span>* also) {
    const auto [first, is_new] =
        addresses_.emplace(std::tuple(address, port.port, port.protocol), where);
    const auto same = [&](Span span) { return span.begin == first->second.begin; };
    if (!is_new && (also == nullptr || std::ranges::none_of(*also, same)))
      diagnostics_.Error(where,
                         fmt::format("{} port {}/{} is a Service's already", address.ToString(),
                                     port.port, NameOf(port.protocol)),
                         FirstAt(first->second, diagnostics_));
  }
  void AddNodePort(Family family, nx_l4 protocol, std::uint16_t port, Span where) {
    if (port == 0) return;
    const auto [first, is_new] = node_ports_.emplace(std::tuple(port, protocol, family), where);
    // A Service of two families has it in both, which is to be said once.
    if (is_new || first->second.begin == where.begin || !told_.emplace(where.begin, true).second)
      return;
    diagnostics_.Error(where, fmt::format("NodePort {}/{} is taken", port, NameOf(protocol)),
                       FirstAt(first->second, diagnostics_));
  }

  Diagnostics& diagnostics_;
  std::map<std::tuple<Address, std::uint16_t, nx_l4>, Span> addresses_;
  std::map<std::tuple<std::uint16_t, nx_l4, Family>, Span> node_ports_;
  std::map<std::size_t, bool> told_;
};

// kube-proxy has no detector for a family without a range; here one is for both.
class Detection {
 public:
  Detection(const Decoded& decoded, Diagnostics& diagnostics)
      : ranges_(decoded.config.kube_proxy.cluster_cidrs),
        places_(decoded.places.kube_proxy.cluster_cidrs),
        asks_(decoded.config.kube_proxy.detect == model::DetectLocal::kClusterCidr &&
              !ranges_.empty()),
        diagnostics_(diagnostics) {}

  // Of each family it tells once.
  void Add(const Address& cluster_ip, Span where) {
    const Family family = cluster_ip.family();
    if (!asks_ || std::ranges::find(ranges_, family, &model::Prefix::family) != ranges_.end() ||
        std::exchange(told_[family == Family::kIpv4 ? 0 : 1], true))
      return;
    diagnostics_.Error(where,
                       fmt::format("{} is {}, and none of the pods' CIDRs is",
                                   cluster_ip.ToString(), NameOf(family)),
                       fmt::format("add an {} one to where the first is, at {}", NameOf(family),
                                   diagnostics_.PlaceOf(places_[0])));
  }

 private:
  const std::vector<model::Prefix>& ranges_;
  const std::vector<Span>& places_;
  bool asks_;
  Diagnostics& diagnostics_;
  std::array<bool, 2> told_{};
};

void CheckDetection(const Decoded& decoded, Diagnostics& diagnostics) {
  Detection detection(decoded, diagnostics);
  for (std::size_t i = 0; i < decoded.config.services.size(); ++i)
    for (std::size_t j = 0; j < decoded.config.services[i]->cluster_ips.size(); ++j)
      detection.Add(decoded.config.services[i]->cluster_ips[j],
                    decoded.places.services[i].cluster_ips[j]);
  if (!decoded.config.ipvs) return;
  for (std::size_t i = 0; i < decoded.config.ipvs->cluster_ips.size(); ++i)
    detection.Add(decoded.config.ipvs->cluster_ips[i].address, decoded.places.ipvs.cluster_ips[i]);
}

void CheckFirewall(const Decoded& decoded, Diagnostics& diagnostics) {
  if (!decoded.config.ipvs || decoded.config.ipvs->firewall_by != model::FirewallBy::kMark ||
      decoded.config.marks.drop != 0 || !decoded.places.marks.readable)
    return;
  diagnostics.Error(decoded.places.ipvs.firewall_by, "nothing is dropped by a mark",
                    "write `marks: {drop: 0x8000}`, which is kubelet's, too");
}

// Both would serve them, the one before the other.
void CheckIpvs(const Decoded& decoded, Diagnostics& diagnostics) {
  if (!decoded.config.ipvs || decoded.config.services.empty()) return;
  diagnostics.Error(decoded.places.services[0].name, "\"services\" beside \"ipvs\"",
                    "\"ipvs\" is for nodes where kube-proxy serves them in IPVS mode: remove it "
                    "where natrix does, or \"services\" where kube-proxy does");
}

// natrix sees what comes in by devices that it manages, and nothing else.
void CheckDetectDevice(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::KubeProxy& proxy = decoded.config.kube_proxy;
  const bool begins = proxy.detect == model::DetectLocal::kInterfaceNamePrefix;
  if (!begins && proxy.detect != model::DetectLocal::kBridgeInterface) return;
  if (proxy.device.empty() || decoded.config.node.pod_devices.empty()) return;  // reported
  if (MayBeManaged(decoded.config.node, proxy.device, begins)) return;
  diagnostics.Error(
      decoded.places.kube_proxy.device,
      begins ? fmt::format("natrix manages no device whose name begins with \"{}\"", proxy.device)
             : fmt::format("natrix does not manage \"{}\"", proxy.device),
      begins ? "nothing would be the cluster's own: add them to \"node.podDevices\", or write what "
               "those begin with"
             : "nothing would be the cluster's own: add it to \"node.podDevices\", or name one of "
               "those");
}

std::size_t FamiliesOf(const Service& service) {
  return std::size_t{IsOf(service, Family::kIpv4)} + IsOf(service, Family::kIpv6);
}

// At how many addresses a NodePort is, as far as the file says which ones the node has; what they
// are more there, the maps are asked before anything is written.
std::size_t NodePortEntries(const model::Config& config, Family family) {
  const std::vector<model::Prefix>& ranges = config.kube_proxy.node_port_addresses;
  const auto matches = [&](const Address& own) {
    return own.family() == family && std::ranges::any_of(ranges, [&](const model::Prefix& range) {
             return range.Contains(own);
           });
  };
  return model::AtAnyAddress(ranges, family)
             ? 1  // one entry for them all
             : static_cast<std::size_t>(std::ranges::count_if(config.node.addresses, matches));
}

// They have the maps of Services; each costs as much as it can, in both families.
void AddHostPorts(const Decoded& decoded, Costs& called, Costs& numbers, Costs& backends,
                  Costs& ranges) {
  const auto add = [&](const Places::Container& container) {
    const std::size_t cost = container.mappings.size() * container.addresses.size();
    called.emplace_back(container.name, 2 * cost);
    for (Costs* costs : {&numbers, &backends, &ranges}) costs->emplace_back(container.name, cost);
  };
  for (const Places::Container& container : decoded.places.host_ports) add(container);
  for (const Places::DockerBridge& bridge : decoded.places.docker)
    for (const Places::Container& container : bridge.containers) add(container);
}

void CheckRooms(const Decoded& decoded, Diagnostics& diagnostics) {
  Costs called, numbers, backends, tables, ranges;
  const std::size_t at[] = {NodePortEntries(decoded.config, Family::kIpv4),
                            NodePortEntries(decoded.config, Family::kIpv6)};
  for (std::size_t i = 0; i < decoded.config.services.size(); ++i) {
    const Service& service = decoded.config.services[i];
    const Span where = decoded.places.services[i].name;
    const std::size_t families = FamiliesOf(service);
    const std::size_t addresses =
        service.cluster_ips.size() + service.external_ips.size() + service.load_balancer_ips.size();
    const bool local = service.external_policy == model::TrafficPolicy::kLocal ||
                       service.internal_policy == model::TrafficPolicy::kLocal;
    std::size_t node_ports = 0;  // entries of one
    for (const Family family : kFamilies)
      if (IsOf(service, family)) node_ports += at[static_cast<std::size_t>(family)];
    numbers.emplace_back(where, families * service.ports.size());
    if (service.load_balancing == model::LoadBalancing::kMaglev)
      tables.emplace_back(where, families * service.ports.size() * (local ? 2 : 1));
    if (!service.load_balancer_source_ranges.empty())
      ranges.emplace_back(where,
                          service.ports.size() * (service.load_balancer_source_ranges.size() +
                                                  service.load_balancer_ips.size()));
    for (std::size_t j = 0; j < service.ports.size(); ++j) {
      called.emplace_back(where, addresses + (service.ports[j].node_port != 0 ? node_ports : 0));
      std::size_t count = 0;
      for (const model::ServiceEndpoint& endpoint : service.endpoints[j])
        count += endpoint.addresses.size();
      backends.emplace_back(where, count * (local ? 2 : 1));
      if (service.endpoints[j].size() > UINT16_MAX)
        diagnostics.Error(decoded.places.services[i].ports[j].all,
                          fmt::format("a port can have {} endpoints", UINT16_MAX));
    }
  }
  AddHostPorts(decoded, called, numbers, backends, ranges);
  const auto check = [&](Costs& costs, std::size_t most, const char* what, const char* help) {
    CheckRoom(std::move(costs), most, fmt::format("too many: there can be {} {}", most, what), help,
              diagnostics);
  };
  check(called, NX_MAX_SERVICES, "addresses with ports that Services are called at",
        "every port counts at every address, and as NodePort once in each family or, with "
        "\"nodePortAddresses\", at each of the node's");
  check(numbers, NX_MAX_SERVICE_PORTS - 1, "ports of Services",
        "every port counts once in each family");
  check(backends, NX_MAX_BACKENDS, "endpoints of Services",
        "every address of an endpoint counts, and twice where a policy is Local");
  check(tables, NX_MAX_TABLES, "lists of endpoints with `loadBalancing: maglev`",
        "every port counts in both families, and twice with a Local policy");
  check(ranges, NX_MAX_SOURCE_RANGES, "source ranges of Services",
        "every range counts for every port, and so does every load balancer IP");
}

}  // namespace

bool MayBeManaged(const model::Node& node, const std::string& text, bool begins) {
  const auto names = [&](const std::string& pattern) {
    const std::string known = pattern.substr(0, pattern.find_first_of("*?["));
    if (known.size() == pattern.size()) return begins ? known.starts_with(text) : known == text;
    if (begins) return known.starts_with(text) || text.starts_with(known);
    return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0;
  };
  return std::ranges::any_of(node.uplinks, names) || std::ranges::any_of(node.pod_devices, names);
}

void CheckServices(const Decoded& decoded, Diagnostics& diagnostics) {
  std::map<std::pair<std::string, std::string>, Span> names;
  Called called(diagnostics);
  for (std::size_t i = 0; i < decoded.config.services.size(); ++i) {
    const Service& service = decoded.config.services[i];
    const Places::Service& places = decoded.places.services[i];
    if (!service.name.empty()) {  // else reported when it was read
      const auto [first, is_new] =
          names.emplace(std::pair(service.name_space, service.name), places.name);
      if (!is_new)
        diagnostics.Error(places.name,
                          fmt::format("a second Service is called \"{}\" in namespace \"{}\"",
                                      service.name, service.name_space),
                          FirstAt(first->second, diagnostics));
    }
    CheckFamilies(service, places, diagnostics);
    CheckClusterIps(decoded, service, places, diagnostics);
    CheckPortNames(service, places, diagnostics);
    CheckPolicies(decoded, service, places, diagnostics);
    called.Add(service, places);
  }
  CheckDetection(decoded, diagnostics);
  CheckIpvs(decoded, diagnostics);
  CheckFirewall(decoded, diagnostics);
  CheckDetectDevice(decoded, diagnostics);
  CheckRooms(decoded, diagnostics);
}

}  // namespace natrix::config
