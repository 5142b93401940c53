// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "maps/abi/reason.h"
#include "tests/oracle/engine.h"

// The pinned maps of a natrixd, reached by way of its own mount namespace.  Everything throws
// SetupError.
namespace natrix::oracle {

// All flows are gone, and what was known about fragments.
void ForgetFlows(pid_t natrixd);

// Packets counted under a reason, over all CPUs.
std::uint64_t ReadCount(pid_t natrixd, nx_reason reason);

std::vector<GatewayCount> ReadGatewayCounts(pid_t natrixd);

}  // namespace natrix::oracle
