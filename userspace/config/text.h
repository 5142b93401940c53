// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "userspace/config/diagnostics.h"
#include "userspace/config/source.h"

namespace natrix::config {

// 10,000 Services with 10 endpoints each need a quarter of it.
inline constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;

// Whether `source` is text a YAML parser should see at all: not too long, valid UTF-8, no control
// characters, no directives.  The first reason against it goes to `diagnostics`.
bool CheckText(const Source& source, Diagnostics& diagnostics);

}  // namespace natrix::config
