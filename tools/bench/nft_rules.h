// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/model/config.h"

namespace natrix::bench {

// What somebody who writes nftables by hand, with its sets and verdict maps, would load for a
// configuration: masquerade of `natOutgoing` subnets, NAT policies are left out; Services as
// kube-proxy's nftables mode shapes them (one verdict map, a chain for each Service and endpoint).
// For `nft -f`.
std::string NftText(const model::Config& config);

}  // namespace natrix::bench
