// SPDX-License-Identifier: Apache-2.0
//
// The suite calico: pools in and beside one another, and everything that Felix can be told about
// nat outgoing.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tests/oracle/generator.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Calico;
using model::Config;
using model::Prefix;

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

Prefix Around(const std::string& address, int length) {
  return Prefix{AddressOf(address), length}.WithoutHostBits();
}

class Pools {
 public:
  Pools(Dice& dice, Calico& calico) : dice_(dice), calico_(calico) {}

  // Unless there is one already.
  void Add(const Prefix& cidr, std::uint32_t nat_percent) {
    if (std::ranges::find(calico_.pools, cidr, &model::IpPool::cidr) != calico_.pools.end()) return;
    calico_.pools.push_back({.name = fmt::format("pool-{}", calico_.pools.size()),
                             .cidr = cidr,
                             .nat_outgoing = dice_.Chance(nat_percent),
                             .disabled = dice_.Chance(20),
                             .load_balancer_only = dice_.Chance(12)});
  }

 private:
  Dice& dice_;
  Calico& calico_;
};

// Most pods' subnets are pools, or parts of them are; so is now and then what is around them, what
// is outside, and what the node has.
void AddPools(Dice& dice, Calico& calico) {
  static const std::vector<int> kLengths4{13, 16, 16, 16, 24, 28, 29, 31, 32};
  static const std::vector<int> kLengths6{42, 64, 64, 64, 112, 120, 124, 127, 128};
  Pools pools(dice, calico);
  for (const Family family : kFamilies) {
    const bool v4 = family == Family::kIpv4;
    const Cast& cast = CastOf(family);
    for (int subnet = 0; subnet < kSubnets; ++subnet)
      if (dice.Chance(subnet < 2 ? 90 : 45))
        pools.Add(Around(PodAddress(family, static_cast<Place>(dice.Below(3)), subnet),
                         dice.Pick(v4 ? kLengths4 : kLengths6)),
                  75);
    if (dice.Chance(30)) pools.Add(Around(v4 ? "10.30.0.0" : "fd00:30::", v4 ? 16 : 64), 50);
    if (dice.Chance(30))
      pools.Add(Around(v4 ? "198.51.100.0" : "2001:db8:100::", v4 ? 25 : 113), 30);
    if (dice.Chance(25)) pools.Add(Around(cast.join, v4 ? 32 : 128), 50);
    if (dice.Chance(10)) pools.Add(Around(cast.web, v4 ? 32 : 128), 50);
    if (dice.Chance(10)) pools.Add(Around(cast.node, v4 ? 24 : 64), 50);
  }
}

// Of one class of ports each, since the two choose by themselves.
void AddPorts(Dice& dice, Calico& calico) {
  static const std::vector<model::PortRange> kRanges{{1024, 65535}, {32768, 60999}, {20000, 20199},
                                                     {1, 511},      {600, 1023},    {61000, 65535}};
  if (dice.Chance(45)) calico.port_range = dice.Pick(kRanges);
}

void AddTunnels(Dice& dice, Calico& calico) {
  if (!dice.Chance(35)) return;
  calico.tunnels = {dice.Chance(75) ? kPodDevice : kUplink};
  if (!dice.Chance(50)) return;
  // Two classes would be within reach below 4789; not so above.
  calico.vxlan_port = dice.Chance(70) ? 4789 : 8472;
}

// Served outside, on another node, or by nobody on this one.
void AddMetadata(Dice& dice, Calico& calico) {
  if (!dice.Chance(35)) return;
  const Cast& cast = CastOf(Family::kIpv4);
  static const std::vector<std::uint16_t> kPorts{8775, 80};
  calico.metadata = model::Endpoint{
      AddressOf(dice.Pick(std::vector{cast.other_node, cast.web, cast.node})), dice.Pick(kPorts)};
}

// Mostly what its rule is about.
Call MetadataCall(Dice& dice) {
  Call call = CallOfAnyPod(dice, Family::kIpv4);
  call.dst = model::kMetadataAddress;
  if (dice.Chance(85)) call.protocol = support::kTcp;
  if (dice.Chance(85)) call.dport = 80;
  return call;
}

void AddFloatingIps(Dice& dice, Config& config) {
  for (const Family family : kFamilies)
    if (dice.Chance(60))
      config.floating_ips.push_back({AddressOf(CastOf(family).floating),
                                     AddressOf(PodAddress(family, static_cast<Place>(dice.Below(3)),
                                                          static_cast<int>(dice.Below(2))))});
}

}  // namespace

Config GenerateCalico(Dice& dice) {
  Config config;
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  for (const Family family : kFamilies)
    config.node.addresses.push_back(AddressOf(CastOf(family).node));
  config.kube_proxy.masquerade_all = true;  // it runs, and has no Services
  if (dice.Chance(25)) config.masquerade.port_choice = NX_PORT_KEEP;
  AddFloatingIps(dice, config);
  Calico& calico = config.calico.emplace();
  AddPools(dice, calico);
  AddPorts(dice, calico);
  AddTunnels(dice, calico);
  calico.exclude_hosts = dice.Chance(40);
  if (calico.exclude_hosts)
    for (const Family family : kFamilies)
      for (const std::string& host : {CastOf(family).other_node, CastOf(family).router})
        if (dice.Chance(70)) calico.hosts.push_back(AddressOf(host));
  for (const Family family : kFamilies)
    if (dice.Chance(35)) calico.nat_address.push_back(AddressOf(CastOf(family).egress));
  static const std::vector<std::string> kFilters{kUplink, kPodDevice, "eth+", "o+", "eth1"};
  if (dice.Chance(30)) calico.interface_filter = dice.Pick(kFilters);
  AddMetadata(dice, calico);
  return config;
}

Call GenerateCalicoCall(Dice& dice, Family family, const Config& config) {
  const Cast& cast = CastOf(family);
  if (family == Family::kIpv4 && config.calico->metadata && dice.Chance(30))
    return MetadataCall(dice);
  switch (dice.Weighted({35, 50, 15})) {
    case 0:
      return GenerateCall(dice, family, config, Scope::kBasic);
    case 1: {  // to what a pool may be masqueraded to, or not
      Call call = CallOfAnyPod(dice, family);
      static const std::vector<int> kWhom{0, 1, 2, 3};
      switch (dice.Pick(kWhom)) {
        case 0:
          call.dst = cast.other_node;
          break;
        case 1:
          call.dst = cast.router;
          break;
        default:
          call.dst = AnyOutsideHost(dice, family);
      }
      return call;
    }
    default: {  // the node, from any of its addresses by any device
      const std::vector<std::string> own{cast.node, cast.node_second, cast.join};
      Call call{std::nullopt, dice.Pick(own), {}, dice.Chance(20) ? 0x4000U : 0U};
      call.dst = dice.Chance(70) ? CallOfAnyPod(dice, family).src : AnyOutsideHost(dice, family);
      return call;
    }
  }
}

}  // namespace natrix::oracle
