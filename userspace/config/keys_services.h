// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "userspace/config/keys.h"

namespace natrix::config {

// The rows of the table that are about kube-proxy and its Services.
std::vector<Key> ServiceKeys();

// Fields of Kubernetes' Service and EndpointSlice that are no words here because they decide
// nothing about a node's translation, which people copy along.
bool IsIdleServiceField(std::string_view name);

}  // namespace natrix::config
