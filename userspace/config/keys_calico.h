// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "userspace/config/keys.h"

namespace natrix::config {

// The rows of the table that are about Calico.
std::vector<Key> CalicoKeys();

// Fields of Calico's IPPool that are no words here because they decide nothing about a node's
// translation, which people copy along.
bool IsIdlePoolField(std::string_view name);

}  // namespace natrix::config
