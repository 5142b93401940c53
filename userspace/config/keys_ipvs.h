// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/config/keys.h"

namespace natrix::config {

// The rows of the table that are about kube-proxy in IPVS mode.
std::vector<Key> IpvsKeys();

}  // namespace natrix::config
