// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/subnets.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "userspace/compile/membership.h"
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

bool IsNamed(const nx_subnet& entry, const Subnet& subnet) {
  return subnet.name.substr(0, sizeof(entry.name) - 1) == entry.name;
}

Prefix PrefixOf(const nx_prefix& abi) {
  const model::Address address{abi.addr};
  const int mapped = address.family() == Family::kIpv4 ? 96 : 0;
  return {address, static_cast<int>(abi.length) - mapped};
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

nx_subnet Entry(const SubnetInput& input, const Prefix& cidr) {
  const Subnet& subnet = input.subnet;
  nx_subnet entry = Named(subnet, cidr);
  entry.egress = EgressOf(subnet, input.node, cidr.family());
  const nx_addr none{};
  const bool has_egress = __builtin_memcmp(&entry.egress, &none, sizeof(none)) != 0;
  entry.drop_orphans =
      has_egress || (input.orphan_drop == model::OrphanDrop::kNatOutgoing && subnet.nat_outgoing);
  const auto rules = DecidingOrder(subnet, cidr.family(), input.policy_order);
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

Table<std::uint32_t, nx_subnet> Entries(const SubnetInput& input) {
  Table<std::uint32_t, nx_subnet> table;
  for (std::size_t i = 0; i < input.numbers.size(); ++i)
    table.emplace(input.numbers[i], Entry(input, input.subnet.cidrs[i]));
  return table;
}

Table<nx_policy_key, nx_policy> Policy(const SubnetInput& input) {
  Table<nx_policy_key, nx_policy> table;
  for (std::size_t i = 0; i < input.numbers.size(); ++i)
    AddPolicy(table, input.numbers[i], input.subnet.cidrs[i].family(),
              DecidingOrder(input.subnet, input.subnet.cidrs[i].family(), input.policy_order));
  return table;
}

SubnetPart Make(SubnetInput input) {
  auto subnet = std::make_shared<const Table<std::uint32_t, nx_subnet>>(Entries(input));
  auto policy = std::make_shared<const Table<nx_policy_key, nx_policy>>(Policy(input));
  auto set =
      std::make_shared<const Table<nx_set_key, nx_set_member>>(SetEntries(SetsOf(input.subnet)));
  return {std::move(input), std::move(subnet), std::move(policy), std::move(set)};
}

// Compared before anything is copied: most of a large configuration is what it was.
bool IsMadeOf(const SubnetInput& input, const Subnet& subnet,
              const std::vector<std::uint32_t>& numbers, const model::Config& config) {
  return input.numbers == numbers && input.node == config.node.name &&
         input.policy_order == config.policy_order && input.orphan_drop == config.orphan_drop &&
         input.subnet == subnet;
}

}  // namespace

SubnetNumbers NumberSubnets(const model::Config& config,
                            const Parts<std::uint32_t, nx_subnet>& previous) {
  std::unordered_map<Prefix, std::pair<std::uint32_t, const nx_subnet*>, PrefixHash> before;
  std::unordered_set<std::uint32_t> used;
  for (const auto& [name, part] : previous)
    for (const auto& [number, entry] : *part) {
      before.emplace(PrefixOf(entry.cidr), std::pair(number, &entry));
      used.insert(number);
    }

  SubnetNumbers numbers;
  std::unordered_set<std::uint32_t> kept;
  ForEachManaged(config, [&](const Subnet& subnet, const Prefix& cidr) {
    const auto found = before.find(cidr);
    if (found == before.end() || !IsNamed(*found->second.second, subnet)) return;
    numbers.emplace(cidr, found->second.first);
    kept.insert(found->second.first);
  });
  // One that is given up is not given away in the same change: packets are still counted by it.
  std::uint32_t next = 1;
  bool scarce = false;
  const auto is_free = [&](std::uint32_t number) {
    return scarce ? !kept.contains(number) : !used.contains(number);
  };
  ForEachManaged(config, [&](const Subnet&, const Prefix& cidr) {
    if (numbers.contains(cidr)) return;
    while (!is_free(next)) ++next;
    if (next >= NX_MAX_SUBNETS && !scarce) {
      scarce = true;
      for (const auto& [other, number] : numbers) kept.insert(number);
      for (next = 1; !is_free(next);) ++next;
    }
    numbers.emplace(cidr, next++);
  });
  return numbers;
}

SubnetParts MakeParts(const model::Config& config, const SubnetNumbers& numbers,
                      const SubnetParts& before) {
  SubnetParts parts;
  for (const Subnet& subnet : config.subnets) {
    std::vector<std::uint32_t> own;
    if (subnet.IsManaged())
      for (const Prefix& cidr : subnet.cidrs) own.push_back(numbers.at(cidr));
    const auto same = before.find(subnet.name);
    if (same != before.end() && IsMadeOf(same->second.input, subnet, own, config))
      parts.emplace_hint(parts.end(), subnet.name, same->second);
    else
      parts.emplace(subnet.name, Make({.subnet = subnet,
                                       .numbers = std::move(own),
                                       .node = config.node.name,
                                       .policy_order = config.policy_order,
                                       .orphan_drop = config.orphan_drop}));
  }
  return parts;
}

}  // namespace natrix::compile
