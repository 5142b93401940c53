// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "userspace/config/diagnostics.h"
#include "userspace/config/source.h"

namespace natrix::config {

// A node with thousands of subnets needs a tenth of it.
inline constexpr std::size_t kMaxBytes = 1024 * 1024;

// Whether `source` is text a YAML parser should see at all: not too long, valid UTF-8, no control
// characters, no directives.  The first reason against it goes to `diagnostics`.
bool CheckText(const Source& source, Diagnostics& diagnostics);

}  // namespace natrix::config
