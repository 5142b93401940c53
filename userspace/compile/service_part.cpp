// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/service_part.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>

#include "userspace/compile/any_address.h"
#include "userspace/compile/consistent_table.h"
#include "userspace/compile/host_ports.h"
#include "userspace/compile/jiffies.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::Prefix;
using model::Service;
using model::ServiceEndpoint;
using model::TrafficPolicy;

// An endpoint in one family.
struct Candidate {
  const ServiceEndpoint* endpoint;
  nx_backend backend;

  bool ready() const { return endpoint->ready; }
  bool last_resort() const { return endpoint->serving && endpoint->terminating; }
};

using Backends = std::vector<nx_backend>;

// Those that have `wanted`, or when there are none those that serve while they terminate.
template <typename Wanted, typename Allowed>
Backends Choose(const std::vector<Candidate>& all, Wanted wanted, Allowed allowed) {
  Backends chosen;
  for (const Candidate& candidate : all)
    if (allowed(candidate) && candidate.ready() && wanted(candidate))
      chosen.push_back(candidate.backend);
  if (!chosen.empty()) return chosen;
  for (const Candidate& candidate : all)
    if (allowed(candidate) && candidate.last_resort()) chosen.push_back(candidate.backend);
  return chosen;
}

// kube-proxy's canUseTopology: every ready endpoint has hints, and one is for this zone.
bool HeedsZones(const std::vector<Candidate>& all, const std::string& zone) {
  if (zone.empty()) return false;
  bool for_ours = false;
  for (const Candidate& candidate : all) {
    if (!candidate.ready()) continue;
    const std::vector<std::string>& zones = candidate.endpoint->zones;
    if (zones.empty()) return false;
    for_ours = for_ours || std::ranges::find(zones, zone) != zones.end();
  }
  return for_ours;
}

// Makes the part of one Service (facts/kube-proxy-calico.md 1.2: pkg/proxy/topology.go,
// iptables/proxier.go).
class Maker {
 public:
  Maker(ServicePart& part, const ServiceNode& node)
      : part_(part), service_(*part.service), node_(node) {}

  void Make() {
    for (std::size_t port = 0; port < service_.ports.size(); ++port)
      for (const Family family : kFamilies)
        if (const std::uint32_t number = part_.numbers[port][static_cast<std::size_t>(family)])
          AddPort(port, family, number);
    // One range may be written twice, and a load balancer's address be an external IP too, where
    // kube-proxy's first rule counts.
    Unique(part_.entries.service);
    Unique(part_.entries.source);
  }

 private:
  bool AnyLocal() const {
    return service_.external_policy == TrafficPolicy::kLocal ||
           service_.internal_policy == TrafficPolicy::kLocal;
  }

  std::vector<Candidate> Candidates(std::size_t port, Family family) const {
    std::vector<Candidate> all;
    all.reserve(service_.endpoints[port].size());
    for (const ServiceEndpoint& endpoint : service_.endpoints[port])
      if (const auto address = model::FirstOf(endpoint.addresses, family))
        all.push_back({&endpoint, {address->bytes, htons(endpoint.port), {}}});
    return all;
  }

  void AddList(std::uint32_t number, nx_backend_list list, const Backends& backends) {
    for (std::size_t from = 0; from < backends.size(); from += NX_BACKEND_BLOCK) {
      nx_backend_block block{};
      const std::size_t size = std::min<std::size_t>(backends.size() - from, NX_BACKEND_BLOCK);
      std::copy_n(backends.begin() + static_cast<std::ptrdiff_t>(from), size, block.at);
      part_.entries.backend.emplace_back(
          nx_backend_key{.service = number,
                         .block = static_cast<__u16>(from / NX_BACKEND_BLOCK),
                         .list = list,
                         .pad = 0},
          block);
    }
    if (service_.load_balancing == model::LoadBalancing::kMaglev) AddTable(number, list, backends);
  }

  void AddTable(std::uint32_t number, nx_backend_list list, const Backends& backends) {
    const std::vector<std::uint16_t> slots = ConsistentTable(backends);
    for (std::size_t from = 0; from < slots.size(); from += NX_TABLE_BLOCK) {
      nx_table block{};
      const std::size_t size = std::min<std::size_t>(slots.size() - from, NX_TABLE_BLOCK);
      std::copy_n(slots.begin() + static_cast<std::ptrdiff_t>(from), size, block.index);
      part_.entries.table.emplace_back(
          nx_table_key{.service = number,
                       .block = static_cast<__u16>(from / NX_TABLE_BLOCK),
                       .list = list,
                       .pad = 0},
          block);
    }
  }

  void AddPort(std::size_t port, Family family, std::uint32_t number) {
    const std::vector<Candidate> candidates = Candidates(port, family);
    const bool heeds = HeedsZones(candidates, node_.zone);
    const Backends all = Choose(
        candidates,
        [&](const Candidate& c) {
          return !heeds ||
                 std::ranges::find(c.endpoint->zones, node_.zone) != c.endpoint->zones.end();
        },
        [](const Candidate&) { return true; });
    AddList(number, NX_BACKENDS_ALL, all);
    nx_service value{};
    value.number = number;
    value.all = static_cast<__u16>(all.size());
    value.consistent = service_.load_balancing == model::LoadBalancing::kMaglev;
    if (AnyLocal()) {
      const Backends local = Choose(
          candidates, [](const Candidate&) { return true; },
          [&](const Candidate& c) {
            return !node_.name.empty() && c.endpoint->node_name == node_.name;
          });
      AddList(number, NX_BACKENDS_LOCAL, local);
      value.local = static_cast<__u16>(local.size());
    }
    unsigned flags = 0;
    if (service_.affinity_seconds) {
      value.affinity = Jiffies(*service_.affinity_seconds, node_.hz);
      flags |= NX_SERVICE_AFFINITY;
    }
    has_endpoints_ = std::ranges::any_of(
        candidates, [](const Candidate& c) { return c.ready() || c.last_resort(); });
    AddAddresses(service_.ports[port], family, value, flags);
  }

  nx_service With(nx_service value, nx_service_kind kind, unsigned flags,
                  TrafficPolicy policy) const {
    value.kind = kind;
    if (policy == TrafficPolicy::kLocal) flags |= NX_SERVICE_LOCAL;
    if (policy == TrafficPolicy::kLocal && has_endpoints_) flags |= NX_SERVICE_ELSEWHERE;
    value.flags = static_cast<nx_service_flags>(flags);
    return value;
  }

  void AddAddresses(const model::PortOfService& port, Family family, const nx_service& value,
                    unsigned flags) {
    const auto key = [&](const Address& address, std::uint16_t number) {
      return nx_service_key{
          .addr = address.bytes, .port = htons(number), .proto = port.protocol, .pad = 0};
    };
    const auto add = [&](const std::vector<Address>& list, const nx_service& made) {
      for (const Address& address : list)
        if (address.family() == family)
          part_.entries.service.emplace_back(key(address, port.port), made);
    };
    add(service_.cluster_ips, With(value, NX_SERVICE_CLUSTER_IP, flags, service_.internal_policy));
    const auto external = [&](nx_service_kind kind, unsigned more) {
      return With(value, kind, flags | NX_SERVICE_EXTERNAL | more, service_.external_policy);
    };
    add(service_.external_ips, external(NX_SERVICE_EXTERNAL_IP, 0));
    const unsigned sources = AddSources(family, value.number);
    add(service_.load_balancer_ips, external(NX_SERVICE_LOAD_BALANCER, sources));
    if (port.node_port == 0) return;
    const nx_service node = external(NX_SERVICE_NODE_PORT, 0);
    part_.node_ports.emplace_back(key(AnyOf(family), port.node_port), node);
    if (model::AtAnyAddress(node_.node_port_addresses, family))
      part_.entries.service.push_back(part_.node_ports.back());
    else if (!IsServed(node))
      part_.unserved.emplace_back(key(AnyOf(family), port.node_port), Unserved(node));
  }

  static bool IsServed(const nx_service& value) {
    return (value.flags & NX_SERVICE_LOCAL ? value.local : value.all) > 0;
  }
  // What KUBE-EXTERNAL-SERVICES refuses or drops it does at all addresses of the node, whatever
  // nodePortAddresses says about those that serve.
  static nx_service Unserved(nx_service value) {
    value.all = value.local = 0;
    return value;
  }

  // KUBE-FW; the flags that say so: none, and everybody may call.
  unsigned AddSources(Family family, std::uint32_t number) {
    if (!model::FirstOf(service_.load_balancer_ips, family)) return 0;
    const auto node = model::FirstOf(node_.addresses, family);
    bool any = false, from_node = false;
    const auto add = [&](const Prefix& prefix) {
      const nx_prefix abi = prefix.ToAbi();
      part_.entries.source.emplace_back(
          nx_source_key{.length = 32 + abi.length, .service = number, .addr = abi.addr},
          nx_source{1});
    };
    for (const Prefix& range : service_.load_balancer_source_ranges) {
      if (range.family() != family) continue;
      add(range);
      any = true;
      from_node = from_node || (node && range.Contains(*node));
    }
    // What the node itself sends to such an address has it as its source.
    if (from_node)
      for (const Address& address : service_.load_balancer_ips)
        if (address.family() == family) add(Prefix::Of(address));
    unsigned flags = 0;
    if (any) flags |= NX_SERVICE_SOURCES;
    if (from_node) flags |= NX_SERVICE_NODE_MAY;
    return flags;
  }

  template <typename K, typename V>
  static void Unique(Pairs<K, V>& pairs) {
    const ByBytes before;
    std::ranges::stable_sort(pairs, before, &std::pair<K, V>::first);
    const auto same = [&](const auto& a, const auto& b) { return !before(a.first, b.first); };
    pairs.erase(std::unique(pairs.begin(), pairs.end(), same), pairs.end());
  }

  ServicePart& part_;
  const Service& service_;
  const ServiceNode& node_;
  bool has_endpoints_ = false;  // of the port and family at hand
};

}  // namespace

ServicePart MakeServicePart(const model::Shared<Service>& service,
                            std::vector<std::array<std::uint32_t, 2>> numbers,
                            const ServiceNode& node) {
  ServicePart part{.service = service,
                   .numbers = std::move(numbers),
                   .entries = {},
                   .node_ports = {},
                   .unserved = {}};
  if (service->host_ports)
    AddHostPorts(part);
  else
    Maker(part, node).Make();
  return part;
}

}  // namespace natrix::compile
