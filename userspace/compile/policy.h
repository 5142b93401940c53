// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/model/config.h"

namespace natrix::compile {

// The rules of a subnet's NAT policy for one family, in the order in which they decide: the first
// that matches.  "Any nat beats any forward" is that order with all nat rules before the others.
// The pointers are into `subnet`.  Empty when the policy is not in force.
std::vector<const model::PolicyRule*> DecidingOrder(const model::Subnet& subnet,
                                                    model::Family family, model::PolicyOrder order);

}  // namespace natrix::compile
