// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "maps/abi/subnet.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

using Rules = std::vector<const model::PolicyRule*>;

// The rules of a subnet's NAT policy for one family, in the order in which they decide: the first
// that matches.  "Any nat beats any forward" is that order with all nat rules before the others.
// The pointers are into `subnet`.  Empty when the policy is not in force.
Rules DecidingOrder(const model::Subnet& subnet, model::Family family, model::PolicyOrder order);

// What nx_policy holds for the CIDR of that number; nothing when there are no rules.
void AddPolicy(Table<nx_policy_key, nx_policy>& table, std::uint32_t number, model::Family family,
               const Rules& rules);

}  // namespace natrix::compile
