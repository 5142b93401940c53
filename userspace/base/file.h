// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/base/result.h"

namespace natrix {

// The contents of a file, at most `limit` + 1 bytes of it: a longer answer than `limit` tells
// the caller that the file is too long, without anybody having read all of it.
Result<std::string> ReadFile(const std::string& path, std::size_t limit);

}  // namespace natrix
