// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/rules.h"

#include <fmt/core.h>

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/oracle/calico_rules.h"
#include "tests/oracle/host_port_rules.h"
#include "tests/oracle/ipvs_rules.h"
#include "tests/oracle/kube_ovn.h"
#include "tests/oracle/kube_proxy_rules.h"
#include "tests/oracle/rule_table.h"

namespace natrix::oracle {
namespace {

// setIptables (pkg/daemon/gateway_linux.go), in the order of its rules: R1 to R12.
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
      .Add(chain, "-m mark --mark 0x90002/0x90002 -j RETURN");
  for (const auto& [cidr, address] : EgressAddresses(config, family))
    nat.Add(chain, fmt::format("-s {} -m set ! --match-set @subnets dst -j SNAT --to-source {} "
                               "--random-fully",
                               cidr, address));
  nat.Add(chain,
          "-m set --match-set @subnets-nat src -m set ! --match-set @subnets dst "
          "-j OVN-MASQUERADE");
}

// OVN-NAT-POLICY, and for each of its subnets a chain OVN-NAT-PSUBNET-<end of the Subnet's UID>:
// the place in the list stands in for the UID, which no configuration has.
void AddPolicies(Table& nat, const Config& config, Family family) {
  const std::vector<const Subnet*> subnets = PolicySubnets(config, family);
  for (std::size_t i = 0; i < subnets.size(); ++i)
    nat.Chain(fmt::format("OVN-NAT-PSUBNET-{:012x}", i));
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    const std::string chain = fmt::format("OVN-NAT-PSUBNET-{:012x}", i);
    nat.Add("OVN-NAT-POLICY", fmt::format("-s {} -m comment --comment natPolicySubnet-{} -j {}",
                                          *CidrOf(*subnets[i], family), subnets[i]->name, chain));
    for (const PolicyStatus& rule : PoliciesOf(*subnets[i])) {
      if (rule.family() != family) continue;
      std::string match;
      if (!rule.src.empty())
        match += fmt::format("-m set --match-set {} src ", PolicySet(family, rule, "src"));
      if (!rule.dst.empty())
        match += fmt::format("-m set --match-set {} dst ", PolicySet(family, rule, "dst"));
      nat.Add(chain, match + (rule.action == model::PolicyAction::kNat
                                  ? "-j MARK --set-xmark 0x90001/0x90001"
                                  : "-j MARK --set-xmark 0x90002/0x90002"));
    }
  }
}

// P1 to P5.  Those that ask kube-proxy's sets are there only if the sets are.
void AddPrerouting(Table& nat, const Config& config, Family family) {
  const char* chain = "OVN-PREROUTING";
  const std::string cluster_ip = KubeProxySet(family, "CLUSTER-IP") + " dst,dst";
  nat.Add(chain, fmt::format("-i ovn0 -m set --match-set @subnets src -m set --match-set {} "
                             "-j MARK --set-xmark 0x4000/0x4000",
                             config.ipvs ? cluster_ip : "@services dst"));
  if (!config.ipvs || !NodeAddress(config, family)) return;
  for (const auto& [protocol, name] : {std::pair("tcp", "TCP"), std::pair("udp", "UDP")}) {
    const std::string set = KubeProxySet(family, fmt::format("NODE-PORT-LOCAL-{}", name));
    nat.Add(chain, fmt::format("-p {} -m addrtype --dst-type LOCAL -m set --match-set {} dst "
                               "-j MARK --set-xmark 0x80000/0x80000",
                               protocol, set))
        .Add(chain, fmt::format("-p {} -m set --match-set @other-node src -m set --match-set {} "
                                "dst -j MARK --set-xmark 0x4000/0x4000",
                                protocol, set));
  }
}

// kube-proxy may run without Kube-OVN, whose chains would then change marks that nobody asks it to.
bool HasKubeOvn(const Config& config) {
  return !HasKubeProxy(config) || !config.subnets.empty() || !config.service_cidrs.empty() ||
         !config.other_nodes.empty();
}

void AddKubeOvnNat(Table& nat, const Config& config, Family family) {
  for (const char* chain :
       {"OVN-PREROUTING", "OVN-POSTROUTING", "OVN-MASQUERADE", "OVN-NAT-POLICY"})
    nat.Chain(chain);
  nat.Add("PREROUTING", "-m comment --comment \"kube-ovn prerouting rules\" -j OVN-PREROUTING")
      .Add("POSTROUTING", "-m comment --comment \"kube-ovn postrouting rules\" -j OVN-POSTROUTING")
      .Add("OVN-MASQUERADE", "-j MARK --set-xmark 0x0/0xffffffff")
      .Add("OVN-MASQUERADE", "-j MASQUERADE --random-fully");
  AddPrerouting(nat, config, family);
  AddPostrouting(nat, config, family);
  AddPolicies(nat, config, family);
}

std::string NatText(const Config& config, Family family) {
  Table nat("nat", family);
  for (const char* chain : {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}) nat.Policy(chain);
  AddCalicoNat(nat, config, family);
  AddHostPortMasquerade(nat, config, family);
  if (HasKubeOvn(config)) AddKubeOvnNat(nat, config, family);
  if (config.ipvs)
    AddIpvsNat(nat, config, family);
  else
    AddKubeProxyNat(nat, config, family);
  AddHostPortDnat(nat, config, family);
  AddIpMasq(nat, config, family);
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
  for (const auto& [cidr, address] : EgressAddresses(config, family))
    mangle.Add("OVN-POSTROUTING",
               fmt::format("-s {} -p tcp -m tcp --tcp-flags SYN NONE -m conntrack --ctstate NEW "
                           "-m set ! --match-set @subnets dst -j DROP",
                           cidr));
  AddProbes(mangle, config, family);
  return mangle.Text();
}

// Each rule is inserted at the head of its chain, so that they stand in reverse.
void AddAccepts(Table& filter, const char* chain) {
  for (const char* set : {"services", "subnets"})
    for (const char* side : {"dst", "src"})
      filter.Add(chain, fmt::format("-m set --match-set @{} {} -j ACCEPT", set, side));
}

void AddGatewayCounters(Table& filter, const Config& config, Family family) {
  std::map<std::string, std::string, std::greater<>> cidrs;
  for (const Subnet& subnet : config.subnets)
    if (const auto cidr = CidrOf(subnet, family); cidr && subnet.IsManaged())
      cidrs[subnet.name] = *cidr;
  for (const auto& [name, cidr] : cidrs)
    for (const char* side : {"-d", "-s"})
      filter.Add("FORWARD", fmt::format("{} {} -m comment --comment \"ovn-subnet-gateway,{}\"",
                                        side, cidr, name));
}

std::string FilterText(const Config& config, Family family) {
  Table filter("filter", family);
  for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) filter.Policy(chain);
  // kube-proxy and kubelet insert at the head, as Kube-OVN does, and here later.
  if (config.ipvs) {
    AddMarkDrop(filter, config, false);
    AddIpvsFilter(filter, config, family);
  }
  if (config.ipvs && HasKubeOvn(config))
    for (const char* chain : {"INPUT", "OUTPUT"})
      filter.Add(chain,
                 "-p tcp -m mark ! --mark 0x4000/0x4000 -m set --match-set @services dst "
                 "-m conntrack --ctstate NEW -j REJECT");
  AddAccepts(filter, "INPUT");
  AddGatewayCounters(filter, config, family);
  AddAccepts(filter, "FORWARD");
  for (const int port : {4789, 6081})
    filter.Add("OUTPUT",
               fmt::format("-p udp -m udp --dport {} -j MARK --set-xmark 0x0/0xffffffff", port));
  if (!config.ipvs) AddKubeProxyFilter(filter, config, family);
  AddDockerFilter(filter, config, family);
  if (!config.ipvs) AddMarkDrop(filter, config, HasKubeProxy(config));
  return filter.Text();
}

}  // namespace

std::string IptablesText(const Config& config, Family family) {
  return RawText(config, family) + NatText(config, family) + MangleText(config, family) +
         FilterText(config, family);
}

}  // namespace natrix::oracle
