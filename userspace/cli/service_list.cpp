// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/service_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "maps/abi/device.h"
#include "maps/array_map_view.h"
#include "maps/in_force.h"
#include "maps/keyed_map_view.h"
#include "userspace/cli/flow_list.h"
#include "userspace/compile/table.h"

namespace natrix::cli {
namespace {

using compile::Table;
using model::Address;
using ServiceView = maps::HashMapView<nx_service_key, nx_service>;
using BackendView = maps::HashMapView<nx_backend_key, nx_backend_block>;
using NameView = maps::HashMapView<std::uint32_t, nx_service_name>;
using LocalView = maps::HashMapView<nx_addr, nx_local>;

template <std::size_t kSize>
std::string Text(const char (&field)[kSize]) {
  return {field, strnlen(field, kSize)};
}

model::Endpoint At(const nx_addr& address, __be16 port) { return {Address{address}, ntohs(port)}; }

// One copy of the configuration.
struct Side {
  std::uint32_t hz = 0;
  Table<nx_service_key, nx_service> services;
  Table<nx_backend_key, nx_backend_block> backends;
};

Result<Side> ReadSide(PinnedMaps& pins, std::uint32_t index) {
  const auto config = pins.Open<maps::ArrayMapView<nx_config>>("nx_config");
  if (!config) return std::unexpected(config.error());
  const auto scalars = config->At(index);
  if (!scalars) return std::unexpected(scalars.error());
  const auto services = pins.Open<ServiceView>(index == 0 ? "nx_service_left" : "nx_service_right");
  if (!services) return std::unexpected(services.error());
  const auto backends = pins.Open<BackendView>(index == 0 ? "nx_backend_left" : "nx_backend_right");
  if (!backends) return std::unexpected(backends.error());
  Side side{.hz = scalars->hz, .services = {}, .backends = {}};
  auto done = services->ForEach([&](const nx_service_key& key, const nx_service& value) {
    side.services.emplace(key, value);
  });
  if (!done) return std::unexpected(std::move(done).error());
  done = backends->ForEach([&](const nx_backend_key& key, const nx_backend_block& value) {
    side.backends.emplace(key, value);
  });
  if (!done) return std::unexpected(std::move(done).error());
  return side;
}

// A Service port while it is put together, its endpoints by where they are.
struct Made {
  ServicePort port;
  std::map<std::pair<Address, std::uint16_t>, ServiceEndpoint> endpoints;

  ServiceEndpoint& EndpointAt(const nx_addr& address, __be16 number) {
    const model::Endpoint at = At(address, number);
    const auto [found, is_new] = endpoints.try_emplace({at.address, at.port});
    if (is_new) found->second = {.at = at, .listed = false};
    return found->second;
  }
};
using ByNumber = std::map<std::uint32_t, Made>;

ByNumber PortsOf(const Side& side) {
  ByNumber ports;
  for (const auto& [key, value] : side.services) {
    if (value.kind == NX_SERVICE_PUBLISHED) continue;  // not called there
    ServicePort& port = ports[value.number].port;
    port.number = value.number;
    port.protocol = key.proto;
    port.affinity_seconds = side.hz == 0 ? 0 : value.affinity / side.hz;
    port.addresses.push_back({.kind = value.kind,
                              .at = At(key.addr, key.port),
                              .local = (value.flags & NX_SERVICE_LOCAL) != 0});
  }
  for (auto& [number, made] : ports)
    std::ranges::stable_sort(made.port.addresses, {}, &CalledAddress::kind);
  return ports;
}

void AddEndpoints(const Side& side, ByNumber& ports) {
  for (const auto& [key, block] : side.backends) {
    const auto port = ports.find(key.service);
    if (port == ports.end()) continue;
    for (const nx_backend& backend : block.at) {
      if (backend.port == 0) continue;  // behind the list's end
      ServiceEndpoint& endpoint = port->second.EndpointAt(backend.addr, backend.port);
      endpoint.listed = true;
      endpoint.here = endpoint.here || key.list == NX_BACKENDS_LOCAL;
    }
  }
}

Result<> AddNames(PinnedMaps& pins, ByNumber& ports) {
  const auto names = pins.Open<NameView>("nx_service_name");
  if (!names) return std::unexpected(names.error());
  return names->ForEach([&](std::uint32_t number, const nx_service_name& name) {
    const auto port = ports.find(number);
    if (port == ports.end()) return;
    port->second.port.name_space = Text(name.name_space);
    port->second.port.name = Text(name.name);
    port->second.port.port = Text(name.port);
  });
}

// Whom a new flow to this destination would call: as bpf/lib/service.h asks.
const nx_service* Called(const Side& side, const Table<nx_addr, nx_local>& own,
                         const nx_tuple& original) {
  static const Address kAny4 = Address::Parse("0.0.0.0").value();
  nx_service_key key{
      .addr = original.dst, .port = original.dport, .proto = original.proto, .pad = 0};
  auto found = side.services.find(key);
  if (found == side.services.end() && own.contains(key.addr)) {
    key.addr = Address{key.addr}.family() == model::Family::kIpv4 ? kAny4.bytes : nx_addr{};
    found = side.services.find(key);
  }
  return found == side.services.end() || found->second.kind == NX_SERVICE_PUBLISHED
             ? nullptr
             : &found->second;
}

Result<> AddFlows(PinnedMaps& pins, const Side& side, ByNumber& ports) {
  const auto local = pins.Open<LocalView>("nx_local");
  if (!local) return std::unexpected(local.error());
  Table<nx_addr, nx_local> own;
  auto done = local->ForEach(
      [&](const nx_addr& address, const nx_local& value) { own.emplace(address, value); });
  if (!done) return done;
  return ForEachFlow(pins, [&](const Flow& flow) {
    const nx_service* service = Called(side, own, flow.original);
    // One that began before the Service was there goes where it went.
    const bool as_called = std::memcmp(&flow.entry.dst, &flow.original.dst, sizeof(nx_addr)) == 0 &&
                           flow.entry.dport == flow.original.dport;
    if (service == nullptr || as_called) return;
    ++ports.at(service->number).EndpointAt(flow.entry.dst, flow.entry.dport).flows;
  });
}

}  // namespace

std::size_t ServicePort::flows() const {
  std::size_t sum = 0;
  for (const ServiceEndpoint& endpoint : endpoints) sum += endpoint.flows;
  return sum;
}

Result<std::vector<ServicePort>> ReadServices(PinnedMaps& pins) {
  const auto generation = pins.Open<maps::ArrayMapView<nx_generation>>("nx_generation");
  if (!generation) return std::unexpected(generation.error());
  const auto side = maps::ReadInForce(
      *generation, [&](std::uint32_t index) -> Result<Side> { return ReadSide(pins, index); });
  if (!side) return std::unexpected(side.error());
  ByNumber ports = PortsOf(*side);
  AddEndpoints(*side, ports);
  if (auto done = AddNames(pins, ports); !done) return std::unexpected(std::move(done).error());
  if (auto done = AddFlows(pins, *side, ports); !done)
    return std::unexpected(std::move(done).error());
  std::vector<ServicePort> list;
  for (auto& [number, made] : ports) {
    for (auto& [at, endpoint] : made.endpoints) made.port.endpoints.push_back(endpoint);
    std::ranges::stable_partition(made.port.endpoints, &ServiceEndpoint::listed);
    list.push_back(std::move(made.port));
  }
  std::ranges::stable_sort(list, [](const ServicePort& a, const ServicePort& b) {
    return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
  });
  return list;
}

}  // namespace natrix::cli
