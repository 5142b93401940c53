// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/rules.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <optional>
#include <vector>

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Family;
using model::GatewayType;
using model::Prefix;
using model::Subnet;

const char* PrefixOf(Family family) { return family == Family::kIpv4 ? "ovn40" : "ovn60"; }

// One set in both families, filled by a predicate over subnets.
template <typename Predicate>
std::vector<std::string> CidrsOf(const Config& config, Family family, Predicate wanted) {
  std::vector<std::string> cidrs;
  for (const Subnet& subnet : config.subnets) {
    if (!subnet.IsManaged() || !wanted(subnet)) continue;
    for (const Prefix& cidr : subnet.cidrs)
      if (cidr.family() == family) cidrs.push_back(cidr.ToString());
  }
  return cidrs;
}

std::string SetText(Family family, const std::string& name, const char* type,
                    const std::vector<std::string>& members) {
  const std::string full = PrefixOf(family) + name;
  std::string text = fmt::format("create {0} {1} family {2} maxelem 1048576 -exist\nflush {0}\n",
                                 full, type, family == Family::kIpv4 ? "inet" : "inet6");
  for (const std::string& member : members) text += fmt::format("add {} {}\n", full, member);
  return text;
}

std::string FamilyIpsets(const Config& config, Family family) {
  std::vector<std::string> services;
  for (const Prefix& cidr : config.service_cidrs)
    if (cidr.family() == family) services.push_back(cidr.ToString());
  std::vector<std::string> others;
  for (const Address& address : config.other_nodes)
    if (address.family() == family) others.push_back(address.ToString());
  const auto all = [](const Subnet&) { return true; };
  const auto nat = [](const Subnet& subnet) { return subnet.nat_outgoing; };
  const auto distributed = [](const Subnet& subnet) {
    return subnet.gateway_type == GatewayType::kDistributed;
  };
  return SetText(family, "services", "hash:net", services) +
         SetText(family, "subnets", "hash:net", CidrsOf(config, family, all)) +
         SetText(family, "local-pod-ip-nat", "hash:ip", {}) +
         SetText(family, "subnets-nat", "hash:net", CidrsOf(config, family, nat)) +
         SetText(family, "subnets-distributed-gw", "hash:net",
                 CidrsOf(config, family, distributed)) +
         SetText(family, "other-node", "hash:net", others) +
         SetText(family, "subnets-nat-policy", "hash:net", {});
}

std::optional<std::string> NodeAddress(const Config& config, Family family) {
  for (const Address& address : config.node.addresses)
    if (address.family() == family) return address.ToString();
  return std::nullopt;
}

// Appends "-A CHAIN rule", with the family's prefix where the rule says @.
class Table {
 public:
  Table(const char* name, Family family) : family_(family), text_(fmt::format("*{}\n", name)) {}

  Table& Policy(const char* chain) {
    text_ += fmt::format(":{} ACCEPT [0:0]\n", chain);
    return *this;
  }
  Table& Chain(const char* chain) {
    text_ += fmt::format(":{} - [0:0]\n", chain);
    return *this;
  }
  Table& Add(const char* chain, std::string rule) {
    for (std::size_t at = 0; (at = rule.find('@', at)) != std::string::npos;)
      rule.replace(at, 1, PrefixOf(family_));
    text_ += fmt::format("-A {} {}\n", chain, rule);
    return *this;
  }
  std::string Text() const { return text_ + "COMMIT\n"; }

 private:
  Family family_;
  std::string text_;
};

void AddFloatingIps(Table& nat, const Config& config, Family family) {
  nat.Add("PREROUTING", "-j cali-PREROUTING")
      .Add("OUTPUT", "-j cali-OUTPUT")
      .Add("POSTROUTING", "-j cali-POSTROUTING")
      .Add("cali-PREROUTING", "-j cali-fip-dnat")
      .Add("cali-OUTPUT", "-j cali-fip-dnat")
      .Add("cali-POSTROUTING", "-j cali-fip-snat");
  for (const model::FloatingIp& fip : config.floating_ips) {
    if (fip.external.family() != family) continue;
    const std::string external = fip.external.ToString();
    const std::string internal = fip.internal.ToString();
    nat.Add("cali-fip-dnat", fmt::format("-d {} -j DNAT --to-destination {}", external, internal));
    nat.Add("cali-fip-snat",
            fmt::format("-s {0} -d {0} -j SNAT --to-source {1}", internal, external));
  }
}

// pkg/daemon/gateway_linux.go, in the order of its rules.
void AddPostrouting(Table& nat, const Config& config, Family family) {
  const char* chain = "OVN-POSTROUTING";
  if (const std::optional<std::string> node = NodeAddress(config, family))
    nat.Add(chain, fmt::format("-m set --match-set @services src -m set --match-set @subnets dst "
                               "-m mark --mark 0x4000/0x4000 -j SNAT --to-source {} "
                               "--random-fully",
                               *node));
  nat.Add(chain, "-m mark --mark 0x4000/0x4000 -j OVN-MASQUERADE")
      .Add(chain,
           "-m set --match-set @subnets src -m set --match-set @subnets dst -j OVN-MASQUERADE")
      .Add(chain,
           "-m mark --mark 0x80000/0x80000 -m set --match-set @subnets-distributed-gw dst "
           "-j RETURN")
      .Add(chain, "-m mark --mark 0x80000/0x80000 -j OVN-MASQUERADE")
      .Add(chain, "-p tcp -m tcp --tcp-flags SYN NONE -m conntrack --ctstate NEW -j RETURN")
      .Add(chain,
           "-m set ! --match-set @subnets src -m set ! --match-set @other-node src "
           "-m set --match-set @subnets-nat dst -j RETURN")
      .Add(chain,
           "-m set --match-set @subnets-nat-policy src -m set ! --match-set @subnets dst "
           "-j OVN-NAT-POLICY")
      .Add(chain, "-m mark --mark 0x90001/0x90001 -j OVN-MASQUERADE")
      .Add(chain, "-m mark --mark 0x90002/0x90002 -j RETURN")
      .Add(chain,
           "-m set --match-set @subnets-nat src -m set ! --match-set @subnets dst "
           "-j OVN-MASQUERADE");
}

std::string NatText(const Config& config, Family family) {
  Table nat("nat", family);
  for (const char* chain : {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}) nat.Policy(chain);
  for (const char* chain :
       {"OVN-PREROUTING", "OVN-POSTROUTING", "OVN-MASQUERADE", "OVN-NAT-POLICY", "cali-PREROUTING",
        "cali-OUTPUT", "cali-POSTROUTING", "cali-fip-dnat", "cali-fip-snat"})
    nat.Chain(chain);
  AddFloatingIps(nat, config, family);
  nat.Add("PREROUTING", "-m comment --comment \"kube-ovn prerouting rules\" -j OVN-PREROUTING")
      .Add("POSTROUTING", "-m comment --comment \"kube-ovn postrouting rules\" -j OVN-POSTROUTING")
      .Add("OVN-PREROUTING",
           "-i ovn0 -m set --match-set @subnets src -m set --match-set @services dst "
           "-j MARK --set-xmark 0x4000/0x4000")
      .Add("OVN-MASQUERADE", "-j MARK --set-xmark 0x0/0xffffffff")
      .Add("OVN-MASQUERADE", "-j MASQUERADE --random-fully");
  AddPostrouting(nat, config, family);
  return nat.Text();
}

// pkg/daemon/gateway_linux.go with --enable-tproxy.
void AddProbes(Table& mangle, const Config& config, Family family) {
  if (config.tproxy.probes.empty()) return;
  mangle.Chain("OVN-PREROUTING")
      .Chain("OVN-OUTPUT")
      .Add("PREROUTING", "-m comment --comment \"kube-ovn prerouting rules\" -j OVN-PREROUTING")
      .Add("OUTPUT", "-m comment --comment \"kube-ovn output rules\" -j OVN-OUTPUT");
  for (const model::Probe& probe : config.tproxy.probes) {
    const auto proxy = model::FirstOf(config.tproxy.on_ip, family);
    if (probe.pod_ip.family() != family || !proxy) continue;
    const std::string match =
        fmt::format("-d {}/{} -p tcp -m tcp --dport {}", probe.pod_ip.ToString(),
                    family == Family::kIpv4 ? 32 : 128, probe.port);
    mangle.Add("OVN-OUTPUT", match + " -j MARK --set-xmark 0x90003/0x90003")
        .Add("OVN-PREROUTING", fmt::format("{} -j TPROXY --on-port {} --on-ip {} "
                                           "--tproxy-mark 0x90004/0x90004",
                                           match, config.tproxy.on_port, proxy->ToString()));
  }
}

std::string MangleText(const Config& config, Family family) {
  Table mangle("mangle", family);
  for (const char* chain : {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
    mangle.Policy(chain);
  mangle.Chain("OVN-POSTROUTING")
      .Add("POSTROUTING", "-m comment --comment \"kube-ovn postrouting rules\" -j OVN-POSTROUTING")
      .Add("OVN-POSTROUTING",
           "-p tcp -m set --match-set @subnets src -m tcp --tcp-flags RST RST "
           "-m state --state INVALID -j DROP");
  AddProbes(mangle, config, family);
  return mangle.Text();
}

std::string FilterText(const Config& config, Family family) {
  Table filter("filter", family);
  for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) filter.Policy(chain);
  for (const char* set : {"services", "subnets"})
    for (const char* side : {"dst", "src"})
      filter.Add("INPUT", fmt::format("-m set --match-set @{} {} -j ACCEPT", set, side));
  for (const Subnet& subnet : config.subnets) {
    if (!subnet.IsManaged()) continue;
    for (const Prefix& cidr : subnet.cidrs) {
      if (cidr.family() != family) continue;
      for (const char* side : {"-d", "-s"})
        filter.Add("FORWARD", fmt::format("{} {} -m comment --comment \"ovn-subnet-gateway,{}\"",
                                          side, cidr.ToString(), subnet.name));
    }
  }
  for (const char* set : {"services", "subnets"})
    for (const char* side : {"dst", "src"})
      filter.Add("FORWARD", fmt::format("-m set --match-set @{} {} -j ACCEPT", set, side));
  for (const int port : {4789, 6081})
    filter.Add("OUTPUT",
               fmt::format("-p udp -m udp --dport {} -j MARK --set-xmark 0x0/0xffffffff", port));
  return filter.Text();
}

// ["a", "b"]: quoted, since an IPv6 prefix is full of colons.
template <typename Range, typename ToText>
std::string YamlList(const Range& range, ToText to_text) {
  std::vector<std::string> items;
  for (const auto& item : range) items.push_back('"' + to_text(item) + '"');
  return fmt::format("[{}]", fmt::join(items, ", "));
}

}  // namespace

std::string IpsetText(const Config& config) {
  return FamilyIpsets(config, Family::kIpv4) + FamilyIpsets(config, Family::kIpv6);
}

std::string IptablesText(const Config& config, Family family) {
  return NatText(config, family) + MangleText(config, family) + FilterText(config, family);
}

std::string YamlText(const Config& config) {
  const auto address = [](const Address& a) { return a.ToString(); };
  const auto prefix = [](const Prefix& p) { return p.ToString(); };
  const auto same = [](const std::string& text) { return text; };
  std::string text =
      fmt::format("node:\n  name: {}\n  addresses: {}\n  uplinks: {}\n  podDevices: {}\n",
                  config.node.name, YamlList(config.node.addresses, address),
                  YamlList(config.node.uplinks, same), YamlList(config.node.pod_devices, same));
  text += config.subnets.empty() ? "subnets: []\n" : "subnets:\n";
  for (const Subnet& subnet : config.subnets)
    text += fmt::format(
        "  - name: {}\n    cidrs: {}\n    gatewayType: {}\n    natOutgoing: {}\n", subnet.name,
        YamlList(subnet.cidrs, prefix),
        subnet.gateway_type == GatewayType::kDistributed ? "distributed" : "centralized",
        subnet.nat_outgoing);
  text += fmt::format("serviceCIDRs: {}\n", YamlList(config.service_cidrs, prefix));
  text += fmt::format("otherNodes: {}\n", YamlList(config.other_nodes, address));
  text += config.floating_ips.empty() ? "floatingIPs: []\n" : "floatingIPs:\n";
  for (const model::FloatingIp& fip : config.floating_ips)
    text += fmt::format("  - {{external: \"{}\", internal: \"{}\"}}\n", fip.external.ToString(),
                        fip.internal.ToString());
  if (config.tproxy.probes.empty()) return text;
  text += fmt::format("tproxy:\n  onPort: {}\n  onIP: {}\n  probes:\n", config.tproxy.on_port,
                      YamlList(config.tproxy.on_ip, address));
  for (const model::Probe& probe : config.tproxy.probes)
    text += fmt::format("    - {{podIP: \"{}\", port: {}}}\n", probe.pod_ip.ToString(), probe.port);
  return text;
}

}  // namespace natrix::oracle
