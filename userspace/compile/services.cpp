// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/services.h"

#include <algorithm>
#include <set>

#include "userspace/compile/host_ports.h"
#include "userspace/compile/service_numbers.h"
#include "userspace/compile/service_part.h"
#include "userspace/compile/service_runs.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::Service;

// What is known of all parts together, from what was known before and what changed.
void Count(Services& services, const ChangedParts& changed) {
  const auto reserve = [&](std::uint16_t port, int by) {
    if (port == 0) return;
    if (services.reserved_uses.empty()) services.reserved_uses.resize(65536);
    std::uint16_t& uses = services.reserved_uses[port];
    uses = static_cast<std::uint16_t>(uses + by);
    const std::uint32_t bit = 1U << (port % 32);
    std::uint32_t& word = services.reserved[port / 32].reserved;
    word = uses > 0 ? word | bit : word & ~bit;
  };
  const auto count = [&](const ServicePart& part, int by) {
    const auto add = [&](std::size_t& sum, std::size_t entries) {
      sum = by > 0 ? sum + entries : sum - entries;
    };
    add(services.in_parts.service, part.entries.service.size());
    add(services.in_parts.backend, part.entries.backend.size());
    add(services.in_parts.table, part.entries.table.size());
    add(services.in_parts.source, part.entries.source.size());
    for (const auto& [key, value] : part.entries.service)
      if (Address{key.addr}.IsUnspecified()) add(services.at_any_address, 1);
    add(services.at_any_address, part.unserved.size());
    add(services.unserved, part.unserved.size());
    for (const model::PortOfService& port : part.service->ports) reserve(port.node_port, by);
    reserve(part.service->health_check_node_port, by);
  };
  for (const ServicePart* part : changed.gone) count(*part, -1);
  for (const ServicePart* part : changed.come) count(*part, 1);
}

// The node's addresses that have NodePorts of their own.  None of loopback's: what comes in by a
// device for them is dropped by the kernel, and must not be turned away from that.
std::vector<Address> NodePortAddresses(const ServiceNode& node, const model::Host& host) {
  std::vector<Address> list;
  for (const model::Device& device : host.devices)
    for (const model::DeviceAddress& own : device.addresses) {
      if (own.address.IsLoopback()) continue;
      if (model::AtAnyAddress(node.node_port_addresses, own.address.family())) continue;
      for (const model::Prefix& range : node.node_port_addresses)
        if (range.Contains(own.address)) {
          list.push_back(own.address);
          break;
        }
    }
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

// What a host port has is translated before KUBE-EXTERNAL-SERVICES could refuse it.
void AddUnserved(const Services& services, Pairs<nx_service_key, nx_service>& to) {
  // To look into thousands of parts costs more than the rest of a small change.
  if (services.unserved == 0) return;
  std::set<nx_service_key, ByBytes> host_ports;
  for (const PartPointer& part : services.parts())
    if (part->service->host_ports)
      for (const auto& [key, value] : part->entries.service) host_ports.insert(key);
  for (const PartPointer& part : services.parts())
    for (const auto& entry : part->unserved)
      if (!host_ports.contains(entry.first)) to.push_back(entry);
}

template <typename K, typename V>
bool SameBytes(const Pairs<K, V>& a, const Pairs<K, V>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return __builtin_memcmp(&x.first, &y.first, sizeof(K)) == 0 &&
           __builtin_memcmp(&x.second, &y.second, sizeof(V)) == 0;
  });
}

// No key twice in either.
template <typename K, typename V>
Edits<K, V> DiffOf(Pairs<K, V> old, Pairs<K, V> now) {
  Edits<K, V> edits;
  if (old.empty()) {
    edits.write = std::move(now);
    return edits;
  }
  const ByBytes before;
  std::ranges::sort(old, before, &std::pair<K, V>::first);
  std::ranges::sort(now, before, &std::pair<K, V>::first);
  auto at = old.begin();
  for (const auto& [key, value] : now) {
    for (; at != old.end() && before(at->first, key); ++at) edits.erase.push_back(at->first);
    const bool same_key = at != old.end() && !before(key, at->first);
    if (!same_key || __builtin_memcmp(&at->second, &value, sizeof(V)) != 0)
      edits.write.emplace_back(key, value);
    if (same_key) ++at;
  }
  for (; at != old.end(); ++at) edits.erase.push_back(at->first);
  return edits;
}

// What the unshared parts of both sides have in one of the maps.
template <typename K, typename V>
Edits<K, V> DiffOf(const std::vector<const ServiceEntries*>& gone,
                   const std::vector<const ServiceEntries*>& come,
                   Pairs<K, V> ServiceEntries::* table) {
  const auto gather = [&](const std::vector<const ServiceEntries*>& list) {
    Pairs<K, V> all;
    std::size_t size = 0;
    for (const ServiceEntries* entries : list) size += (entries->*table).size();
    all.reserve(size);
    for (const ServiceEntries* entries : list)
      all.insert(all.end(), (entries->*table).begin(), (entries->*table).end());
    return all;
  };
  return DiffOf(gather(gone), gather(come));
}

using NamePairs = Pairs<std::uint32_t, nx_service_name>;

void AddNames(const ServicePart& part, NamePairs& names) {
  for (std::size_t i = 0; i < part.numbers.size(); ++i)
    for (const std::uint32_t number : part.numbers[i]) {
      if (number == 0) continue;
      nx_service_name name{};
      part.service->name_space.copy(name.name_space, sizeof(name.name_space) - 1);
      part.service->name.copy(name.name, sizeof(name.name) - 1);
      part.service->ports[i].name.copy(name.port, sizeof(name.port) - 1);
      names.emplace_back(number, name);
    }
}

template <typename K, typename V>
Table<K, V> AllOf(const Services& services, Pairs<K, V> ServiceEntries::* table) {
  Table<K, V> all((services.rest.get()->*table).begin(), (services.rest.get()->*table).end());
  for (const PartPointer& part : services.parts())
    all.insert((part->entries.*table).begin(), (part->entries.*table).end());
  return all;
}

ServiceNode NodeOf(const model::Config& config, std::uint32_t hz) {
  return {.name = config.node.name,
          .zone = config.node.zone,
          .addresses = config.node.addresses,
          .node_port_addresses = config.kube_proxy.node_port_addresses,
          .hz = hz};
}

// Makes the parts that are missing.
void Fill(Draft& draft, const ServiceList& wanted, const Services& old, const ServiceNode& node) {
  std::vector<Draft::Place*> missing;
  for (Draft::Place& place : draft.places)
    if (!place.part) missing.push_back(&place);
  // What stays has its numbers by now; what changed gets what it had before anything new is given.
  ServiceNumbers numbers(old, draft);
  std::vector<std::vector<std::array<std::uint32_t, 2>>> given(missing.size());
  for (std::size_t m = 0; m < missing.size(); ++m) {
    const Service& service = wanted[missing[m]->service];
    for (const model::PortOfService& port : service.ports) {
      auto& both = given[m].emplace_back();
      for (const Family family : kFamilies)
        if (model::FirstOf(service.cluster_ips, family))
          both[static_cast<std::size_t>(family)] =
              numbers.Had(missing[m]->had, service, port, family);
    }
  }
  for (std::size_t m = 0; m < missing.size(); ++m) {
    const model::Shared<Service>& service = wanted[missing[m]->service];
    for (auto& both : given[m])
      for (const Family family : kFamilies)
        if (auto& number = both[static_cast<std::size_t>(family)];
            number == 0 && model::FirstOf(service->cluster_ips, family))
          number = numbers.Next();
    missing[m]->part =
        std::make_shared<const ServicePart>(MakeServicePart(service, std::move(given[m]), node));
  }
}

}  // namespace

Table<nx_service_key, nx_service> Services::AllServices() const {
  return AllOf(*this, &ServiceEntries::service);
}
Table<nx_backend_key, nx_backend_block> Services::AllBackends() const {
  return AllOf(*this, &ServiceEntries::backend);
}
Table<nx_table_key, nx_table> Services::AllTables() const {
  return AllOf(*this, &ServiceEntries::table);
}
Table<nx_source_key, nx_source> Services::AllSources() const {
  return AllOf(*this, &ServiceEntries::source);
}

std::shared_ptr<const Services> MakeServices(const model::Config& config, std::uint32_t hz,
                                             const std::shared_ptr<const Services>& previous) {
  static const auto none = std::make_shared<const Services>();
  const Services& old = previous ? *previous : *none;
  const ServiceList::List host_ports = HostPortServices(config);
  const ServiceList wanted(config.services, host_ports);
  ServiceNode node = NodeOf(config, hz);
  const bool same_node = node == old.node;
  Draft draft = DraftOf(old.runs, wanted, same_node);
  if (same_node && previous && draft.Is(old.runs)) return previous;

  auto made = std::make_shared<Services>();
  if (same_node) {  // counted from there; the runs and the rest are made anew
    made->in_parts = old.in_parts;
    made->at_any_address = old.at_any_address;
    made->unserved = old.unserved;
    made->reserved_uses = old.reserved_uses;
    made->reserved = old.reserved;
  }
  made->node = std::move(node);
  Fill(draft, wanted, old, made->node);
  made->runs = draft.Runs();
  Count(*made, ChangedParts(same_node ? old.runs : RunList(), made->runs));
  return made;
}

std::shared_ptr<const Services> WithHost(std::shared_ptr<const Services> services,
                                         const model::Host& host) {
  ServiceEntries rest;
  const std::vector<Address> addresses = NodePortAddresses(services->node, host);
  if (!addresses.empty()) {
    // An external IP may be an address of the node: kube-proxy asks for NodePorts last.
    std::set<nx_service_key, ByBytes> taken;
    for (const PartPointer& part : services->parts())
      for (const auto& [key, value] : part->entries.service)
        if (std::ranges::binary_search(addresses, Address{key.addr})) taken.insert(key);
    for (const PartPointer& part : services->parts())
      for (const auto& [any, value] : part->node_ports)
        for (const Address& address : addresses) {
          if (address.family() != Address{any.addr}.family()) continue;
          nx_service_key key = any;
          key.addr = address.bytes;
          if (!taken.contains(key)) rest.service.emplace_back(key, value);
        }
  }
  AddUnserved(*services, rest.service);
  if (services->rest->backend.empty() && services->rest->table.empty() &&
      services->rest->source.empty() && SameBytes(services->rest->service, rest.service))
    return services;
  auto with = std::make_shared<Services>(*services);
  with->rest = std::make_shared<const ServiceEntries>(std::move(rest));
  return with;
}

ServiceEdits Diff(const Services& live, const Services& wanted) {
  if (&live == &wanted) return {};
  const ChangedParts changed(live.runs, wanted.runs);
  std::vector<const ServiceEntries*> gone, come;
  for (const ServicePart* part : changed.gone) gone.push_back(&part->entries);
  for (const ServicePart* part : changed.come) come.push_back(&part->entries);
  if (live.rest != wanted.rest) {
    gone.push_back(live.rest.get());
    come.push_back(wanted.rest.get());
  }
  return {.service = DiffOf(gone, come, &ServiceEntries::service),
          .backend = DiffOf(gone, come, &ServiceEntries::backend),
          .table = DiffOf(gone, come, &ServiceEntries::table),
          .source = DiffOf(gone, come, &ServiceEntries::source)};
}

ServiceNames NamesOf(const Services& services) {
  NamePairs names;
  for (const PartPointer& part : services.parts()) AddNames(*part, names);
  return {names.begin(), names.end()};
}

Edits<std::uint32_t, nx_service_name> DiffOfNames(const Services& live, const Services& wanted) {
  const ChangedParts changed(live.runs, wanted.runs);
  NamePairs gone, come;
  for (const ServicePart* part : changed.gone) AddNames(*part, gone);
  for (const ServicePart* part : changed.come) AddNames(*part, come);
  return DiffOf(std::move(gone), std::move(come));
}

}  // namespace natrix::compile
