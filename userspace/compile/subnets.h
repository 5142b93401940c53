// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "maps/abi/set.h"
#include "maps/abi/subnet.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// Everything that decides what the maps hold for one Subnet.
struct SubnetInput {
  model::Subnet subnet;
  // Of its CIDRs: nx_net.subnet, and the key of nx_subnet.  Empty: no subnet of the node's.
  std::vector<std::uint32_t> numbers;
  std::string node;
  model::PolicyOrder policy_order = model::PolicyOrder::kNatFirst;
  model::OrphanDrop orphan_drop = model::OrphanDrop::kGatewayAddress;
};

// What the maps hold for it, never empty pointers.
struct SubnetPart {
  SubnetInput input;
  std::shared_ptr<const Table<std::uint32_t, nx_subnet>> subnet;
  std::shared_ptr<const Table<nx_policy_key, nx_policy>> policy;
  std::shared_ptr<const Table<nx_set_key, nx_set_member>> set;
};
// By the Subnet's name, never null.  Configurations share the parts that are the same: a copy of
// a thousand Subnets would cost more than to compare them.
using SubnetParts = std::map<std::string, std::shared_ptr<const SubnetPart>>;

// One part for each Subnet; those of `before` whose input is the same.  `previous` is what
// nx_subnet holds, `before` what was made for it: a CIDR of a Subnet that was there keeps its
// number, so that its counters go on and a change elsewhere does not touch its policy.
SubnetParts MakeParts(const model::Config& config, const Parts<std::uint32_t, nx_subnet>& previous,
                      const SubnetParts& before);

}  // namespace natrix::compile
