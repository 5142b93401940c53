// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/decode_host_ports.h"

#include <fmt/format.h>

#include <utility>

#include "userspace/config/values.h"

namespace natrix::config {
namespace {

// A list that is there, and has nothing in it.
void CheckEmpty(const Mapping& map, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const Node* value = map.Get(name);
        value != nullptr && value->kind == Node::Kind::kList && value->items.empty())
      map.diagnostics().Error(value->where, fmt::format("\"{}\" is empty", name),
                              ShapeHelp(map.KeyOf(name)));
}

void DecodeMapping(const Mapping& map, std::vector<model::PortMapping>& into,
                   std::vector<Places::Container::Mapping>& places) {
  static constexpr nx_l4 kProtocols[] = {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};
  model::PortMapping mapping;
  Places::Container::Mapping where;
  std::size_t protocol = 0;
  where.host_ip = map.Into(mapping.host_ip, "hostIP", ReadHostIp);
  where.host_port = map.Into(mapping.host_port, "hostPort", ReadPort);
  map.Into(mapping.container_port, "containerPort", ReadPort);
  map.Into(protocol, "protocol", ReadChoice);
  mapping.protocol = kProtocols[protocol];
  // What could not be read is reported, and cannot be in anybody's way.
  if (mapping.host_port == 0 || mapping.container_port == 0) return;
  into.push_back(std::move(mapping));
  places.push_back(where);
}

void DecodeContainer(const Mapping& map, Decoded& out) {
  model::HostPorts ports;
  Places::Container places;
  places.name = map.Into(ports.container, "container", ReadContainer);
  map.IntoList(ports.addresses, &places.addresses, "addresses", ReadInterfaceAddress);
  for (const Mapping& mapping : map.SubList("mappings"))
    DecodeMapping(mapping, ports.mappings, places.mappings);
  CheckEmpty(map, {"addresses", "mappings"});
  map.Into(ports.snat, "snat", ReadBool);
  const Span all = map.Into(ports.masq_all, "masqAll", ReadBool);
  if (ports.masq_all && !ports.snat)
    map.diagnostics().Error(all, "\"masqAll\" without \"snat\"",
                            "portmap masquerades nobody with `snat: false`: remove one of them");
  map.Into(ports.ip_masq, "ipMasq", ReadBool);
  out.config.host_ports.push_back(std::move(ports));
  out.places.host_ports.push_back(std::move(places));
}

void DecodeBridge(const Mapping& map, Decoded& out) {
  model::DockerBridge bridge;
  Places::DockerBridge places;
  places.name = map.Into(bridge.name, "name", ReadDevice);
  map.IntoList(bridge.subnets, &places.subnets, "subnets", ReadCidr);
  CheckEmpty(map, {"subnets"});
  for (const Mapping& each : map.SubList("containers")) {
    model::DockerContainer container;
    Places::Container where;
    where.name = each.Into(container.name, "name", ReadContainer);
    each.IntoList(container.addresses, &where.addresses, "addresses", ReadAddress);
    for (const Mapping& port : each.SubList("ports"))
      DecodeMapping(port, container.ports, where.mappings);
    CheckEmpty(each, {"addresses"});
    bridge.containers.push_back(std::move(container));
    places.containers.push_back(std::move(where));
  }
  out.config.docker.bridges.push_back(std::move(bridge));
  out.places.docker.push_back(std::move(places));
}

}  // namespace

void DecodeHostPorts(const Mapping& top, Decoded& out) {
  for (const Mapping& container : top.SubList("hostPorts")) DecodeContainer(container, out);
  const auto docker = top.Sub("docker");
  if (!docker) return;
  model::Docker& into = out.config.docker;
  docker->Into(into.userland_proxy, "userlandProxy", ReadBool);
  docker->Into(into.direct_access, "directAccess", ReadBool);
  std::size_t filter = 0;
  docker->Into(filter, "filter", ReadChoice);
  into.filter = static_cast<model::DockerFilter>(filter);
  const Span returns = docker->Into(into.bridges_return, "bridgesReturn", ReadBool);
  if (into.bridges_return && !into.userland_proxy)
    docker->diagnostics().Error(returns, "\"bridgesReturn\" without \"userlandProxy\"",
                                "without its proxy Docker has no such rule: remove one of the two");
  for (const Mapping& bridge : docker->SubList("bridges")) DecodeBridge(bridge, out);
}

}  // namespace natrix::config
