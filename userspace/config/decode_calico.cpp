// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/decode_calico.h"

#include <optional>
#include <utility>

#include "userspace/config/choice.h"
#include "userspace/config/values.h"

namespace natrix::config {
namespace {

enum class Use { kWorkload, kTunnel, kLoadBalancer };
enum class Exclusions { kPools, kPoolsAndHosts };

void DecodePool(const Mapping& map, model::Calico& calico, Places::Calico& places) {
  model::IpPool pool;
  Places::Calico::Pool where;
  std::optional<model::Prefix> cidr;
  std::vector<std::size_t> uses;
  where.name = map.Into(pool.name, "name", ReadName);
  where.cidr = map.Into(cidr, "cidr", ReadCidr);
  map.Into(pool.nat_outgoing, "natOutgoing", ReadBool);
  map.Into(pool.disabled, "disabled", ReadBool);
  map.IntoList(uses, nullptr, "allowedUses", ReadChoice);
  pool.load_balancer_only = !uses.empty();
  for (const std::size_t use : uses)
    if (static_cast<Use>(use) != Use::kLoadBalancer) pool.load_balancer_only = false;
  if (!cidr) return;
  pool.cidr = *cidr;
  calico.pools.push_back(std::move(pool));
  places.pools.push_back(where);
}

void DecodeNatAddress(const Mapping& map, model::Calico& calico, Places::Calico& places) {
  const Node* value = map.Get("natOutgoingAddress");
  if (value == nullptr) return;
  const Key& key = map.KeyOf("natOutgoingAddress");
  for (const Node& part : SplitCommas(*value, key, map.diagnostics())) {
    const auto address = ReadAddress(part, key, map.diagnostics());
    if (!address) continue;
    calico.nat_address.push_back(*address);
    places.nat_address.push_back(part.where);
  }
}

// An address that one host has, be it this one to itself.
std::optional<model::Address> ReadServer(const Node& node, const Key& key,
                                         Diagnostics& diagnostics) {
  const auto address = model::Address::Parse(node.text);
  return address && address->IsLoopback() ? address : ReadAddress(node, key, diagnostics);
}

// Felix' MetadataAddr and MetadataPort, with its defaults.
void DecodeMetadata(const Mapping& calico_map, model::Calico& calico, Places::Calico& places) {
  const auto map = calico_map.Sub("metadata");
  if (!map) return;
  model::Endpoint& metadata =
      calico.metadata.emplace(model::Address::Parse("127.0.0.1").value(), std::uint16_t{8775});
  const Span where = map->Into(metadata.address, "address", ReadServer);
  places.metadata = where.end != 0 ? where : map->where();
  map->Into(metadata.port, "port", ReadPort);
}

}  // namespace

void DecodeCalico(const Mapping& top, Decoded& out) {
  const auto map = top.Sub("calico");
  if (!map) return;
  model::Calico& calico = out.config.calico.emplace();
  Places::Calico& places = out.places.calico;
  for (const Mapping& pool : map->SubList("ipPools")) DecodePool(pool, calico, places);
  auto exclusions = Exclusions::kPools;
  DecodeChoice(*map, "natOutgoingExclusions", exclusions);
  calico.exclude_hosts = exclusions == Exclusions::kPoolsAndHosts;
  map->IntoList(calico.hosts, &places.hosts, "hosts", ReadAddress);
  map->Into(calico.port_range, "natPortRange", ReadPortRange);
  DecodeNatAddress(*map, calico, places);
  places.interface_filter =
      map->Into(calico.interface_filter, "natOutgoingInterfaceFilter", ReadInterface);
  map->IntoList(calico.tunnels, &places.tunnels, "tunnels", ReadDevice);
  map->Into(calico.vxlan_port, "vxlanPort", ReadPort);
  DecodeMetadata(*map, calico, places);
}

}  // namespace natrix::config
