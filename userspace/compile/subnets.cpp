// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/subnets.h"

#include <algorithm>
#include <set>
#include <string>

#include "userspace/compile/policy.h"

namespace natrix::compile {
namespace {

using model::Family;
using model::Prefix;
using model::Subnet;

nx_subnet Named(const Subnet& subnet, const Prefix& cidr) {
  nx_subnet entry{};
  subnet.name.copy(entry.name, sizeof(entry.name) - 1);
  entry.cidr = cidr.ToAbi();
  return entry;
}

bool IsSame(const nx_subnet& a, const nx_subnet& b) {
  return __builtin_memcmp(a.name, b.name, sizeof(a.name)) == 0 &&
         __builtin_memcmp(&a.cidr, &b.cidr, sizeof(a.cidr)) == 0;
}

// Whether this node is a gateway of the subnet now.
bool IsActive(const Subnet& subnet, const std::string& node) {
  if (subnet.gateway_nodes.empty()) return false;
  const std::string& active =
      subnet.activate_gateway.empty() ? subnet.gateway_nodes.front().name : subnet.activate_gateway;
  return subnet.enable_ecmp || active == node;
}

// R11's address (facts/kube-ovn.md 1.2: pkg/daemon/gateway.go); all 0 when there is no such rule.
nx_addr EgressOf(const Subnet& subnet, const std::string& node, Family family) {
  if (!subnet.nat_outgoing || subnet.gateway_type != model::GatewayType::kCentralized ||
      !IsActive(subnet, node))
    return {};
  for (const model::GatewayNode& gateway : subnet.gateway_nodes)
    if (gateway.name == node && gateway.egress && gateway.egress->family() == family)
      return gateway.egress->bytes;
  return {};
}

nx_subnet Entry(const model::Config& config, const Subnet& subnet, const Prefix& cidr) {
  nx_subnet entry = Named(subnet, cidr);
  entry.egress = EgressOf(subnet, config.node.name, cidr.family());
  const nx_addr none{};
  const bool has_egress = __builtin_memcmp(&entry.egress, &none, sizeof(none)) != 0;
  entry.drop_orphans =
      has_egress || (config.orphan_drop == model::OrphanDrop::kNatOutgoing && subnet.nat_outgoing);
  const auto rules = DecidingOrder(subnet, cidr.family(), config.policy_order);
  entry.rules = static_cast<__u16>(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i]->action == model::PolicyAction::kNat) entry.nat[i / 64] |= 1ULL << (i % 64);
  return entry;
}

template <typename Visit>
void ForEachManaged(const model::Config& config, Visit visit) {
  for (const Subnet& subnet : config.subnets) {
    if (!subnet.IsManaged()) continue;
    for (const Prefix& cidr : subnet.cidrs) visit(subnet, cidr);
  }
}

}  // namespace

SubnetNumbers NumberSubnets(const model::Config& config,
                            const Table<std::uint32_t, nx_subnet>& previous) {
  std::map<nx_prefix, std::uint32_t, ByBytes> before;
  for (const auto& [number, entry] : previous) before.emplace(entry.cidr, number);

  SubnetNumbers numbers;
  std::set<std::uint32_t> taken;
  ForEachManaged(config, [&](const Subnet& subnet, const Prefix& cidr) {
    const auto found = before.find(cidr.ToAbi());
    if (found == before.end() || !IsSame(previous.at(found->second), Named(subnet, cidr))) return;
    numbers.emplace(cidr, found->second);
    taken.insert(found->second);
  });
  std::uint32_t next = 1;
  ForEachManaged(config, [&](const Subnet&, const Prefix& cidr) {
    if (numbers.contains(cidr)) return;
    while (taken.contains(next)) ++next;
    numbers.emplace(cidr, next++);
  });
  return numbers;
}

Table<std::uint32_t, nx_subnet> Subnets(const model::Config& config, const SubnetNumbers& numbers) {
  Table<std::uint32_t, nx_subnet> table;
  ForEachManaged(config, [&](const Subnet& subnet, const Prefix& cidr) {
    table.emplace(numbers.at(cidr), Entry(config, subnet, cidr));
  });
  return table;
}

}  // namespace natrix::compile
