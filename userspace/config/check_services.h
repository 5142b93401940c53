// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Services that are called at one address and port, or by one NodePort; families that do not meet;
// policies that need what the node is not told; more than the maps hold.
void CheckServices(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
