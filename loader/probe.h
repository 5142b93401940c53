// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"

namespace natrix::loader {

// Whether this kernel has tcx links (Linux 6.6): tried, by linking a program that does nothing
// to `lo` and dropping it at once.
Result<bool> HasTcxLinks();

}  // namespace natrix::loader
