// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>

#include <memory>
#include <string>

#include "maps/opener.h"
#include "userspace/base/result.h"

namespace natrix::daemon {

// What a scrape is answered with: read from the maps at that moment, so that nothing is counted
// twice and nothing is lost before a first sample.  `node` is Kube-OVN's label `hostname`; empty:
// the kernel's name of this host.  The fds of the maps are borrowed.
Result<std::shared_ptr<const prometheus::Collectable>> MakeMetrics(const maps::FdOf& fd_of,
                                                                   const std::string& node);

}  // namespace natrix::daemon
