// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "maps/abi/subnet.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// Number of each CIDR that the node has rules for: nx_net.subnet, and the key of nx_subnet.
using SubnetNumbers = std::map<model::Prefix, std::uint32_t>;

// A CIDR of a Subnet that was there before keeps its number, so that its counters go on and a
// change elsewhere does not touch its policy.
SubnetNumbers NumberSubnets(const model::Config& config,
                            const Table<std::uint32_t, nx_subnet>& previous);

// What nx_subnet holds; the policies' `nat` bits are those of Policies() (policy.h).
Table<std::uint32_t, nx_subnet> Subnets(const model::Config& config, const SubnetNumbers& numbers);

// What nx_policy holds.
Table<nx_policy_key, nx_policy> Policies(const model::Config& config, const SubnetNumbers& numbers);

}  // namespace natrix::compile
