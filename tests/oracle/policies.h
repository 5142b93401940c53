// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/model/config.h"

namespace natrix::oracle {

// Addresses and CIDRs out of one text, as natOutgoingPolicyRules write them.
inline std::vector<model::Prefix> PrefixesIn(std::string_view text) {
  std::vector<model::Prefix> prefixes;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (const auto address = model::Address::Parse(part))
      prefixes.push_back(model::Prefix::Of(*address));
    else
      prefixes.push_back(model::Prefix::Parse(part).value().WithoutHostBits());
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return prefixes;
}

inline model::PolicyRule PolicyOf(const std::string& src_ips, const std::string& dst_ips,
                                  model::PolicyAction action) {
  return {src_ips, dst_ips, PrefixesIn(src_ips), PrefixesIn(dst_ips), action};
}
inline model::PolicyRule Nat(const std::string& src_ips, const std::string& dst_ips) {
  return PolicyOf(src_ips, dst_ips, model::PolicyAction::kNat);
}
inline model::PolicyRule Forward(const std::string& src_ips, const std::string& dst_ips) {
  return PolicyOf(src_ips, dst_ips, model::PolicyAction::kForward);
}

}  // namespace natrix::oracle
