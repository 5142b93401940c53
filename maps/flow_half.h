// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "maps/abi/flow.h"

namespace natrix::maps {

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
