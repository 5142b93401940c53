// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/ipvs_rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "tests/oracle/kube_proxy_services.h"

namespace natrix::oracle {
namespace {

using model::LoopBack;
using model::PortRange;
using model::ServicePort;
using model::SourceRange;

const char* NameOf(nx_l4 protocol) {
  return protocol == NX_L4_TCP ? "tcp" : protocol == NX_L4_UDP ? "udp" : "sctp";
}

std::string ToText(const ServicePort& port) {
  return fmt::format("{},{}:{}", port.address.ToString(), NameOf(port.protocol), port.port);
}

// As ipset takes a prefix: one of no bits, which it refuses, in two.
std::vector<std::string> Halves(const model::Prefix& prefix) {
  if (prefix.length != 0) return {prefix.ToString()};
  if (prefix.family() == Family::kIpv4) return {"0.0.0.0/1", "128.0.0.0/1"};
  return {"::/1", "8000::/1"};
}

class Rules {
 public:
  Rules(Table& table, const Config& config, Family family)
      : table_(table), config_(config), family_(family), sets_(IpvsSets(*config.ipvs, family)) {}

  void AddServices() {
    table_.Add("KUBE-SERVICES", fmt::format("-s {} -j RETURN",
                                            family_ == Family::kIpv4 ? "127.0.0.0/8" : "::1/128"));
    AddIf("LOAD-BALANCER", "KUBE-SERVICES", "dst,dst", "KUBE-LOAD-BALANCER");
    AddClusterIp();
    AddIf("EXTERNAL-IP", "KUBE-SERVICES", "dst,dst", "KUBE-MARK-MASQ");
    for (const char* set : {"EXTERNAL-IP", "EXTERNAL-IP-LOCAL"}) {
      AddIf(set, "KUBE-SERVICES",
            "dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL", "ACCEPT");
      AddIf(set, "KUBE-SERVICES", "dst,dst -m addrtype --dst-type LOCAL", "ACCEPT");
    }
    table_.Add("KUBE-SERVICES", "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT");
    AddIf("CLUSTER-IP", "KUBE-SERVICES", "dst,dst", "ACCEPT");
    AddIf("LOAD-BALANCER", "KUBE-SERVICES", "dst,dst", "ACCEPT");
  }

  void AddNodePorts() {
    for (const auto& [protocol, suffix, dst] :
         {std::tuple("tcp", "TCP", "dst"), std::tuple("udp", "UDP", "dst"),
          std::tuple("sctp", "SCTP-HASH", "dst,dst")}) {
      const std::string match = fmt::format("-p {} ", protocol);
      AddIf(fmt::format("NODE-PORT-LOCAL-{}", suffix), "KUBE-NODE-PORT", dst, "RETURN", match);
      AddIf(fmt::format("NODE-PORT-{}", suffix), "KUBE-NODE-PORT", dst, "KUBE-MARK-MASQ", match);
    }
  }

  void AddLoadBalancers() {
    if (MarksSources()) {  // until v1.25
      AddIf("LOAD-BALANCER-FW", "KUBE-LOAD-BALANCER", "dst,dst", "KUBE-FIREWALL");
      AddSources("KUBE-FIREWALL");
      table_.Add("KUBE-FIREWALL", "-j KUBE-MARK-DROP")
          .Add("KUBE-MARK-DROP", fmt::format("-j MARK --or-mark {:#x}", config_.marks.drop));
    }
    AddIf("LOAD-BALANCER-LOCAL", "KUBE-LOAD-BALANCER", "dst,dst", "RETURN");
    table_.Add("KUBE-LOAD-BALANCER", "-j KUBE-MARK-MASQ");
  }

  void AddSourceRanges() {
    AddIf("LOAD-BALANCER-FW", "KUBE-PROXY-FIREWALL", "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL");
    AddSources("KUBE-SOURCE-RANGES-FIREWALL");
    table_.Add("KUBE-SOURCE-RANGES-FIREWALL", "-j DROP");
  }

  // Its rules are there for empty sets, too.
  void AddAccessFilter() {
    const char* chain = "KUBE-IPVS-FILTER";
    const auto match = [&](const char* set, const char* sides) {
      return fmt::format("-m set --match-set {} {}", KubeProxySet(family_, set), sides);
    };
    for (const char* set : {"LOAD-BALANCER", "CLUSTER-IP", "EXTERNAL-IP", "EXTERNAL-IP-LOCAL"})
      table_.Add(chain, match(set, "dst,dst") + " -j RETURN");
    table_.Add(chain, match("HEALTH-CHECK-NODE-PORT", "dst") + " -j RETURN")
        .Add(chain, "-m conntrack --ctstate NEW " + match("IPVS-IPS", "dst") + " -j REJECT");
  }

  void AddPostrouting() {
    AddIf("LOOP-BACK", "KUBE-POSTROUTING", "dst,dst,src", "MASQUERADE");
    table_.Add("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN")
        .Add("KUBE-POSTROUTING", "-j MARK --xor-mark 0x4000")
        .Add("KUBE-POSTROUTING",
             std::string("-j MASQUERADE") +
                 (config_.masquerade.port_choice == NX_PORT_RANDOM ? " --random-fully" : ""))
        .Add("KUBE-MARK-MASQ", "-j MARK --or-mark 0x4000");
  }

 private:
  bool MarksSources() const { return config_.ipvs->firewall_by == model::FirewallBy::kMark; }
  void AddSources(const char* chain) {
    for (const char* set : {"LOAD-BALANCER-SOURCE-CIDR", "LOAD-BALANCER-SOURCE-IP"})
      AddIf(set, chain, "dst,dst,src", "RETURN");
  }
  bool IsThere(std::string_view name) const {
    const std::string full = KubeProxySet(family_, name);
    return std::ranges::any_of(
        sets_, [&](const IpvsSet& set) { return set.name == full && !set.members.empty(); });
  }
  void AddIf(const std::string& set, const char* chain, const std::string& match,
             const char* target, const std::string& before = "") {
    if (IsThere(set))
      table_.Add(chain, fmt::format("{}-m set --match-set {} {} -j {}", before,
                                    KubeProxySet(family_, set), match, target));
  }
  void AddClusterIp() {
    const std::string detector = LocalDetector(config_.kube_proxy, family_);
    AddIf("CLUSTER-IP", "KUBE-SERVICES",
          config_.kube_proxy.masquerade_all ? "dst,dst"
          : !detector.empty()               ? "dst,dst ! " + detector
                                            : "src,dst",
          "KUBE-MARK-MASQ");
  }

  Table& table_;
  const Config& config_;
  Family family_;
  std::vector<IpvsSet> sets_;
};

// The sets of one family, from lists that hold both.
class Sets {
 public:
  explicit Sets(Family family) : family_(family) {}

  void Add(const char* name, const std::vector<ServicePort>& ports) {
    IpvsSet& set = New(name, "hash:ip,port");
    for (const ServicePort& port : ports)
      if (port.address.family() == family_) set.members.push_back(ToText(port));
  }
  void Add(const char* name, const std::vector<PortRange>& ranges) {
    IpvsSet& set = New(name, "bitmap:port range 0-65535");
    for (const PortRange& range : ranges)
      set.members.push_back(fmt::format("{}-{}", range.first, range.last));
  }
  void Add(const char* name, const std::vector<SourceRange>& ranges) {
    IpvsSet& set = New(name, "hash:ip,port,net");
    for (const auto& [called, source] : ranges)
      if (source.family() == family_)
        for (const std::string& half : Halves(source))
          set.members.push_back(ToText(called) + "," + half);
  }
  void Add(const char* name, const std::vector<LoopBack>& loops) {
    IpvsSet& set = New(name, "hash:ip,port,ip");
    for (const auto& [endpoint, source] : loops)
      if (source.family() == family_)
        set.members.push_back(ToText(endpoint) + "," + source.ToString());
  }
  void Add(const char* name, const std::vector<model::Address>& addresses) {
    IpvsSet& set = New(name, "hash:ip");
    for (const model::Address& address : addresses)
      if (address.family() == family_) set.members.push_back(address.ToString());
  }
  std::vector<IpvsSet> Take() { return std::move(sets_); }

 private:
  IpvsSet& New(const char* name, const char* type) {
    return sets_.emplace_back(IpvsSet{KubeProxySet(family_, name), type, {}});
  }

  Family family_;
  std::vector<IpvsSet> sets_;
};

}  // namespace

std::vector<IpvsSet> IpvsSets(const model::Ipvs& ipvs, Family family) {
  Sets sets(family);
  sets.Add("CLUSTER-IP", ipvs.cluster_ips);
  sets.Add("EXTERNAL-IP", ipvs.external_ips);
  sets.Add("EXTERNAL-IP-LOCAL", ipvs.local_external_ips);
  sets.Add("LOAD-BALANCER", ipvs.load_balancer_ips);
  sets.Add("LOAD-BALANCER-LOCAL", ipvs.local_load_balancer_ips);
  sets.Add("NODE-PORT-TCP", ipvs.node_ports_tcp);
  sets.Add("NODE-PORT-UDP", ipvs.node_ports_udp);
  sets.Add("NODE-PORT-SCTP-HASH", ipvs.node_ports_sctp);
  sets.Add("NODE-PORT-LOCAL-TCP", ipvs.local_ports_tcp);
  sets.Add("NODE-PORT-LOCAL-UDP", ipvs.local_ports_udp);
  sets.Add("NODE-PORT-LOCAL-SCTP-HASH", ipvs.local_ports_sctp);
  sets.Add("LOAD-BALANCER-FW", ipvs.load_balancer_firewall);
  sets.Add("LOAD-BALANCER-SOURCE-CIDR", ipvs.source_cidrs);
  sets.Add("LOAD-BALANCER-SOURCE-IP", ipvs.source_ips);
  sets.Add("LOOP-BACK", ipvs.loop_back);
  sets.Add("IPVS-IPS", ipvs.ips);
  sets.Add("HEALTH-CHECK-NODE-PORT", ipvs.health_check_ports);
  return sets.Take();
}

void AddIpvsNat(Table& nat, const Config& config, Family family) {
  for (const char* chain :
       {"KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER",
        "KUBE-MARK-MASQ", "KUBE-FIREWALL", "KUBE-MARK-DROP"})
    nat.Chain(chain);
  for (const char* chain : {"OUTPUT", "PREROUTING"})
    nat.Add(chain, "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES");
  nat.Add("POSTROUTING",
          "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
  Rules rules(nat, config, family);
  rules.AddServices();
  rules.AddNodePorts();
  rules.AddLoadBalancers();
  rules.AddPostrouting();
}

void AddIpvsFilter(Table& filter, const Config& config, Family family) {
  if (!config.ipvs->ips.empty()) {  // an older kube-proxy has neither the set nor the chain
    filter.Chain("KUBE-IPVS-FILTER")
        .Add("INPUT", "-m comment --comment \"kubernetes ipvs access filter\" -j KUBE-IPVS-FILTER");
    Rules(filter, config, family).AddAccessFilter();
  }
  if (config.ipvs->firewall_by == model::FirewallBy::kMark) return;
  filter.Chain("KUBE-PROXY-FIREWALL").Chain("KUBE-SOURCE-RANGES-FIREWALL");
  for (const char* chain : {"INPUT", "FORWARD"})
    filter.Add(chain, "-m comment --comment \"kube-proxy firewall rules\" -j KUBE-PROXY-FIREWALL");
  Rules(filter, config, family).AddSourceRanges();
}

void AddMarkDrop(Table& filter, const Config& config, bool has_chain) {
  if (config.marks.drop == 0) return;
  if (!has_chain)
    filter.Chain("KUBE-FIREWALL")
        .Add("INPUT", "-j KUBE-FIREWALL")
        .Add("OUTPUT", "-j KUBE-FIREWALL");
  filter.Add("KUBE-FIREWALL",
             fmt::format("-m comment --comment \"kubernetes firewall for dropping marked packets\" "
                         "-m mark --mark {0:#x}/{0:#x} -j DROP",
                         config.marks.drop));
}

}  // namespace natrix::oracle
