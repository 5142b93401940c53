// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "maps/abi/config.h"
#include "maps/abi/ports.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// kube-proxy's sets of IPVS mode: what nx_ports, nx_loop and nx_range are to hold.
Table<nx_port_key, nx_port_member> PortSets(const model::Ipvs& ipvs);
Table<nx_loop_key, nx_loop> LoopBacks(const model::Ipvs& ipvs);
Table<nx_range_key, nx_range> SourceRanges(const model::Ipvs& ipvs);
nx_ranges RangesOf(const model::Ipvs& ipvs);

}  // namespace natrix::compile
