// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/diagnostics.h"

namespace natrix::config {

// What no single value shows: names and addresses that meet, ranges that overlap, marks that share
// bits, more than the maps hold.  O(n log n).
void Check(const Decoded& decoded, Diagnostics& diagnostics);

}  // namespace natrix::config
