// SPDX-License-Identifier: Apache-2.0
//
// The parts of a configuration that the suite kube-ovn has beyond kube-ovn-basic.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tests/oracle/generator.h"
#include "tests/oracle/policies.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Prefix;
using model::Subnet;

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

// Around `address`, as users write prefixes: some alone, some with the bits of the host left in.
std::string Written(Dice& dice, const std::string& address) {
  static const std::vector<int> kLengths4{0, 1, 4, 8, 15, 16, 20, 23, 24, 25, 28, 30, 31, 32};
  static const std::vector<int> kLengths6{0,  1,  16,  32,  47,  48,  64,
                                          80, 96, 112, 120, 126, 127, 128};
  if (dice.Chance(25)) return address;
  const Address parsed = AddressOf(address);
  const bool v4 = parsed.family() == Family::kIpv4;
  const Prefix prefix{parsed, dice.Pick(v4 ? kLengths4 : kLengths6)};
  return (dice.Chance(20) ? prefix : prefix.WithoutHostBits()).ToString();
}

std::string AnyPodAddress(Dice& dice, Family family) {
  const auto pod = static_cast<Place>(dice.Below(3));
  return PodAddress(family, pod, static_cast<int>(dice.Below(kSubnets)));
}

// One of those that pods call, the way generate_call.cpp chooses them.
std::string AnyDestination(Dice& dice, Family family) {
  const Cast& cast = CastOf(family);
  const bool v4 = family == Family::kIpv4;
  switch (dice.Weighted({60, 10, 10, 8, 6, 6})) {
    case 0:
      return v4 ? fmt::format("198.51.100.{}", dice.Between(1, 254))
                : fmt::format("2001:db8:100::{:x}", dice.Between(1, 0xfffe));
    case 1:
      return cast.web;
    case 2:
      return v4 ? fmt::format("10.30.0.{}", dice.Between(1, 254))
                : fmt::format("fd00:30::{:x}", dice.Between(1, 0xfffe));
    case 3:
      return cast.other_node;
    case 4:
      return cast.router;
    default:
      return AnyPodAddress(dice, family);
  }
}

template <typename Any>
std::string List(Dice& dice, const Any& any) {
  std::vector<std::string> items;
  for (std::uint32_t i = dice.Weighted({60, 25, 15}) == 0 ? 1 : dice.Between(2, 4); i > 0; --i)
    items.push_back(any());
  return fmt::format("{}", fmt::join(items, ","));
}

model::PolicyRule AnyRule(Dice& dice, Family family, const std::vector<std::string>& near) {
  const auto source = [&] {
    return Written(dice, dice.Chance(70) ? dice.Pick(near) : AnyPodAddress(dice, family));
  };
  const auto destination = [&] { return Written(dice, AnyDestination(dice, family)); };
  // Either side, both, or (ignored) none.
  const std::size_t sides = dice.Weighted({4, 28, 32, 36});
  return PolicyOf(sides & 1 ? List(dice, source) : "", sides & 2 ? List(dice, destination) : "",
                  dice.Chance(50) ? model::PolicyAction::kNat : model::PolicyAction::kForward);
}

// The first addresses of a subnet's own: what its rules are mostly about.
std::vector<std::string> PodsNear(const Subnet& subnet, Family family) {
  std::vector<std::string> near;
  for (const Prefix& cidr : subnet.cidrs) {
    if (cidr.family() != family) continue;
    for (int number = 0; number < kSubnets; ++number)
      for (const Place pod : {Place::kPod1, Place::kPod2, Place::kPod3})
        if (cidr.Contains(AddressOf(PodAddress(family, pod, number))))
          near.push_back(PodAddress(family, pod, number));
  }
  if (near.empty()) near.push_back(CastOf(family).join);
  return near;
}

model::GatewayNode AnyGateway(Dice& dice, const std::string& name, Family family) {
  const Cast& cast = CastOf(family);
  const std::vector<std::string> addresses{cast.egress, cast.egress, cast.node_second, cast.node};
  return {name, AddressOf(dice.Pick(addresses))};
}

}  // namespace

// Mostly few rules, sometimes many: they fill more than one word of bits.
void AddPolicies(Dice& dice, Config& config) {
  for (Subnet& subnet : config.subnets) {
    if (!dice.Chance(60)) continue;
    if (dice.Chance(70)) subnet.nat_outgoing = true;
    const std::uint32_t count = dice.Chance(5) ? dice.Between(60, 140) : dice.Between(1, 6);
    for (std::uint32_t i = 0; i < count; ++i) {
      const Family family = dice.Chance(50) ? Family::kIpv4 : Family::kIpv6;
      subnet.policies.push_back(AnyRule(dice, family, PodsNear(subnet, family)));
    }
  }
}

void AddGateways(Dice& dice, Config& config) {
  for (Subnet& subnet : config.subnets) {
    if (!dice.Chance(45)) continue;
    if (dice.Chance(85)) subnet.gateway_type = model::GatewayType::kCentralized;
    if (dice.Chance(80)) subnet.nat_outgoing = true;
    std::vector<std::string> names{"node1"};
    if (dice.Chance(40)) names.insert(dice.Chance(50) ? names.begin() : names.end(), "node2");
    if (dice.Chance(10)) names = {"node2"};
    for (const std::string& name : names) {
      const std::uint32_t kind = dice.Below(10);
      if (kind == 0) {
        subnet.gateway_nodes.push_back({name, std::nullopt});
        continue;
      }
      if (kind != 1) subnet.gateway_nodes.push_back(AnyGateway(dice, name, Family::kIpv4));
      if (kind != 2) subnet.gateway_nodes.push_back(AnyGateway(dice, name, Family::kIpv6));
    }
    subnet.enable_ecmp = dice.Chance(25);
    if (dice.Chance(40)) subnet.activate_gateway = dice.Pick(names);
  }
}

// Services are few, so that calls find them; local NodePorts are one range and one port.
void AddIpvs(Dice& dice, Config& config) {
  if (!dice.Chance(50)) return;
  model::Ipvs& ipvs = config.ipvs.emplace();
  static const std::vector<nx_l4> kProtocols{NX_L4_TCP, NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};
  for (std::uint16_t i = 1; i <= 6; ++i) {
    const nx_l4 protocol = dice.Pick(kProtocols);
    const auto port = static_cast<std::uint16_t>(dice.Chance(50) ? 443 : dice.Between(1, 65535));
    ipvs.cluster_ips.push_back({AddressOf(fmt::format("10.96.0.{}", i)), protocol, port});
    ipvs.cluster_ips.push_back({AddressOf(fmt::format("fd00:10:96::{:x}", i)), protocol, port});
  }
  for (auto* ports : {&ipvs.local_ports_tcp, &ipvs.local_ports_udp}) {
    const auto first = static_cast<std::uint16_t>(dice.Between(30000, 32000));
    ports->push_back({first, static_cast<std::uint16_t>(first + dice.Below(3))});
    ports->push_back(
        {static_cast<std::uint16_t>(first + 500), static_cast<std::uint16_t>(first + 500)});
  }
}

// Another VPC's, or an underlay: with the same addresses, and no business of the node's.
void AddForeignSubnets(Dice& dice, Config& config) {
  for (int i = 0; i < 2; ++i) {
    if (!dice.Chance(30)) continue;
    Subnet subnet;
    subnet.name = fmt::format("foreign-{}", i);
    subnet.nat_outgoing = dice.Chance(70);
    const int number = static_cast<int>(dice.Below(kSubnets));
    subnet.cidrs = {Prefix{AddressOf(SubnetBase(Family::kIpv4, number)), 16},
                    Prefix{AddressOf(SubnetBase(Family::kIpv6, number)), 64}};
    if (i == 0)
      subnet.vpc = "vpc-1";
    else
      subnet.vlan = "vlan-1";
    config.subnets.push_back(std::move(subnet));
  }
}

// An address of one set within a prefix of another.
void AddNestedNodes(Dice& dice, Config& config) {
  for (const Family family : {Family::kIpv4, Family::kIpv6})
    if (dice.Chance(25)) config.other_nodes.push_back(AddressOf(AnyPodAddress(dice, family)));
}

}  // namespace natrix::oracle
