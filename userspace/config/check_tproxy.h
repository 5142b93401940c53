// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// Probes that are written twice, or that no proxy can take over; marks that other traffic has;
// tables that are the kernel's.
void CheckTproxy(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
