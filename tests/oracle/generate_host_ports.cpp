// SPDX-License-Identifier: Apache-2.0
//
// The suite hostports: what CNI's portmap and Docker do, with and without kube-proxy and Kube-OVN.
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
using model::PortMapping;
using model::Prefix;

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

std::vector<std::string> OwnAddresses(Family family) {
  const Cast& cast = CastOf(family);
  return {cast.node, cast.node, cast.node_second, cast.join};
}

// `number` is nobody else's, so that none is in another one's way.
PortMapping AnyMapping(Dice& dice, std::uint32_t number) {
  static const std::vector<std::uint16_t> kPorts{53, 80, 443, 8080, 30080};
  static const std::vector<nx_l4> kProtocols{NX_L4_TCP, NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};
  PortMapping mapping{.host_ip = {},
                      .host_port = static_cast<std::uint16_t>(18000 + number),
                      .container_port = dice.Pick(kPorts),
                      .protocol = dice.Pick(kProtocols)};
  if (mapping.protocol == NX_L4_SCTP) mapping.container_port = mapping.host_port;
  const Family family = dice.Chance(50) ? Family::kIpv4 : Family::kIpv6;
  switch (dice.Weighted({60, 25, 5, 10})) {
    case 0:
      break;
    case 1:
      mapping.host_ip = AddressOf(dice.Pick(OwnAddresses(family)));
      break;
    case 2:  // not the node's
      mapping.host_ip = AddressOf(CastOf(family).other_node);
      break;
    default:
      mapping.host_ip = AddressOf(family == Family::kIpv4 ? "0.0.0.0" : "::");
  }
  return mapping;
}

std::vector<PortMapping> AnyMappings(Dice& dice, std::uint32_t& number) {
  std::vector<PortMapping> mappings;
  const std::uint32_t count = dice.Chance(8) ? 20 : dice.Between(1, 4);
  for (std::uint32_t i = 0; i < count; ++i) mappings.push_back(AnyMapping(dice, number++));
  return mappings;
}

// `wide`: its network holds the other subnets, too.  Networks with ipMasq do not overlap.
void AddContainer(Dice& dice, Config& config, bool wide, bool may_masquerade,
                  std::uint32_t& number) {
  const auto pod = static_cast<Place>(dice.Below(3));
  const int subnet = static_cast<int>(dice.Below(2));
  model::HostPorts ports{.container = fmt::format("c{}", number),
                         .addresses = {},
                         .mappings = AnyMappings(dice, number)};
  for (const Family family : kFamilies)
    ports.addresses.push_back({AddressOf(PodAddress(family, pod, subnet)),
                               family == Family::kIpv4 ? (wide ? 14 : 16) : (wide ? 42 : 64)});
  ports.snat = dice.Chance(85);
  ports.masq_all = ports.snat && dice.Chance(15);
  ports.ip_masq = may_masquerade && dice.Chance(35);
  config.host_ports.push_back(std::move(ports));
}

// The uplink, with another node as a container.
void AddSecondBridge(Dice& dice, Config& config, std::uint32_t& number) {
  model::DockerContainer container{
      .name = "n", .addresses = {}, .ports = AnyMappings(dice, number)};
  model::DockerBridge bridge{.name = kUplink, .subnets = {}, .containers = {}};
  for (const Family family : kFamilies) {
    const Prefix own{AddressOf(CastOf(family).other_node), family == Family::kIpv4 ? 24 : 64};
    bridge.subnets.push_back(own.WithoutHostBits());
    container.addresses.push_back(own.address);
  }
  bridge.containers.push_back(std::move(container));
  config.docker.bridges.push_back(std::move(bridge));
}

// The bridge that all pods are on, with one or both of the first subnets.
void AddDocker(Dice& dice, Config& config, std::uint32_t& number) {
  model::DockerBridge bridge{.name = kPodDevice, .subnets = {}, .containers = {}};
  const int subnets = dice.Chance(70) ? 1 : 2;
  for (int subnet = 0; subnet < subnets; ++subnet)
    for (const Family family : kFamilies)
      bridge.subnets.push_back(
          {AddressOf(SubnetBase(family, subnet)), family == Family::kIpv4 ? 16 : 64});
  const std::uint32_t count = dice.Below(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto pod = static_cast<Place>(i);  // nobody else's address
    const int subnet = static_cast<int>(dice.Below(static_cast<std::uint32_t>(subnets)));
    model::DockerContainer container{.name = fmt::format("d{}", i), .addresses = {}, .ports = {}};
    if (dice.Chance(85)) container.ports = AnyMappings(dice, number);
    for (const Family family : kFamilies)
      container.addresses.push_back(AddressOf(PodAddress(family, pod, subnet)));
    bridge.containers.push_back(std::move(container));
  }
  const bool proxy = dice.Chance(60);
  config.docker = {.userland_proxy = proxy,
                   .direct_access = dice.Chance(60),
                   .bridges_return = proxy && dice.Chance(40),
                   .bridges = {std::move(bridge)}};
  if (config.services.empty())
    config.docker.filter = static_cast<model::DockerFilter>(dice.Weighted({40, 25, 35}));
  if (dice.Chance(35)) AddSecondBridge(dice, config, number);
}

Config PlainConfig() {
  Config config;
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  for (const Family family : kFamilies)
    config.node.addresses.push_back(AddressOf(CastOf(family).node));
  // With it, the node under iptables has no chains of Kube-OVN's.
  config.kube_proxy.masquerade_all = true;
  return config;
}

std::vector<PortMapping> AllMappings(const Config& config) {
  std::vector<PortMapping> all;
  for (const model::HostPorts& ports : config.host_ports)
    all.insert(all.end(), ports.mappings.begin(), ports.mappings.end());
  for (const model::DockerBridge& bridge : config.docker.bridges)
    for (const model::DockerContainer& container : bridge.containers)
      all.insert(all.end(), container.ports.begin(), container.ports.end());
  return all;
}

}  // namespace

Config GenerateHostPorts(Dice& dice) {
  Config config = dice.Chance(50) ? GenerateProxied(dice) : PlainConfig();
  std::uint32_t number = 0;
  const bool docker = dice.Chance(50);
  const std::uint32_t count = docker ? dice.Below(4) : dice.Between(1, 6);
  const bool wide = dice.Chance(30);
  for (std::uint32_t i = 0; i < count; ++i) AddContainer(dice, config, wide, !docker, number);
  if (docker) AddDocker(dice, config, number);
  const config::Loaded loaded = config::LoadText("generated", YamlText(config));
  if (!loaded) throw support::SetupError(loaded.Render() + YamlText(config));
  return config;
}

Call GenerateHostPortCall(Dice& dice, Family family, const Config& config) {
  Call call = CallOfAnyPod(dice, family);
  if (dice.Chance(45)) call = {Place::kOutside, AnyOutsideHost(dice, family), {}};
  const std::vector<PortMapping> mappings = AllMappings(config);
  // What leaves a network, or comes into it.
  if (mappings.empty() || dice.Chance(20)) {
    if (dice.Chance(25)) call = {std::nullopt, dice.Pick(OwnAddresses(family)), {}};
    if (!call.from && dice.Chance(40)) call.mark = 0x2000;
    const bool to_pod = call.from == Place::kOutside || dice.Chance(50);
    do call.dst = to_pod ? CallOfAnyPod(dice, family).src : AnyOutsideHost(dice, family);
    while (call.dst == call.src);
    return call;
  }
  const PortMapping& mapping = dice.Pick(mappings);
  call.dst = dice.Pick(OwnAddresses(family));
  if (mapping.host_ip && mapping.host_ip->family() == family && !mapping.host_ip->IsUnspecified() &&
      dice.Chance(60))
    call.dst = mapping.host_ip->ToString();
  call.dport = mapping.host_port;
  call.protocol = mapping.protocol;
  if (dice.Chance(5)) call.protocol = support::kIcmp;
  return call;
}

}  // namespace natrix::oracle
