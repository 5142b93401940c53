// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tests/oracle/generator.h"

namespace natrix::oracle {
namespace {

std::string HostIn(Dice& dice, Family family, const char* base4, const char* base6) {
  return family == Family::kIpv4 ? fmt::format("{}{}", base4, dice.Between(1, 254))
                                 : fmt::format("{}{:x}", base6, dice.Between(1, 0xfffe));
}

// Somewhere on the internet, in a pod of another node, or in the cluster's own network.
std::string OutsideHost(Dice& dice, Family family) {
  switch (dice.Weighted({70, 10, 8, 6, 6})) {
    case 0:
      return HostIn(dice, family, "198.51.100.", "2001:db8:100::");
    case 1:
      return HostIn(dice, family, "10.30.0.", "fd00:30::");
    case 2:
      return CastOf(family).web;
    case 3:
      return CastOf(family).other_node;
    default:
      return CastOf(family).router;
  }
}

std::string ServiceAddress(Dice& dice, Family family) {
  if (family == Family::kIpv4 && dice.Chance(15)) return HostIn(dice, family, "10.200.0.", "");
  return HostIn(dice, family, "10.96.0.", "fd00:10:96::");
}

struct Pod {
  Place place;
  std::string address;
};

Pod AnyPod(Dice& dice, Family family) {
  const auto place = static_cast<Place>(dice.Below(3));
  // The first two subnets hold most pods.
  const int subnet = static_cast<int>(dice.Chance(70) ? dice.Below(2) : dice.Below(kSubnets));
  return {place, PodAddress(family, place, subnet)};
}

// What a pod sends to its own address never leaves it.
Pod OtherPod(Dice& dice, Family family, const Pod& than) {
  Pod other = AnyPod(dice, family);
  while (other.address == than.address) other = AnyPod(dice, family);
  return other;
}

std::vector<model::FloatingIp> FloatingOf(const model::Config& config, Family family) {
  std::vector<model::FloatingIp> found;
  for (const model::FloatingIp& fip : config.floating_ips)
    if (fip.external.family() == family) found.push_back(fip);
  return found;
}

std::uint32_t AnyMark(Dice& dice) {
  static const std::vector<std::uint32_t> kMarks{0,       0,       0x4000,  0x4000,    0x80000,
                                                 0x80000, 0x84000, 0x90001, 0x90002,   0x90003,
                                                 0x10001, 0x90004, 0x1,     0x26000000};
  return dice.Pick(kMarks);
}

Call NodeCall(Dice& dice, Family family) {
  const Cast& cast = CastOf(family);
  const std::vector<std::string> own{cast.node, cast.node, cast.node_second, cast.join};
  Call call{std::nullopt, dice.Pick(own), {}, AnyMark(dice)};
  call.dst = dice.Chance(50) ? AnyPod(dice, family).address : OutsideHost(dice, family);
  // IPVS leaves the virtual address as the source of what the node sends to a service (R1).
  if (dice.Chance(15)) call.src = ServiceAddress(dice, family);
  return call;
}

Call FloatingCall(Dice& dice, Family family, const std::vector<model::FloatingIp>& fips) {
  const model::FloatingIp& fip = dice.Pick(fips);
  const std::string internal = fip.internal.ToString();
  Call call{Place::kOutside, OutsideHost(dice, family), fip.external.ToString(), 0};
  if (dice.Chance(50)) return call;
  if (dice.Chance(30)) {  // to itself
    call.from = PlaceOf(family, internal);
    call.src = internal;
    return call;
  }
  const Pod pod = AnyPod(dice, family);
  call.from = pod.place;
  call.src = pod.address;
  return call;
}

std::uint16_t PortOf(Dice& dice, const std::vector<model::PortRange>& ranges) {
  const model::PortRange& range = dice.Pick(ranges);
  return static_cast<std::uint16_t>(dice.Between(range.first, range.last));
}

// A NodePort with local policy: of this node, or of any address, from anywhere.
Call NodePortCall(Dice& dice, Family family, const model::Ipvs& ipvs) {
  const Cast& cast = CastOf(family);
  const bool tcp = dice.Chance(50);
  Call call{Place::kOutside, dice.Chance(60) ? cast.other_node : OutsideHost(dice, family), {}};
  if (dice.Chance(15)) {
    const Pod pod = AnyPod(dice, family);
    call.from = pod.place;
    call.src = pod.address;
  }
  call.dst = dice.Chance(30) ? cast.node : AnyPod(dice, family).address;
  while (call.dst == call.src) call.dst = AnyPod(dice, family).address;
  call.protocol = tcp ? support::kTcp : support::kUdp;
  call.dport = PortOf(dice, tcp ? ipvs.local_ports_tcp : ipvs.local_ports_udp);
  return call;
}

// What kube-proxy serves, or something beside it.
Call ClusterIpCall(Dice& dice, Family family, const model::Ipvs& ipvs) {
  const Pod pod = AnyPod(dice, family);
  Call call{pod.place, pod.address, ServiceAddress(dice, family)};
  std::vector<model::ServicePort> own;
  for (const model::ServicePort& service : ipvs.cluster_ips)
    if (service.address.family() == family) own.push_back(service);
  if (own.empty()) return call;
  const model::ServicePort& service = dice.Pick(own);
  call.dst = service.address.ToString();
  if (dice.Chance(80)) call.protocol = service.protocol;
  if (dice.Chance(80)) call.dport = service.port;
  return call;
}

// A process of the node speaks as a pod's subnet would: from its address in the join subnet.
Call JoinCall(Dice& dice, Family family) {
  Call call{std::nullopt, CastOf(family).join, OutsideHost(dice, family), AnyMark(dice)};
  return call;
}

Call WholeCall(Dice& dice, Family family, const model::Config& config) {
  const Pod pod = AnyPod(dice, family);
  switch (dice.Weighted({70, config.ipvs ? 12U : 0U, config.ipvs ? 12U : 0U, 6})) {
    case 0:
      return {pod.place, pod.address, OutsideHost(dice, family)};
    case 1:
      return NodePortCall(dice, family, *config.ipvs);
    case 2:
      return ClusterIpCall(dice, family, *config.ipvs);
    default:
      return JoinCall(dice, family);
  }
}

}  // namespace

Place PlaceOf(Family family, const std::string& address) {
  for (int subnet = 0; subnet < kSubnets; ++subnet)
    for (const Place pod : {Place::kPod1, Place::kPod2, Place::kPod3})
      if (PodAddress(family, pod, subnet) == address) return pod;
  return Place::kOutside;
}

std::string AnyOutsideHost(Dice& dice, Family family) { return OutsideHost(dice, family); }

Call CallOfAnyPod(Dice& dice, Family family) {
  const Pod pod = AnyPod(dice, family);
  return {pod.place, pod.address, {}};
}

Call GenerateCall(Dice& dice, Family family, const model::Config& config, Scope scope) {
  if (scope == Scope::kWhole && dice.Chance(60)) return WholeCall(dice, family, config);
  const Cast& cast = CastOf(family);
  const std::vector<model::FloatingIp> fips = FloatingOf(config, family);
  const Pod pod = AnyPod(dice, family);
  switch (dice.Weighted({40, 10, 10, 8, 4, 4, 12, fips.empty() ? 0U : 16U})) {
    case 0:
      return {pod.place, pod.address, OutsideHost(dice, family)};
    case 1:
      return {pod.place, pod.address, ServiceAddress(dice, family)};
    case 2:
      return {pod.place, pod.address, OtherPod(dice, family, pod).address};
    case 3:
      return {Place::kOutside, OutsideHost(dice, family), pod.address};
    case 4:
      return {pod.place, pod.address, dice.Chance(50) ? cast.node : cast.join};
    case 5:
      return {Place::kOutside, OutsideHost(dice, family), cast.node};
    case 6:
      return NodeCall(dice, family);
    default:
      return FloatingCall(dice, family, fips);
  }
}

}  // namespace natrix::oracle
