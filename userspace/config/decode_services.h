// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/config/decode.h"
#include "userspace/config/mapping.h"

namespace natrix::config {

// `kubeProxy` and `services`, and of the node what they ask for.
void DecodeServices(const Mapping& top, const model::Config* before, Decoded& out);

}  // namespace natrix::config
