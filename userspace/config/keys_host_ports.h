// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/config/keys.h"

namespace natrix::config {

// The rows of `hostPorts` and `docker`.
std::vector<Key> HostPortKeys();

}  // namespace natrix::config
