// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/membership.h"

#include <utility>

#include "userspace/compile/rule_id.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::Prefix;

Prefix HostPrefix(const Address& address) {
  return {address, address.family() == Family::kIpv4 ? 32 : 128};
}

nx_net BitOf(nx_set_id set) {
  nx_net net{};
  switch (set) {
    case NX_SET_SUBNETS:
      net.subnets = 1;
      break;
    case NX_SET_SUBNETS_NAT:
      net.subnets_nat = 1;
      break;
    case NX_SET_SUBNETS_DISTRIBUTED_GW:
      net.subnets_distributed_gw = 1;
      break;
    case NX_SET_SERVICES:
      net.services = 1;
      break;
    case NX_SET_OTHER_NODE:
      net.other_node = 1;
      break;
    case NX_SET_SUBNETS_NAT_POLICY:
      net.subnets_nat_policy = 1;
      break;
    case NX_SET_LOCAL_POD_IP_NAT:  // Kube-OVN leaves it empty, and asks nothing of it
    case NX_SET_RULE_SRC:
    case NX_SET_RULE_DST:
    case NX_SET_COUNT:
      break;
  }
  return net;
}

// An address is in one subnet: the innermost, where vlans share addresses.
nx_net Union(nx_net own, nx_net around) {
  own.subnets |= around.subnets;
  own.subnets_nat |= around.subnets_nat;
  own.subnets_distributed_gw |= around.subnets_distributed_gw;
  own.services |= around.services;
  own.other_node |= around.other_node;
  own.floating_ip |= around.floating_ip;
  own.subnets_nat_policy |= around.subnets_nat_policy;
  if (own.subnet == 0) own.subnet = around.subnet;
  return own;
}

}  // namespace

std::vector<SetMember> MembersOf(const model::Config& config) {
  std::vector<SetMember> members;
  for (const model::Subnet& subnet : config.subnets) {
    if (!subnet.IsManaged()) continue;
    for (const Prefix& cidr : subnet.cidrs) {
      members.push_back({NX_SET_SUBNETS, cidr});
      if (subnet.nat_outgoing) members.push_back({NX_SET_SUBNETS_NAT, cidr});
      if (subnet.gateway_type == model::GatewayType::kDistributed)
        members.push_back({NX_SET_SUBNETS_DISTRIBUTED_GW, cidr});
      if (subnet.HasPolicy()) members.push_back({NX_SET_SUBNETS_NAT_POLICY, cidr});
    }
  }
  for (const Prefix& cidr : config.service_cidrs) members.push_back({NX_SET_SERVICES, cidr});
  for (const Address& node : config.other_nodes)
    members.push_back({NX_SET_OTHER_NODE, HostPrefix(node)});
  return members;
}

std::vector<SetMember> RuleSetsOf(const model::Config& config) {
  std::vector<SetMember> members;
  for (const model::Subnet& subnet : config.subnets) {
    if (!subnet.HasPolicy()) continue;
    for (std::size_t i = 0; i < subnet.policies.size(); ++i) {
      const model::PolicyRule& rule = subnet.policies[i];
      const std::string id = RuleId(subnet.name, i, rule);
      for (const Prefix& prefix : rule.sources) members.push_back({NX_SET_RULE_SRC, prefix, id});
      for (const Prefix& prefix : rule.destinations)
        members.push_back({NX_SET_RULE_DST, prefix, id});
    }
  }
  return members;
}

ByPrefix<nx_net> Memberships(const model::Config& config, const std::vector<SetMember>& members,
                             const SubnetNumbers& numbers) {
  ByPrefix<nx_net> written;
  for (const SetMember& member : members)
    written.emplace_back(member.prefix.WithoutHostBits(), BitOf(member.set));
  for (const model::FloatingIp& floating : config.floating_ips) {
    nx_net net{};
    net.floating_ip = 1;
    written.emplace_back(HostPrefix(floating.external), net);
  }
  for (const auto& [prefix, number] : numbers) {
    nx_net net{};
    net.subnet = number;
    written.emplace_back(prefix, net);
  }
  return Nest(std::move(written), Union);
}

}  // namespace natrix::compile
