// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Pools of one name or CIDR, addresses of one family, and devices that natrix cannot see.
void CheckCalico(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
