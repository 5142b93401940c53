// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/model/host.h"

namespace natrix::daemon {

// The devices, addresses and port settings of this network namespace, and the kernel's tick, asked
// anew.
Result<model::Host> ReadHost();

}  // namespace natrix::daemon
