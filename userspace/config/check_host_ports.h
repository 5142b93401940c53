// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Reports what cannot be of `hostPorts` and `docker`: ports that somebody else has, above all.
void CheckHostPorts(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
