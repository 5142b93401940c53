// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tests/oracle/generator.h"

namespace natrix::oracle {
namespace {

std::string ClusterIp(Family family, int number) {
  return family == Family::kIpv4 ? fmt::format("10.96.0.{}", number)
                                 : fmt::format("fd00:10:96::{:x}", number);
}

// A pod, sometimes a host outside as the API server is.
std::string AnyEndpoint(Dice& dice, Family family) {
  return dice.Chance(80) ? CallOfAnyPod(dice, family).src : CastOf(family).other_node;
}

std::uint16_t AnyEndpointPort(Dice& dice) {
  static const std::vector<std::uint16_t> kPorts{80, 443, 8080, 10250};
  return dice.Pick(kPorts);
}

}  // namespace

// Services on the addresses that IPVS' set has, ports likewise where there is one; NodePorts with
// local policy out of the sets, and one with cluster policy.
std::vector<ServiceRule> GenerateServices(Dice& dice, Family family, const model::Config& config) {
  std::vector<ServiceRule> rules;
  const auto add = [&](const std::string& address, std::uint16_t port, bool masquerade) {
    rules.push_back({address, port, AnyEndpoint(dice, family), AnyEndpointPort(dice), masquerade});
  };
  if (config.ipvs) {
    for (const model::ServicePort& service : config.ipvs->cluster_ips)
      if (service.address.family() == family) add(service.address.ToString(), service.port, false);
    for (const auto* ports : {&config.ipvs->local_ports_tcp, &config.ipvs->local_ports_udp})
      for (const model::PortRange& range : *ports) add(CastOf(family).node, range.first, false);
  }
  for (int number = 1; number <= 3; ++number) add(ClusterIp(family, number), 8443, false);
  add(CastOf(family).node, 30090, true);
  add(CastOf(family).node, 30091, false);
  return rules;
}

Call GenerateServiceCall(Dice& dice, Family family, const std::vector<ServiceRule>& rules) {
  const ServiceRule& rule = dice.Pick(rules);
  const Cast& cast = CastOf(family);
  Call call = CallOfAnyPod(dice, family);
  const bool node_port = rule.address == cast.node;
  if (dice.Chance(node_port ? 75 : 15))
    call = {Place::kOutside, dice.Chance(40) ? cast.other_node : AnyOutsideHost(dice, family), {}};
  // From the node a Service is called with kube-proxy's mark.
  if (!node_port && dice.Chance(12))
    call = {std::nullopt, cast.node, {}, dice.Chance(80) ? 0x4000U : 0U};
  call.dst = rule.address;
  call.dport = rule.port;
  call.protocol = dice.Chance(50) ? support::kTcp : support::kUdp;
  return call;
}

}  // namespace natrix::oracle
