// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/config.h"

#include <algorithm>

namespace natrix::model {

std::optional<Address> FirstOf(const std::vector<Address>& addresses, Family family) {
  const auto found = std::ranges::find(addresses, family, &Address::family);
  if (found == addresses.end()) return std::nullopt;
  return *found;
}

}  // namespace natrix::model
