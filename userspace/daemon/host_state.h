// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/model/host.h"

namespace natrix::daemon {

// The devices, addresses and port settings of this network namespace, asked anew.  `hz` is left
// as it is by default: rtnetlink does not know it.
Result<model::Host> ReadHost();

}  // namespace natrix::daemon
