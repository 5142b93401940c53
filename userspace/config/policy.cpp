// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "maps/abi/subnet.h"

namespace natrix::config {
namespace {

using model::Family;
using model::PolicyAction;
using model::PolicyRule;
using model::Prefix;

// Of each subnet: a reader has understood by then.
constexpr std::size_t kMostWarnings = 10;

std::vector<Prefix> PrefixesOf(const PolicyRule& rule) {
  std::vector<Prefix> all = rule.sources;
  all.insert(all.end(), rule.destinations.begin(), rule.destinations.end());
  return all;
}

// Reports the first prefix of the other family.
void CheckFamily(const PolicyRule& rule, const Places::PolicyRule& where,
                 Diagnostics& diagnostics) {
  const std::vector<Prefix> all = PrefixesOf(rule);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].family() == all[0].family()) continue;
    diagnostics.Error(where.prefixes[i],
                      fmt::format("{} and {} are of different families in one rule",
                                  all[0].ToString(), all[i].ToString()),
                      "write a rule for each family");
    return;
  }
}

void CheckCount(const model::Subnet& subnet, const Places::Subnet& places,
                Diagnostics& diagnostics) {
  std::array<std::size_t, 2> count{};
  for (std::size_t i = 0; i < subnet.policies.size(); ++i) {
    if (subnet.policies[i].MatchesNothing()) continue;
    if (++count[static_cast<std::size_t>(subnet.policies[i].family())] <= NX_POLICY_RULES) continue;
    diagnostics.Error(places.policies[i].rule,
                      fmt::format("one too many: a subnet has {} policy rules of a family at most",
                                  NX_POLICY_RULES));
    return;
  }
}

// An empty side is any.
bool Meet(const std::vector<Prefix>& a, const std::vector<Prefix>& b) {
  if (a.empty() || b.empty()) return true;
  return std::ranges::any_of(a, [&](const Prefix& left) {
    return std::ranges::any_of(
        b, [&](const Prefix& right) { return left.Contains(right) || right.Contains(left); });
  });
}

bool Meet(const PolicyRule& a, const PolicyRule& b) {
  return a.family() == b.family() && Meet(a.sources, b.sources) &&
         Meet(a.destinations, b.destinations);
}

// Only a "forward" before a "nat" is decided differently: the other way both say "nat".
void WarnOfOrder(const model::Subnet& subnet, const Places::Subnet& places,
                 model::PolicyOrder order, Diagnostics& diagnostics) {
  std::size_t warned = 0;
  for (std::size_t j = 0; j < subnet.policies.size() && warned < kMostWarnings; ++j) {
    const PolicyRule& nat = subnet.policies[j];
    if (nat.MatchesNothing() || nat.action != PolicyAction::kNat) continue;
    for (std::size_t i = 0; i < j && warned < kMostWarnings; ++i) {
      const PolicyRule& forward = subnet.policies[i];
      if (forward.MatchesNothing() || forward.action != PolicyAction::kForward) continue;
      if (!Meet(forward, nat)) continue;
      ++warned;
      const bool nat_first = order == model::PolicyOrder::kNatFirst;
      diagnostics.Warn(
          places.policies[j].rule,
          fmt::format(
              "subnet \"{}\": \"nat\" of rule {} {} \"forward\" of rule {} at {} where both "
              "match",
              subnet.name, j, nat_first ? "beats" : "gives way to", i,
              diagnostics.PlaceOf(places.policies[i].rule)),
          nat_first ? "as in Kube-OVN's rules; its documentation says the first one decides: "
                      "`policyOrder: first-match`"
                    : "as Kube-OVN's documentation says; in its rules \"nat\" wins: `policyOrder: "
                      "nat-first`");
    }
  }
}

}  // namespace

void CheckPolicies(const Decoded& decoded, Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < decoded.config.subnets.size(); ++i) {
    const model::Subnet& subnet = decoded.config.subnets[i];
    const Places::Subnet& places = decoded.places.subnets[i];
    for (std::size_t j = 0; j < subnet.policies.size(); ++j)
      CheckFamily(subnet.policies[j], places.policies[j], diagnostics);
    CheckCount(subnet, places, diagnostics);
    if (subnet.HasPolicy()) WarnOfOrder(subnet, places, decoded.config.policy_order, diagnostics);
  }
}

}  // namespace natrix::config
