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

// The members of every named set, as Kube-OVN fills its ipsets (pkg/daemon/gateway.go).
std::vector<SetMember> MembersOf(const model::Config& config);

// Those of every NAT policy rule: for looking, the datapath asks nx_policy.
std::vector<SetMember> RuleSetsOf(const model::Config& config);

// What nx_net holds: every prefix of every set, every floating IP and every subnet once, each with
// the membership of all prefixes around it.
ByPrefix<nx_net> Memberships(const model::Config& config, const std::vector<SetMember>& members,
                             const SubnetNumbers& numbers);

}  // namespace natrix::compile
