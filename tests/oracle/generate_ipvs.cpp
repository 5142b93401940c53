// SPDX-License-Identifier: Apache-2.0
//
// kube-proxy's sets of IPVS mode, for the suites services and hostports.
#include <fmt/core.h>

#include "tests/oracle/generator.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Ipvs;
using model::Prefix;
using model::ServicePort;

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

Address Numbered(Family family, const char* base4, const char* base6, std::uint32_t number) {
  return AddressOf(family == Family::kIpv4 ? fmt::format("{}{}", base4, number)
                                           : fmt::format("{}{:x}", base6, number));
}

std::string AnyOwnAddress(Dice& dice, Family family) {
  const Cast& cast = CastOf(family);
  const std::vector<std::string> own{cast.node, cast.node_second, cast.node_second, cast.join};
  return dice.Pick(own);
}

// IPVS has its addresses on a device of the node's; a packet to another one goes on.
Address AnyVirtual(Dice& dice, Family family, std::uint32_t number) {
  if (dice.Chance(50)) return AddressOf(AnyOwnAddress(dice, family));
  return Numbered(family, "203.0.113.", "2001:db8:113::", number);
}

// Who may call it.  Of pods and outside hosts about a half are in one of them.
void AddSources(Dice& dice, const ServicePort& called, Ipvs& ipvs) {
  static const std::vector<std::string> kRanges{
      "198.51.100.0/25",   "198.51.100.128/26", "198.51.100.0/28",    "10.16.0.0/16",
      "172.18.0.0/24",     "10.16.0.10/32",     "2001:db8:100::/114", "2001:db8:100::/52",
      "fd00:10:16::/64",   "fd00:10:17::/64",   "fd00:172:18::3/128", "0.0.0.0/0",
      "2001:db8:100::/113"};
  for (const std::string& text : kRanges) {
    const Prefix range = Prefix::Parse(text).value();
    if (range.family() == called.address.family() && dice.Chance(range.length == 0 ? 5 : 25))
      ipvs.source_cidrs.push_back({called, range});
  }
  const Family family = called.address.family();
  const std::vector<std::string> hosts{CastOf(family).web, CastOf(family).other_node,
                                       PodAddress(family, Place::kPod2, 0),
                                       PodAddress(family, Place::kPod3, 1)};
  for (const std::string& host : hosts)
    if (dice.Chance(20)) ipvs.source_ips.push_back({called, AddressOf(host)});
}

void AddLoadBalancer(Dice& dice, const ServicePort& called, Ipvs& ipvs) {
  if (dice.Chance(85)) ipvs.load_balancer_ips.push_back(called);
  if (dice.Chance(30)) ipvs.local_load_balancer_ips.push_back(called);
  if (!dice.Chance(60)) return;
  ipvs.load_balancer_firewall.push_back(called);
  AddSources(dice, called, ipvs);
}

void AddNodePort(Dice& dice, nx_l4 protocol, std::uint16_t port, Ipvs& ipvs) {
  const bool local = dice.Chance(35);
  if (protocol == NX_L4_SCTP) {
    for (const Family family : kFamilies) {
      const ServicePort called{AddressOf(AnyOwnAddress(dice, family)), protocol, port};
      ipvs.node_ports_sctp.push_back(called);
      if (local) ipvs.local_ports_sctp.push_back(called);
    }
    return;
  }
  const bool tcp = protocol == NX_L4_TCP;
  (tcp ? ipvs.node_ports_tcp : ipvs.node_ports_udp).push_back({port, port});
  if (local) (tcp ? ipvs.local_ports_tcp : ipvs.local_ports_udp).push_back({port, port});
}

// Endpoints that call themselves, and one that somebody else is masqueraded to.
void AddLoopBacks(Dice& dice, nx_l4 protocol, std::uint16_t port, Ipvs& ipvs) {
  const auto pod = static_cast<Place>(dice.Below(3));
  const int subnet = static_cast<int>(dice.Below(3));
  const bool other = dice.Chance(20);
  for (const Family family : kFamilies) {
    const ServicePort endpoint{AddressOf(PodAddress(family, pod, subnet)), protocol, port};
    const std::string source = other ? CastOf(family).web : PodAddress(family, pod, subnet);
    ipvs.loop_back.push_back({endpoint, AddressOf(source)});
  }
}

// What kube-proxy binds to kube-ipvs0: all that IPVS serves but NodePorts; and an address or two
// that it has bound too many.
void AddBound(Dice& dice, Ipvs& ipvs) {
  for (const auto* list :
       {&ipvs.cluster_ips, &ipvs.external_ips, &ipvs.local_external_ips, &ipvs.load_balancer_ips})
    for (const ServicePort& called : *list)
      if (dice.Chance(90)) ipvs.ips.push_back(called.address);
  for (const Family family : kFamilies)
    if (dice.Chance(30)) ipvs.ips.push_back(AddressOf(AnyOwnAddress(dice, family)));
  if (dice.Chance(50)) ipvs.health_check_ports = {{30000, 30002}, {443, 443}};
}

std::vector<ServicePort> AllCalled(Dice& dice, Family family, const Ipvs& ipvs) {
  std::vector<ServicePort> all;
  for (const auto* list :
       {&ipvs.cluster_ips, &ipvs.external_ips, &ipvs.local_external_ips, &ipvs.load_balancer_ips,
        &ipvs.load_balancer_firewall, &ipvs.load_balancer_firewall, &ipvs.node_ports_sctp})
    for (const ServicePort& called : *list)
      if (called.address.family() == family) all.push_back(called);
  for (const auto& [list, protocol] :
       {std::pair(&ipvs.node_ports_tcp, NX_L4_TCP), std::pair(&ipvs.node_ports_udp, NX_L4_UDP)})
    for (const model::PortRange& range : *list)
      all.push_back({AddressOf(AnyOwnAddress(dice, family)), protocol, range.first});
  return all;
}

const std::vector<std::uint8_t>& AnyProtocol() {
  static const std::vector<std::uint8_t> kAny{support::kIcmp, support::kIcmp, support::kUdp,
                                              support::kTcp};
  return kAny;
}

Call LoopBackCall(Dice& dice, Family family, const Ipvs& ipvs) {
  std::vector<model::LoopBack> loops;
  for (const model::LoopBack& loop : ipvs.loop_back)
    if (loop.source.family() == family) loops.push_back(loop);
  const auto& [endpoint, source] = dice.Pick(loops);
  Call call{PlaceOf(family, source.ToString()), source.ToString(), endpoint.address.ToString()};
  call.protocol = endpoint.protocol;
  call.dport = endpoint.port;
  return call;
}

}  // namespace

void AddIpvsSets(Dice& dice, Config& config) {
  static const std::vector<std::uint16_t> kPorts{53, 80, 443, 6443, 30080};
  static const std::vector<nx_l4> kProtocols{NX_L4_TCP, NX_L4_TCP, NX_L4_UDP, NX_L4_UDP,
                                             NX_L4_SCTP};
  Ipvs& ipvs = config.ipvs.emplace();
  const std::uint32_t count = dice.Between(1, 8);
  for (std::uint32_t i = 0; i < count; ++i) {
    const nx_l4 protocol = dice.Pick(kProtocols);
    const std::uint16_t port = dice.Pick(kPorts);
    const bool external = dice.Chance(40), balanced = dice.Chance(70), local = dice.Chance(35);
    for (const Family family : kFamilies) {
      ipvs.cluster_ips.push_back(
          {Numbered(family, "10.96.0.", "fd00:10:96::", 20 + i), protocol, port});
      if (external)
        (local ? ipvs.local_external_ips : ipvs.external_ips)
            .push_back({AnyVirtual(dice, family, 60 + i), protocol, port});
      if (balanced) AddLoadBalancer(dice, {AnyVirtual(dice, family, 20 + i), protocol, port}, ipvs);
    }
    if (dice.Chance(50)) AddNodePort(dice, protocol, static_cast<std::uint16_t>(30000 + i), ipvs);
    if (dice.Chance(40)) AddLoopBacks(dice, protocol, port, ipvs);
  }
  if (dice.Chance(50)) AddBound(dice, ipvs);
  if (dice.Chance(45)) ipvs.firewall_by = model::FirewallBy::kMark;
  if (ipvs.firewall_by == model::FirewallBy::kMark || dice.Chance(30)) config.marks.drop = 0x8000;
}

Call GenerateIpvsCall(Dice& dice, Family family, const Config& config) {
  const Ipvs& ipvs = *config.ipvs;
  if (!ipvs.loop_back.empty() && dice.Chance(10)) return LoopBackCall(dice, family, ipvs);
  const ServicePort called = dice.Pick(AllCalled(dice, family, ipvs));
  Call call = CallOfAnyPod(dice, family);
  if (dice.Chance(60)) call = {Place::kOutside, AnyOutsideHost(dice, family), {}};
  if (!ipvs.source_ips.empty() && dice.Chance(20)) {
    const Address source = dice.Pick(ipvs.source_ips).source;
    if (source.family() == family)
      call = {PlaceOf(family, source.ToString()), source.ToString(), {}};
  }
  call.dst = called.address.ToString();
  call.protocol = called.protocol;
  call.dport = called.port;
  const std::uint32_t unserved = ipvs.ips.empty() ? 5 : 20;
  if (dice.Chance(unserved)) call.dport = static_cast<std::uint16_t>(called.port + 1);
  if (dice.Chance(unserved)) call.protocol = dice.Pick(AnyProtocol());
  call.plain = !ipvs.load_balancer_firewall.empty();
  return call;
}

}  // namespace natrix::oracle
