// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/model/config.h"

namespace natrix::compile {

// The ID that Kube-OVN gives a natOutgoingPolicyRule, and names its ipsets by: NX_RULE_ID
// hexadecimal digits (facts/kube-ovn.md 4: pkg/controller/subnet_status.go).  `index` counts from 0
// as written.
std::string RuleId(const std::string& subnet, std::size_t index, const model::PolicyRule& rule);

}  // namespace natrix::compile
