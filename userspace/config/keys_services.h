// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/config/keys.h"

namespace natrix::config {

// The rows of the table that are about kube-proxy and its Services.
std::vector<Key> ServiceKeys();

}  // namespace natrix::config
