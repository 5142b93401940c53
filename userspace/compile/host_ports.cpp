// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/host_ports.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "userspace/compile/any_address.h"
#include "userspace/compile/networks.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::Prefix;
using model::Service;

void AddMapping(const model::PortMapping& mapping, Service& service) {
  service.ports.push_back(
      {.name = mapping.host_ip ? model::Endpoint{*mapping.host_ip, mapping.host_port}.ToString()
                               : fmt::to_string(mapping.host_port),
       .protocol = mapping.protocol,
       .port = mapping.container_port,
       .node_port = mapping.host_port});
  service.endpoints.emplace_back();
  service.host_ports->host_ips.push_back(mapping.host_ip);
}

// CNI-DN-*: the container's network is masqueraded, or everybody.  What the node itself calls at
// 127.0.0.1 gets a source by its route.
Service ServiceOf(const model::HostPorts& ports) {
  Service service;
  service.name_space = "hostPorts";
  service.name = ports.container;
  model::HostPortRules& rules = service.host_ports.emplace();
  rules.loopback = true;
  for (const Prefix& address : ports.addresses) {
    service.cluster_ips.push_back(address.address);
    if (ports.snat)
      rules.masqueraded.push_back(ports.masq_all ? Prefix{AnyOf(address.family()), 0}
                                                 : address.WithoutHostBits());
  }
  for (const model::PortMapping& mapping : ports.mappings) AddMapping(mapping, service);
  return service;
}

Service ServiceOf(const model::Docker& docker, std::size_t bridge,
                  const model::DockerContainer& container) {
  Service service;
  service.name_space = "docker:" + docker.bridges[bridge].name;
  service.name = container.name;
  service.cluster_ips = container.addresses;
  model::HostPortRules& rules = service.host_ports.emplace();
  rules.docker = true;
  rules.published = !docker.userland_proxy || docker.filter == model::DockerFilter::kClosed;
  rules.loopback = !docker.userland_proxy;
  if (docker.bridges_return)
    rules.not_from = NX_NOT_FROM_BRIDGES;
  else if (docker.userland_proxy)
    rules.not_from = BridgeNumber(bridge);
  for (const model::PortMapping& mapping : container.ports) AddMapping(mapping, service);
  return service;
}

nx_service ValueOf(const model::HostPortRules& rules, std::uint32_t number, bool masquerades) {
  nx_service value{};
  value.number = number;
  value.all = 1;
  value.kind = rules.docker ? NX_SERVICE_DOCKER : NX_SERVICE_PORTMAP;
  value.not_from = rules.not_from;
  unsigned flags = NX_SERVICE_HOST_PORT | NX_SERVICE_NODE_MAY;
  if (rules.loopback) flags |= NX_SERVICE_LOOPBACK;
  if (masquerades) flags |= NX_SERVICE_SOURCES;
  value.flags = static_cast<nx_service_flags>(flags);
  return value;
}

// Two host ports may be of one container port.
void AddPublished(ServicePart& part, const model::PortOfService& port, Family family) {
  const nx_service_key key{.addr = model::FirstOf(part.service->cluster_ips, family)->bytes,
                           .port = htons(port.port),
                           .proto = port.protocol,
                           .pad = 0};
  const auto same = [&](const auto& entry) {
    return __builtin_memcmp(&entry.first, &key, sizeof(key)) == 0;
  };
  if (std::ranges::any_of(part.entries.service, same)) return;
  nx_service value{};
  value.kind = NX_SERVICE_PUBLISHED;
  value.flags = NX_SERVICE_HOST_PORT;
  part.entries.service.emplace_back(key, value);
}

void AddHostPort(ServicePart& part, std::size_t index, Family family, std::uint32_t number) {
  const Service& service = *part.service;
  const model::HostPortRules& rules = *service.host_ports;
  const model::PortOfService& port = service.ports[index];
  const Address at = rules.host_ips[index].value_or(AnyOf(family));
  if (at.family() != family) return;
  bool masquerades = false;
  for (const Prefix& source : rules.masqueraded) {
    if (source.family() != family) continue;
    const nx_prefix abi = source.ToAbi();
    part.entries.source.emplace_back(
        nx_source_key{.length = 32 + abi.length, .service = number, .addr = abi.addr},
        nx_source{1});
    masquerades = true;
  }
  part.entries.service.emplace_back(
      nx_service_key{
          .addr = at.bytes, .port = htons(port.node_port), .proto = port.protocol, .pad = 0},
      ValueOf(rules, number, masquerades));
  if (rules.published) AddPublished(part, port, family);
  part.entries.backend.emplace_back(
      nx_backend_key{.service = number, .block = 0, .list = NX_BACKENDS_ALL, .pad = 0},
      nx_backend_block{
          .at = {{model::FirstOf(service.cluster_ips, family)->bytes, htons(port.port), {}}}});
}

}  // namespace

std::vector<model::Shared<Service>> HostPortServices(const model::Config& config) {
  std::vector<model::Shared<Service>> services;
  for (const model::HostPorts& ports : config.host_ports) services.push_back(ServiceOf(ports));
  for (std::size_t i = 0; i < config.docker.bridges.size(); ++i)
    for (const model::DockerContainer& container : config.docker.bridges[i].containers)
      if (!container.ports.empty()) services.push_back(ServiceOf(config.docker, i, container));
  return services;
}

void AddHostPorts(ServicePart& part) {
  for (std::size_t i = 0; i < part.numbers.size(); ++i)
    for (const Family family : model::kFamilies)
      if (const std::uint32_t number = part.numbers[i][static_cast<std::size_t>(family)])
        AddHostPort(part, i, family, number);
}

}  // namespace natrix::compile
