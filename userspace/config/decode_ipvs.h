// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/mapping.h"

namespace natrix::config {

// Reads `ipvs`.
void DecodeIpvs(const Mapping& top, Decoded& out);

}  // namespace natrix::config
