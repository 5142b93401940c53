// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "maps/abi/set.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// One line of one named set, as an ipset would have it.
struct SetMember {
  nx_set_id set;
  model::Prefix prefix;
};

// A prefix and what its addresses belong to.
struct Membership {
  model::Prefix prefix;
  nx_net net{};
};

// The members of every named set, as Kube-OVN fills its ipsets (pkg/daemon/gateway.go).
std::vector<SetMember> MembersOf(const model::Config& config);

// Every prefix of every set and every floating IP once, each with the membership of all prefixes
// around it: what a longest-prefix match must find.  O(n log n).
std::vector<Membership> Memberships(const model::Config& config,
                                    const std::vector<SetMember>& members);

}  // namespace natrix::compile
