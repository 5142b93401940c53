// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "maps/abi/set.h"
#include "maps/abi/subnet.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

struct PrefixHash {
  std::size_t operator()(const model::Prefix& prefix) const {
    return std::hash<std::string_view>()(
               {reinterpret_cast<const char*>(prefix.address.bytes.byte),
                sizeof(prefix.address.bytes.byte)}) ^
           static_cast<std::size_t>(prefix.length);
  }
};

// Number of each CIDR that the node has rules for: nx_net.subnet, and the key of nx_subnet.
using SubnetNumbers = std::unordered_map<model::Prefix, std::uint32_t, PrefixHash>;

// A CIDR of a Subnet that was there before keeps its number, so that its counters go on and a
// change elsewhere does not touch its policy.
SubnetNumbers NumberSubnets(const model::Config& config,
                            const Parts<std::uint32_t, nx_subnet>& previous);

// Everything that decides what the maps hold for one Subnet.
struct SubnetInput {
  model::Subnet subnet;
  std::vector<std::uint32_t> numbers;  // of its CIDRs; empty: not the node's
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
using SubnetParts = std::map<std::string, SubnetPart>;  // by the Subnet's name

// One part for each Subnet; those of `before` whose input is the same.
SubnetParts MakeParts(const model::Config& config, const SubnetNumbers& numbers,
                      const SubnetParts& before);

}  // namespace natrix::compile
