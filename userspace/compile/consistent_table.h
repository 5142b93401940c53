// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "maps/abi/service.h"

namespace natrix::compile {

// NX_TABLE_SLOTS slots, each the index of one of `backends`; none without backends.  Every backend
// has as many slots as another, or one more.  Depends on who they are, not on their order, and most
// slots keep theirs when one comes or goes (Maglev, NSDI 2016, section 3.4).
std::vector<std::uint16_t> ConsistentTable(const std::vector<nx_backend>& backends);

}  // namespace natrix::compile
