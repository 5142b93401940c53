// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/mapping.h"

namespace natrix::config {

// `hostPorts` and `docker`.
void DecodeHostPorts(const Mapping& top, Decoded& out);

}  // namespace natrix::config
