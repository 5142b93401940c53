// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "maps/abi/ports.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// kube-proxy's sets of IPVS mode: what nx_ports and nx_loop are to hold.
Table<nx_port_key, nx_port_member> PortSets(const model::Ipvs& ipvs);
Table<nx_loop_key, nx_loop> LoopBacks(const model::Ipvs& ipvs);

}  // namespace natrix::compile
