// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "loader/pin_root.h"
#include "userspace/base/result.h"

namespace natrix::loader {

struct Removed {
  int links = 0;
  int filters = 0;
  int maps = 0;
  int programs = 0;
  bool any() const { return links + filters + maps + programs > 0; }
};

// Takes everything of ours out of the kernel: links and filters first, then pins.  Touches nothing
// of others: not their filters, not a qdisc that they made or use.  Idempotent.  The caller holds
// the PinRootLock.
Result<Removed> RemoveAll(const PinRoot& root);

}  // namespace natrix::loader
