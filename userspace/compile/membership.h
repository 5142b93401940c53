// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "maps/abi/set.h"
#include "userspace/compile/nest.h"
#include "userspace/compile/subnets.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// One line of one named set, as an ipset would have it.
struct SetMember {
  nx_set_id set;
  model::Prefix prefix;
  std::string rule = {};  // a rule's ID, for NX_SET_RULE_*
};

// The members that a Subnet is or brings, as Kube-OVN fills its ipsets (pkg/daemon/gateway.go): its
// CIDRs, and the prefixes of its policy rules.
std::vector<SetMember> SetsOf(const model::Subnet& subnet);
// Those of the sets that no Subnet brings.
std::vector<SetMember> OtherSetsOf(const model::Config& config);

// What nx_set holds: for looking, the datapath asks nx_net and nx_policy.
Table<nx_set_key, nx_set_member> SetEntries(const std::vector<SetMember>& members);

// What nx_net holds: every prefix of every set, every floating IP and every subnet once, each with
// the membership of all prefixes around it.
ByPrefix<nx_net> Memberships(const model::Config& config, const SubnetParts& parts);

}  // namespace natrix::compile
