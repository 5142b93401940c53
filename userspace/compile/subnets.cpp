// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/subnets.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "userspace/compile/membership.h"
#include "userspace/compile/policy.h"

namespace natrix::compile {
namespace {

using model::Family;
using model::Prefix;
using model::Subnet;

bool IsNamed(const nx_subnet& entry, const Subnet& subnet) {
  return subnet.name.substr(0, sizeof(entry.name) - 1) == entry.name;
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

nx_subnet Entry(const SubnetInput& input, const Prefix& cidr, const Rules& rules) {
  const Subnet& subnet = input.subnet;
  nx_subnet entry{};
  subnet.name.copy(entry.name, sizeof(entry.name) - 1);
  entry.cidr = cidr.ToAbi();
  entry.egress = EgressOf(subnet, input.node, cidr.family());
  const nx_addr none{};
  const bool has_egress = __builtin_memcmp(&entry.egress, &none, sizeof(none)) != 0;
  entry.drop_orphans =
      has_egress || (input.orphan_drop == model::OrphanDrop::kNatOutgoing && subnet.nat_outgoing);
  entry.no_short_cut = subnet.fast_path == model::FastPath::kOff;
  entry.rules = static_cast<__u16>(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i]->action == model::PolicyAction::kNat) entry.nat[i / 64] |= 1ULL << (i % 64);
  return entry;
}

SubnetPart Make(SubnetInput input) {
  Table<std::uint32_t, nx_subnet> entries;
  Table<nx_policy_key, nx_policy> policy;
  for (std::size_t i = 0; i < input.numbers.size(); ++i) {
    const Prefix& cidr = input.subnet.cidrs[i];
    const Rules rules = DecidingOrder(input.subnet, cidr.family(), input.policy_order);
    entries.emplace(input.numbers[i], Entry(input, cidr, rules));
    AddPolicy(policy, input.numbers[i], cidr.family(), rules);
  }
  auto set = SetEntries(SetsOf(input.subnet));
  return {.input = std::move(input),
          .subnet = std::make_shared<const decltype(entries)>(std::move(entries)),
          .policy = std::make_shared<const decltype(policy)>(std::move(policy)),
          .set = std::make_shared<const decltype(set)>(std::move(set))};
}

// Compared before anything is copied: most of a large configuration is what it was.
bool IsMadeOf(const SubnetInput& input, const Subnet& subnet, const model::Config& config) {
  return input.node == config.node.name && input.policy_order == config.policy_order &&
         input.orphan_drop == config.orphan_drop && input.subnet == subnet;
}

// Gives out numbers that nobody has.  One that is given up is not given away in the same change, as
// long as there are others: packets are still counted by it.
class Numbers {
 public:
  explicit Numbers(const Parts<std::uint32_t, nx_subnet>& previous)
      : previous_(previous), kept_(NX_MAX_SUBNETS) {}
  void Keep(std::uint32_t number) { kept_[number] = true; }

  // What the subnet's CIDR had; 0: nothing.
  std::uint32_t Before(const Subnet& subnet, const Prefix& cidr) const {
    const nx_prefix abi = cidr.ToAbi();
    // By the name; or read from the maps, where all are one part.
    for (const std::string& name : {subnet.name, std::string()}) {
      const auto part = previous_.find(name);
      if (part == previous_.end()) continue;
      for (const auto& [number, entry] : *part->second)
        if (__builtin_memcmp(&entry.cidr, &abi, sizeof(abi)) == 0 && IsNamed(entry, subnet) &&
            number < kept_.size())
          return number;
    }
    return 0;
  }
  std::uint32_t Next() {
    // Not before somebody asks: most changes give nothing a number.
    if (used_.empty()) {
      used_.resize(kept_.size());
      for (const auto& [name, part] : previous_)
        for (const auto& [number, entry] : *part)
          if (number < used_.size()) used_[number] = true;
    }
    while (next_ < kept_.size() && (kept_[next_] || (!scarce_ && used_[next_]))) ++next_;
    if (next_ == kept_.size() && !scarce_) {
      scarce_ = true;
      next_ = 1;
      return Next();
    }
    if (next_ < kept_.size()) Keep(next_);
    return next_;
  }

 private:
  const Parts<std::uint32_t, nx_subnet>& previous_;
  std::vector<bool> used_;  // before; empty until it is asked for
  std::vector<bool> kept_;  // now
  std::uint32_t next_ = 1;
  bool scarce_ = false;
};

}  // namespace

SubnetParts MakeParts(const model::Config& config, const Parts<std::uint32_t, nx_subnet>& previous,
                      const SubnetParts& before) {
  SubnetParts parts;
  Numbers numbers(previous);
  std::vector<SubnetInput> changed;
  for (const Subnet& subnet : config.subnets) {
    const auto same = before.find(subnet.name);
    if (same != before.end() && IsMadeOf(same->second->input, subnet, config)) {
      for (const std::uint32_t number : same->second->input.numbers) numbers.Keep(number);
      parts.emplace(subnet.name, same->second);
      continue;
    }
    SubnetInput& input = changed.emplace_back(SubnetInput{.subnet = subnet,
                                                          .numbers = {},
                                                          .node = config.node.name,
                                                          .policy_order = config.policy_order,
                                                          .orphan_drop = config.orphan_drop});
    if (!subnet.IsManaged()) continue;
    for (const Prefix& cidr : subnet.cidrs) {
      input.numbers.push_back(numbers.Before(subnet, cidr));
      numbers.Keep(input.numbers.back());
    }
  }
  // What stays has its numbers by now.
  for (SubnetInput& input : changed) {
    for (std::uint32_t& number : input.numbers)
      if (number == 0) number = numbers.Next();
    const std::string name = input.subnet.name;
    parts.emplace(name, std::make_shared<const SubnetPart>(Make(std::move(input))));
  }
  return parts;
}

}  // namespace natrix::compile
