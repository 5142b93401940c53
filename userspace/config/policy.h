// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// natOutgoingPolicyRules: that each rule is of one family and that there are not too many; warns of
// pairs that Kube-OVN's rules and its documentation decide differently.
void CheckPolicies(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
