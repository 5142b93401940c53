// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/nft_rules.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <iterator>
#include <vector>

namespace natrix::bench {
namespace {

using model::Config;
using model::Family;
using model::Prefix;

const char* FamilyWord(Family family) { return family == Family::kIpv4 ? "ip" : "ip6"; }
const char* TypeWord(Family family) { return family == Family::kIpv4 ? "ipv4_addr" : "ipv6_addr"; }

std::string SetText(const char* name, Family family, const std::vector<std::string>& members) {
  std::string text = fmt::format("  set {} {{\n    type {}; flags interval; auto-merge;\n", name,
                                 TypeWord(family));
  if (!members.empty()) text += fmt::format("    elements = {{ {} }}\n", fmt::join(members, ", "));
  return text + "  }\n";
}

std::vector<std::string> CidrsOf(const Config& config, Family family, bool only_nat) {
  std::vector<std::string> cidrs;
  for (const model::Subnet& subnet : config.subnets)
    for (const Prefix& cidr : subnet.cidrs)
      if (cidr.family() == family && subnet.IsManaged() && (!only_nat || subnet.nat_outgoing))
        cidrs.push_back(cidr.ToString());
  return cidrs;
}

std::string MasqueradeText(const Config& config, Family family) {
  const char* ip = FamilyWord(family);
  return fmt::format("table {} outgoing {{\n", ip) +
         SetText("subnets", family, CidrsOf(config, family, false)) +
         SetText("natted", family, CidrsOf(config, family, true)) +
         fmt::format(
             "  chain postrouting {{\n    type nat hook postrouting priority srcnat;\n"
             "    {} saddr @natted {} daddr != @subnets masquerade fully-random\n  }}\n}}\n",
             ip, ip);
}

// One Service of a family: its element of the verdict map, its chains.
struct ServiceText {
  std::vector<std::string> elements;
  std::string chains;
};

void AddService(ServiceText& text, const Config& config, const model::Service& service,
                std::size_t number, Family family) {
  const auto address = model::FirstOf(service.cluster_ips, family);
  if (!address || service.ports.empty()) return;
  const char* ip = FamilyWord(family);
  const char* protocol = service.ports[0].protocol == NX_L4_TCP ? "tcp" : "udp";
  const std::string name = fmt::format("service-{}", number);
  text.elements.push_back(fmt::format("{} . {} . {} : goto {}", address->ToString(), protocol,
                                      service.ports[0].port, name));
  std::string choice;
  std::size_t count = 0;
  for (const model::ServiceEndpoint& endpoint : service.endpoints[0]) {
    const auto to = model::FirstOf(endpoint.addresses, family);
    if (!to) continue;
    const std::string chain = fmt::format("endpoint-{}-{}", number, count);
    const bool v4 = family == Family::kIpv4;
    text.chains += fmt::format(
        "  chain {} {{\n    {} saddr {} jump mark-for-masquerade\n"
        "    meta l4proto {} dnat to {}{}{}:{}\n  }}\n",
        chain, ip, to->ToString(), protocol, v4 ? "" : "[", to->ToString(), v4 ? "" : "]",
        endpoint.port);
    choice += fmt::format("{}{} : goto {}", count == 0 ? "" : ", ", count, chain);
    ++count;
  }
  text.chains += fmt::format("  chain {} {{\n", name);
  for (const Prefix& cidr : config.kube_proxy.cluster_cidrs)
    if (cidr.family() == family)
      text.chains += fmt::format(
          "    {} daddr {} {} dport {} {} saddr != {} "
          "jump mark-for-masquerade\n",
          ip, address->ToString(), protocol, service.ports[0].port, ip, cidr.ToString());
  text.chains += fmt::format("    numgen random mod {} vmap {{ {} }}\n  }}\n", count, choice);
}

std::string ServicesText(const Config& config, Family family) {
  ServiceText services;
  for (std::size_t i = 0; i < config.services.size(); ++i)
    AddService(services, config, *config.services[i], i, family);
  if (services.elements.empty()) return {};
  const char* ip = FamilyWord(family);
  return fmt::format(
      "table {} kube-proxy {{\n"
      "  chain mark-for-masquerade {{\n    meta mark set meta mark or 0x4000\n  }}\n{}"
      "  map service-ips {{\n    type {} . inet_proto . inet_service : verdict;\n"
      "    elements = {{ {} }}\n  }}\n"
      "  chain services {{\n    {} daddr . meta l4proto . th dport vmap @service-ips\n  }}\n"
      "  chain prerouting {{\n    type nat hook prerouting priority dstnat; jump services\n  }}\n"
      "  chain output {{\n    type nat hook output priority -100; jump services\n  }}\n"
      "  chain postrouting {{\n    type nat hook postrouting priority srcnat;\n"
      "    meta mark and 0x4000 == 0 return\n    meta mark set meta mark xor 0x4000\n"
      "    masquerade fully-random\n  }}\n}}\n",
      ip, services.chains, TypeWord(family), fmt::join(services.elements, ", "), ip);
}

}  // namespace

std::string NftText(const Config& config) {
  std::string text;
  for (const Family family : model::kFamilies) {
    if (!config.subnets.empty()) text += MasqueradeText(config, family);
    if (!config.services.empty()) text += ServicesText(config, family);
  }
  return text;
}

}  // namespace natrix::bench
