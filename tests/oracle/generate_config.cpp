// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tests/oracle/generator.h"
#include "tests/oracle/rules.h"
#include "tests/support/setup_error.h"
#include "userspace/config/load.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Prefix;
using model::Subnet;

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

// The prefix of `length` bits around an address.
Prefix Around(const std::string& address, int length) {
  return Prefix{AddressOf(address), length}.WithoutHostBits();
}

// A subnet's CIDR: the whole of it, or so little that some of its pods are not in.
Prefix PodCidr(Dice& dice, Family family, int subnet) {
  static const std::vector<int> kLengths4{16, 16, 20, 24, 28, 29, 31, 32};
  static const std::vector<int> kLengths6{64, 64, 112, 112, 120, 124, 127, 128};
  const auto pod = static_cast<Place>(dice.Below(3));
  const int length = dice.Pick(family == Family::kIpv4 ? kLengths4 : kLengths6);
  return Around(PodAddress(family, pod, subnet), length);
}

Subnet Named(Dice& dice, std::string name, std::uint32_t nat_percent) {
  Subnet subnet;
  subnet.name = std::move(name);
  subnet.nat_outgoing = dice.Chance(nat_percent);
  subnet.gateway_type =
      dice.Chance(50) ? model::GatewayType::kDistributed : model::GatewayType::kCentralized;
  return subnet;
}

void AddSubnets(Dice& dice, Config& config) {
  for (int i = 0; i < kSubnets; ++i) {
    if (!dice.Chance(i < 2 ? 95 : 50)) continue;
    Subnet subnet = Named(dice, fmt::format("subnet-{}", i), 60);
    const std::uint32_t families = dice.Below(10);  // mostly both
    if (families != 0) subnet.cidrs.push_back(PodCidr(dice, Family::kIpv4, i));
    if (families != 1) subnet.cidrs.push_back(PodCidr(dice, Family::kIpv6, i));
    config.subnets.push_back(std::move(subnet));
  }
  if (dice.Chance(90)) {
    Subnet join = Named(dice, "join", 10);
    join.cidrs = {Around(CastOf(Family::kIpv4).join, 16), Around(CastOf(Family::kIpv6).join, 112)};
    config.subnets.push_back(std::move(join));
  }
  if (dice.Chance(50)) {
    // Its pods are on other nodes.
    Subnet remote = Named(dice, "remote", 50);
    remote.cidrs = {Around("10.30.0.0", 16), Around("fd00:30::", 64)};
    config.subnets.push_back(std::move(remote));
  }
}

void AddServices(Dice& dice, Config& config) {
  if (dice.Chance(90))
    config.service_cidrs.push_back(Around("10.96.0.0", dice.Chance(50) ? 12 : 24));
  if (dice.Chance(90)) config.service_cidrs.push_back(Around("fd00:10:96::", 112));
  if (dice.Chance(20)) config.service_cidrs.push_back(Around("10.200.0.0", 16));
}

void AddFloatingIps(Dice& dice, Config& config) {
  static const std::vector<std::string> kExternal4{"172.18.0.50", "203.0.113.200", "192.0.2.5"};
  static const std::vector<std::string> kExternal6{"fd00:172:18::50", "2001:db8:113::200",
                                                   "2001:db8:2::5"};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const auto& external = family == Family::kIpv4 ? kExternal4 : kExternal6;
    for (std::size_t i = 0; i < external.size(); ++i) {
      if (!dice.Chance(50)) continue;
      // One pod of its own for each: pod i, in some subnet.
      const std::string pod =
          PodAddress(family, static_cast<Place>(i), static_cast<int>(dice.Below(kSubnets)));
      config.floating_ips.push_back({AddressOf(external[i]), AddressOf(pod)});
    }
  }
}

}  // namespace

Config GenerateConfig(Dice& dice, Scope scope) {
  Config config;
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    config.node.addresses.push_back(AddressOf(CastOf(family).node));
    if (dice.Chance(70)) config.other_nodes.push_back(AddressOf(CastOf(family).other_node));
  }
  AddSubnets(dice, config);
  AddServices(dice, config);
  AddFloatingIps(dice, config);
  if (scope == Scope::kWhole) {
    AddForeignSubnets(dice, config);
    AddGateways(dice, config);
    AddPolicies(dice, config);
    AddIpvs(dice, config);
    AddNestedNodes(dice, config);
  }
  // What natrixd would refuse is this file's mistake.
  const config::Loaded loaded = config::LoadText("generated", YamlText(config));
  if (!loaded) throw support::SetupError(loaded.Render() + YamlText(config));
  return config;
}

}  // namespace natrix::oracle
