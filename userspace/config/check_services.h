// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Whether a device may be managed whose name begins with a text, or is it.  Of a pattern only what
// is before its first wildcard is looked at.
bool MayBeManaged(const model::Node& node, const std::string& text, bool begins);

// Services that are called at one address and port, or by one NodePort; families that do not meet;
// policies that need what the node is not told; more than the maps hold.
void CheckServices(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
