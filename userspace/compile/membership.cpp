// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/membership.h"

#include <utility>

#include "userspace/compile/networks.h"
#include "userspace/compile/rule_id.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::Prefix;

nx_net NetOf(const model::Subnet& subnet, std::uint32_t number) {
  nx_net net{};
  net.subnets = 1;
  net.subnets_nat = subnet.nat_outgoing;
  net.subnets_distributed_gw = subnet.gateway_type == model::GatewayType::kDistributed;
  net.subnets_nat_policy = subnet.HasPolicy();
  net.subnet = number;
  return net;
}

// An address is in one subnet: the innermost, and of equal ones (on different VLANs) the first.
nx_net Union(nx_net own, nx_net around) {
  own.subnets |= around.subnets;
  own.subnets_nat |= around.subnets_nat;
  own.subnets_distributed_gw |= around.subnets_distributed_gw;
  own.services |= around.services;
  own.other_node |= around.other_node;
  own.floating_ip |= around.floating_ip;
  own.subnets_nat_policy |= around.subnets_nat_policy;
  own.cluster |= around.cluster;
  own.bridged |= around.bridged;
  own.ip_masq |= around.ip_masq;
  own.guarded |= around.guarded;
  if (own.network == 0) own.network = around.network;
  own.masq_ipam_pools |= around.masq_ipam_pools;
  own.network_ip_pools |= around.network_ip_pools;
  own.all_hosts_net |= around.all_hosts_net;
  own.metadata |= around.metadata;
  if (own.subnet == 0) own.subnet = around.subnet;
  return own;
}

}  // namespace

std::vector<SetMember> SetsOf(const model::Subnet& subnet) {
  std::vector<SetMember> members;
  if (!subnet.IsManaged()) return members;
  for (const Prefix& cidr : subnet.cidrs) {
    members.push_back({NX_SET_SUBNETS, cidr});
    if (subnet.nat_outgoing) members.push_back({NX_SET_SUBNETS_NAT, cidr});
    if (subnet.gateway_type == model::GatewayType::kDistributed)
      members.push_back({NX_SET_SUBNETS_DISTRIBUTED_GW, cidr});
    if (subnet.HasPolicy()) members.push_back({NX_SET_SUBNETS_NAT_POLICY, cidr});
  }
  if (!subnet.HasPolicy()) return members;
  for (std::size_t i = 0; i < subnet.policies.size(); ++i) {
    const model::PolicyRule& rule = subnet.policies[i];
    const std::string id = RuleId(subnet.name, i, rule);
    for (const Prefix& prefix : rule.sources) members.push_back({NX_SET_RULE_SRC, prefix, id});
    for (const Prefix& prefix : rule.destinations) members.push_back({NX_SET_RULE_DST, prefix, id});
  }
  return members;
}

namespace {

// Felix' masq_mgr and hosts_ipset_mgr (felix/dataplane/linux).
void AddCalicoSets(const model::Calico& calico, std::vector<SetMember>& members) {
  for (const model::IpPool& pool : calico.pools) {
    members.push_back({NX_SET_CALI_ALL, pool.cidr});
    if (pool.nat_outgoing) members.push_back({NX_SET_CALI_MASQ, pool.cidr});
    if (!pool.load_balancer_only) members.push_back({NX_SET_CALI_NETWORK, pool.cidr});
  }
  if (!calico.exclude_hosts) return;
  for (const Address& host : calico.hosts) members.push_back({NX_SET_CALI_HOSTS, Prefix::Of(host)});
}

void AddCalicoNets(const model::Calico& calico, ByPrefix<nx_net>& written) {
  for (const model::IpPool& pool : calico.pools) {
    nx_net net{};
    net.masq_ipam_pools = pool.nat_outgoing;
    net.network_ip_pools = !pool.load_balancer_only;
    written.emplace_back(pool.cidr.WithoutHostBits(), net);
  }
  nx_net metadata{};
  metadata.metadata = 1;
  if (calico.metadata)
    written.emplace_back(Prefix::Of(Address::Parse(model::kMetadataAddress).value()), metadata);
  nx_net host{};
  host.all_hosts_net = 1;
  if (!calico.exclude_hosts) return;
  for (const Address& own : calico.hosts) written.emplace_back(Prefix::Of(own), host);
}

}  // namespace

std::vector<SetMember> OtherSetsOf(const model::Config& config) {
  std::vector<SetMember> members;
  for (const Prefix& cidr : config.service_cidrs) members.push_back({NX_SET_SERVICES, cidr});
  for (const Address& node : config.other_nodes)
    members.push_back({NX_SET_OTHER_NODE, Prefix::Of(node)});
  if (config.calico) AddCalicoSets(*config.calico, members);
  return members;
}

Table<nx_set_key, nx_set_member> SetEntries(const std::vector<SetMember>& members) {
  Table<nx_set_key, nx_set_member> table;
  for (const SetMember& member : members) {
    const nx_prefix prefix = member.prefix.ToAbi();
    nx_set_key key{};
    key.length = NX_SET_KEY_BITS + prefix.length;
    key.set = member.set;
    member.rule.copy(key.rule, sizeof(key.rule));
    key.addr = prefix.addr;
    table.emplace(key, nx_set_member{static_cast<__u32>(member.prefix.length)});
  }
  return table;
}

ByPrefix<nx_net> Memberships(const model::Config& config, const SubnetParts& parts) {
  ByPrefix<nx_net> written;
  for (const model::Subnet& subnet : config.subnets) {
    if (!subnet.IsManaged()) continue;
    const std::vector<std::uint32_t>& numbers = parts.at(subnet.name)->input.numbers;
    for (std::size_t i = 0; i < subnet.cidrs.size(); ++i)
      written.emplace_back(subnet.cidrs[i].WithoutHostBits(), NetOf(subnet, numbers[i]));
  }
  nx_net service{}, node{}, floating{}, cluster{};
  service.services = 1;
  node.other_node = 1;
  floating.floating_ip = 1;
  cluster.cluster = 1;
  for (const Prefix& cidr : config.service_cidrs)
    written.emplace_back(cidr.WithoutHostBits(), service);
  for (const Address& other : config.other_nodes) written.emplace_back(Prefix::Of(other), node);
  for (const model::FloatingIp& ip : config.floating_ips)
    written.emplace_back(Prefix::Of(ip.external), floating);
  for (const Prefix& cidr : config.kube_proxy.cluster_cidrs)
    written.emplace_back(cidr.WithoutHostBits(), cluster);
  AddNetworks(config, written);
  if (config.calico) AddCalicoNets(*config.calico, written);
  return Nest(std::move(written), Union);
}

}  // namespace natrix::compile
