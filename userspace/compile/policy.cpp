// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/policy.h"

#include <algorithm>
#include <string>

#include "userspace/compile/nest.h"

namespace natrix::compile {
namespace {

using model::Family;
using model::PolicyRule;
using model::Prefix;

nx_policy Union(nx_policy own, const nx_policy& around) {
  for (std::size_t word = 0; word < NX_POLICY_WORDS; ++word) own.rule[word] |= around.rule[word];
  return own;
}

nx_policy BitOf(std::size_t rule) {
  nx_policy bits{};
  bits.rule[rule / 64] = 1ULL << (rule % 64);
  return bits;
}

Prefix EveryAddress(Family family) {
  return *Prefix::Parse(family == Family::kIpv4 ? "0.0.0.0/0" : "::/0");
}

// The entry for every address is always there: a rule that does not ask for this side is in it.
ByPrefix<nx_policy> Side(const Rules& rules, Family family, nx_policy_side side) {
  ByPrefix<nx_policy> written{{EveryAddress(family), nx_policy{}}};
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto& asked = side == NX_POLICY_SRC ? rules[i]->sources : rules[i]->destinations;
    if (asked.empty()) written.emplace_back(EveryAddress(family), BitOf(i));
    for (const Prefix& prefix : asked) written.emplace_back(prefix, BitOf(i));
  }
  return Nest(std::move(written), Union);
}

}  // namespace

Rules DecidingOrder(const model::Subnet& subnet, Family family, model::PolicyOrder order) {
  Rules rules;
  if (!subnet.HasPolicy()) return rules;
  for (const PolicyRule& rule : subnet.policies)
    if (!rule.MatchesNothing() && rule.family() == family) rules.push_back(&rule);
  if (order == model::PolicyOrder::kNatFirst)
    std::ranges::stable_partition(
        rules, [](const PolicyRule* rule) { return rule->action == model::PolicyAction::kNat; });
  return rules;
}

void AddPolicy(Table<nx_policy_key, nx_policy>& table, std::uint32_t number, Family family,
               const Rules& rules) {
  if (rules.empty()) return;
  for (const nx_policy_side side : {NX_POLICY_SRC, NX_POLICY_DST})
    for (const auto& [prefix, bits] : Side(rules, family, side)) {
      const nx_prefix abi = prefix.ToAbi();
      table.emplace(nx_policy_key{32 + abi.length, number * 2 + side, abi.addr}, bits);
    }
}

}  // namespace natrix::compile
