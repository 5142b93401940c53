// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/model/address.h"

namespace natrix::compile {

// What the maps write for "at all of the node's addresses": 0.0.0.0 or ::.
inline model::Address AnyOf(model::Family family) {
  return family == model::Family::kIpv4 ? *model::Address::Parse("0.0.0.0") : model::Address{};
}

}  // namespace natrix::compile
