// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/config.h"

#include <algorithm>

namespace natrix::model {

std::optional<Address> FirstOf(const std::vector<Address>& addresses, Family family) {
  const auto found = std::ranges::find(addresses, family, &Address::family);
  if (found == addresses.end()) return std::nullopt;
  return *found;
}

bool TranslatesCalls(const Config& config) {
  return !config.services.empty() && config.kube_proxy.socket_lb != SocketLb::kOff;
}

}  // namespace natrix::model
