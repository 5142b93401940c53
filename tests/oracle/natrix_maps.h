// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <vector>

#include "tests/oracle/engine.h"

// The pinned maps of a natrixd, reached by way of its own mount namespace.  Everything throws
// SetupError.
namespace natrix::oracle {

// All flows are gone, and what was known about fragments.
void ForgetFlows(pid_t natrixd);

std::vector<GatewayCount> ReadGatewayCounts(pid_t natrixd);

}  // namespace natrix::oracle
