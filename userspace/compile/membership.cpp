// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/membership.h"

#include <algorithm>
#include <bit>

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
    case NX_SET_COUNT:
      break;
  }
  return net;
}

nx_net Union(nx_net a, nx_net b) {
  return std::bit_cast<nx_net>(std::bit_cast<__u32>(a) | std::bit_cast<__u32>(b));
}

std::vector<Membership> Written(const model::Config& config,
                                const std::vector<SetMember>& members) {
  std::vector<Membership> list;
  for (const SetMember& member : members)
    list.push_back({member.prefix.WithoutHostBits(), BitOf(member.set)});
  for (const model::FloatingIp& floating : config.floating_ips) {
    nx_net net{};
    net.floating_ip = 1;
    list.push_back({HostPrefix(floating.external), net});
  }
  std::ranges::sort(list, {}, &Membership::prefix);
  return list;
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
    }
  }
  for (const Prefix& cidr : config.service_cidrs) members.push_back({NX_SET_SERVICES, cidr});
  for (const Address& node : config.other_nodes)
    members.push_back({NX_SET_OTHER_NODE, HostPrefix(node)});
  return members;
}

std::vector<Membership> Memberships(const model::Config& config,
                                    const std::vector<SetMember>& members) {
  std::vector<Membership> result;
  // Indexes into `result` of the prefixes around the current one, outermost first.  In sorted
  // order a prefix comes right after those that contain it, and equal ones are neighbours.
  std::vector<std::size_t> around;
  for (const Membership& own : Written(config, members)) {
    if (!result.empty() && result.back().prefix == own.prefix) {
      result.back().net = Union(result.back().net, own.net);
      continue;
    }
    while (!around.empty() && !result[around.back()].prefix.Contains(own.prefix)) around.pop_back();
    const nx_net inherited = around.empty() ? nx_net{} : result[around.back()].net;
    result.push_back({own.prefix, Union(own.net, inherited)});
    around.push_back(result.size() - 1);
  }
  return result;
}

}  // namespace natrix::compile
