// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <string>
#include <vector>

#include "tests/oracle/calico_rules.h"
#include "tests/oracle/ipvs_rules.h"
#include "tests/oracle/kube_ovn.h"
#include "tests/oracle/rules.h"

namespace natrix::oracle {
namespace {

using model::GatewayType;

std::string SetText(Family family, const std::string& name, const std::string& type,
                    const std::vector<std::string>& members) {
  const bool has_family = type.starts_with("hash:");
  std::string text = fmt::format("create {} {}{} -exist\nflush {}\n", name, type,
                                 !has_family               ? ""
                                 : family == Family::kIpv4 ? " family inet maxelem 1048576"
                                                           : " family inet6 maxelem 1048576",
                                 name);
  // A user may write an address twice; Kube-OVN's ipset library keeps its members in a set.
  for (const std::string& member : members) text += fmt::format("add {} {} -exist\n", name, member);
  return text;
}

// The members of this family.  hash:net refuses a prefix of no bits, which Kube-OVN's daemon does
// not survive: two halves say the same.
std::vector<std::string> Members(Family family, const std::vector<std::string>& written) {
  const bool v4 = family == Family::kIpv4;
  std::vector<std::string> members;
  for (const std::string& text : written) {
    if ((text.find(':') == text.npos) != v4) continue;
    if (text.ends_with("/0")) {
      members.insert(members.end(), {v4 ? "0.0.0.0/1" : "::/1", v4 ? "128.0.0.0/1" : "8000::/1"});
    } else {
      members.push_back(text);
    }
  }
  return members;
}

// setIPSet
std::string OwnSets(const Config& config, Family family) {
  std::vector<std::string> services;
  for (const model::Prefix& cidr : config.service_cidrs)
    if (cidr.family() == family) services.push_back(cidr.ToString());
  std::vector<std::string> others;
  for (const model::Address& address : config.other_nodes)
    if (address.family() == family) others.push_back(address.ToString());
  const auto all = [](const Subnet&) { return true; };
  const auto nat = [](const Subnet& subnet) { return subnet.nat_outgoing; };
  const auto distributed = [](const Subnet& subnet) {
    return subnet.gateway_type == GatewayType::kDistributed;
  };
  const auto named = [&](const char* name) { return std::string(OvnPrefix(family)) + name; };
  return SetText(family, named("services"), "hash:net", services) +
         SetText(family, named("subnets"), "hash:net", CidrsOf(config, family, all)) +
         SetText(family, named("local-pod-ip-nat"), "hash:ip", {}) +
         SetText(family, named("subnets-nat"), "hash:net", CidrsOf(config, family, nat)) +
         SetText(family, named("subnets-distributed-gw"), "hash:net",
                 CidrsOf(config, family, distributed)) +
         SetText(family, named("other-node"), "hash:net", others);
}

// reconcileNatOutGoingPolicyIPset: a rule's sets are there in both families, empty in the other.
std::string PolicySets(const Config& config, Family family) {
  std::vector<std::string> cidrs;
  std::string text;
  for (const Subnet* subnet : PolicySubnets(config, family)) {
    cidrs.push_back(*CidrOf(*subnet, family));
    for (const PolicyStatus& rule : PoliciesOf(*subnet)) {
      if (!rule.src.empty())
        text +=
            SetText(family, PolicySet(family, rule, "src"), "hash:net", Members(family, rule.src));
      if (!rule.dst.empty())
        text +=
            SetText(family, PolicySet(family, rule, "dst"), "hash:net", Members(family, rule.dst));
    }
  }
  return SetText(family, std::string(OvnPrefix(family)) + "subnets-nat-policy", "hash:net", cidrs) +
         text;
}

}  // namespace

std::string IpsetText(const Config& config) {
  std::string text;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    text += OwnSets(config, family) + PolicySets(config, family);
    if (config.ipvs)
      for (const IpvsSet& set : IpvsSets(*config.ipvs, family))
        text += SetText(family, set.name, set.type, set.members);
    if (config.calico)
      for (const auto& [name, members] : CalicoSets(*config.calico, family))
        text += SetText(family, name, "hash:net", members);
  }
  return text;
}

}  // namespace natrix::oracle
