// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "maps/abi/flow.h"
#include "maps/abi/way.h"

namespace natrix::maps {

// A flow's entry, of either table.
inline const nx_flow& FlowOf(const nx_flow& entry) { return entry; }
inline const nx_flow& FlowOf(const nx_established& entry) { return entry.flow; }

// What an answer to the translated packet looks like: key of a flow's other half, from either half
// (flow_partner() of bpf/lib/flow_table.h).
inline nx_tuple PartnerOf(const nx_tuple& key, const nx_flow& entry) {
  nx_tuple partner{};
  partner.src = entry.dst;
  partner.dst = entry.src;
  partner.sport = entry.dport;
  partner.dport = entry.sport;
  partner.proto = key.proto;
  return partner;
}

}  // namespace natrix::maps
