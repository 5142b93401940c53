// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Reports CIDRs of subnets that meet each other or the Service CIDRs, where Kube-OVN does not
// allow it either: subnets of one VPC and VLAN.
void CheckOverlaps(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
