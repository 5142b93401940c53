// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace natrix::maps {

// How an opened pin may be used.  Read-only keeps a command that only looks from ever writing.
enum class Access { kReadWrite, kReadOnly };

// Opens the map pinned at `path`; nullopt when nothing is pinned there.
Result<std::optional<UniqueFd>> OpenPinnedMap(const std::string& path, Access access);

}  // namespace natrix::maps
