// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/services.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>

#include "userspace/compile/host_ports.h"
#include "userspace/compile/service_numbers.h"
#include "userspace/compile/service_part.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::Service;

using PartPointer = std::shared_ptr<const ServicePart>;
using PartList = std::vector<PartPointer>;

bool SameName(const Service& a, const Service& b) {
  return a.name == b.name && a.name_space == b.name_space;
}

// How many parts at the beginning and at the end are the same in both.
struct Common {
  std::size_t front = 0;
  std::size_t back = 0;
};

template <typename Same>
Common CommonEnds(std::size_t before, std::size_t after, Same same) {
  Common common;
  const std::size_t most = std::min(before, after);
  while (common.front < most && same(common.front, common.front)) ++common.front;
  while (common.back < most - common.front &&
         same(before - 1 - common.back, after - 1 - common.back))
    ++common.back;
  return common;
}

// The parts that two lists do not share.
struct Changed {
  std::vector<const ServicePart*> gone;
  std::vector<const ServicePart*> come;

  Changed(const PartList& before, const PartList& after) {
    const Common common =
        CommonEnds(before.size(), after.size(),
                   [&](std::size_t b, std::size_t a) { return before[b] == after[a]; });
    const std::size_t old_end = before.size() - common.back, new_end = after.size() - common.back;
    std::vector<const ServicePart*> old, now;
    for (std::size_t i = common.front; i < old_end; ++i) {
      if (old_end == new_end && before[i] == after[i]) continue;
      old.push_back(before[i].get());
    }
    for (std::size_t i = common.front; i < new_end; ++i) {
      if (old_end == new_end && before[i] == after[i]) continue;
      now.push_back(after[i].get());
    }
    std::ranges::sort(old);
    std::ranges::sort(now);
    std::ranges::set_difference(old, now, std::back_inserter(gone));
    std::ranges::set_difference(now, old, std::back_inserter(come));
  }
};

// Finds what was made of the Service of that name: at the place where it is looked for, or else
// by its name, of which an index is made when it is first needed.
class Before {
 public:
  // Of parts [first, last): the others are found already.
  Before(const PartList& parts, std::size_t first, std::size_t last)
      : parts_(parts), first_(first), last_(last) {}

  const PartPointer* Find(const Service& service, std::size_t place) {
    if (place < last_ && SameName(parts_[place]->service, service)) return &parts_[place];
    if (index_.empty())
      for (std::size_t i = first_; i < last_; ++i)
        index_.emplace(NameOf(parts_[i]->service), &parts_[i]);
    const auto found = index_.find(NameOf(service));
    return found == index_.end() ? nullptr : found->second;
  }

 private:
  static std::string NameOf(const Service& service) {
    return service.name_space + "/" + service.name;
  }

  const PartList& parts_;
  const std::size_t first_;
  const std::size_t last_;
  std::unordered_map<std::string, const PartPointer*> index_;
};

// What is known of all parts together, from what was known before and what changed.
void Count(Services& services, const Changed& changed) {
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
  const PartList& parts = services.parts;
  std::set<nx_service_key, ByBytes> host_ports;
  for (const PartPointer& part : parts)
    if (part->service->host_ports)
      for (const auto& [key, value] : part->entries.service) host_ports.insert(key);
  for (const PartPointer& part : parts)
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
  for (const PartPointer& part : services.parts)
    all.insert((part->entries.*table).begin(), (part->entries.*table).end());
  return all;
}

// Services, then host ports, in `joined` if there are any.
const std::vector<model::Shared<Service>>& AllOf(const model::Config& config,
                                                 std::vector<model::Shared<Service>>& joined) {
  if (!model::HasHostPorts(config)) return config.services;
  joined = config.services;
  for (model::Shared<Service>& ports : HostPortServices(config)) joined.push_back(std::move(ports));
  return joined;
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
  std::vector<model::Shared<Service>> with_host_ports;
  const auto& wanted = AllOf(config, with_host_ports);
  auto made = std::make_shared<Services>();
  made->node = {.name = config.node.name,
                .zone = config.node.zone,
                .addresses = config.node.addresses,
                .node_port_addresses = config.kube_proxy.node_port_addresses,
                .hz = hz};
  const bool same_node = made->node == old.node;
  const Common common = same_node ? CommonEnds(old.parts.size(), wanted.size(),
                                               [&](std::size_t b, std::size_t a) {
                                                 return old.parts[b]->service == wanted[a];
                                               })
                                  : Common{};
  if (common.front == wanted.size() && wanted.size() == old.parts.size() && same_node && previous)
    return previous;

  PartList& parts = made->parts;
  parts.resize(wanted.size());
  std::copy_n(old.parts.begin(), common.front, parts.begin());
  std::copy_n(old.parts.end() - static_cast<std::ptrdiff_t>(common.back), common.back,
              parts.end() - static_cast<std::ptrdiff_t>(common.back));
  Before before(old.parts, common.front, old.parts.size() - common.back);
  std::vector<std::pair<std::size_t, const ServicePart*>> changed;  // with what it was before
  for (std::size_t i = common.front; i < wanted.size() - common.back; ++i) {
    const PartPointer* had = before.Find(wanted[i], i);
    if (same_node && had != nullptr && (*had)->service == wanted[i])
      parts[i] = *had;
    else
      changed.emplace_back(i, had == nullptr ? nullptr : had->get());
  }
  // What stays has its numbers by now; what changed gets what it had before anything new is given.
  ServiceNumbers numbers(old, parts);
  std::vector<std::vector<std::array<std::uint32_t, 2>>> given(changed.size());
  for (std::size_t c = 0; c < changed.size(); ++c) {
    const Service& service = wanted[changed[c].first];
    for (const model::PortOfService& port : service.ports) {
      auto& both = given[c].emplace_back();
      for (const Family family : kFamilies)
        if (model::FirstOf(service.cluster_ips, family))
          both[static_cast<std::size_t>(family)] =
              numbers.Had(changed[c].second, service, port, family);
    }
  }
  for (std::size_t c = 0; c < changed.size(); ++c) {
    const model::Shared<Service>& service = wanted[changed[c].first];
    for (auto& both : given[c])
      for (const Family family : kFamilies)
        if (auto& number = both[static_cast<std::size_t>(family)];
            number == 0 && model::FirstOf(service->cluster_ips, family))
          number = numbers.Next();
    parts[changed[c].first] = std::make_shared<const ServicePart>(
        MakeServicePart(service, std::move(given[c]), made->node));
  }
  if (same_node) {
    made->in_parts = old.in_parts;
    made->at_any_address = old.at_any_address;
    made->unserved = old.unserved;
    made->reserved_uses = old.reserved_uses;
    made->reserved = old.reserved;
    Count(*made, Changed(old.parts, parts));
  } else {
    Count(*made, Changed({}, parts));
  }
  return made;
}

std::shared_ptr<const Services> WithHost(std::shared_ptr<const Services> services,
                                         const model::Host& host) {
  ServiceEntries rest;
  const std::vector<Address> addresses = NodePortAddresses(services->node, host);
  if (!addresses.empty()) {
    // An external IP may be an address of the node: kube-proxy asks for NodePorts last.
    std::set<nx_service_key, ByBytes> taken;
    for (const PartPointer& part : services->parts)
      for (const auto& [key, value] : part->entries.service)
        if (std::ranges::binary_search(addresses, Address{key.addr})) taken.insert(key);
    for (const PartPointer& part : services->parts)
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
  const Changed changed(live.parts, wanted.parts);
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
  for (const PartPointer& part : services.parts) AddNames(*part, names);
  return {names.begin(), names.end()};
}

Edits<std::uint32_t, nx_service_name> DiffOfNames(const Services& live, const Services& wanted) {
  const Changed changed(live.parts, wanted.parts);
  NamePairs gone, come;
  for (const ServicePart* part : changed.gone) AddNames(*part, gone);
  for (const ServicePart* part : changed.come) AddNames(*part, come);
  return DiffOf(std::move(gone), std::move(come));
}

}  // namespace natrix::compile
