// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/oracle/rule_table.h"
#include "userspace/model/config.h"

// The rules of CNI's plugins portmap, bridge and ptp, and of Docker for its bridges, read from
// their sources; those of the nat table in the order that a node with kube-proxy and Calico has
// them: DNAT after KUBE-SERVICES, MASQUERADE before KUBE-POSTROUTING, ipMasq's last.
namespace natrix::oracle {

void AddHostPortMasquerade(Table& nat, const model::Config& config, Family family);
void AddHostPortDnat(Table& nat, const model::Config& config, Family family);
void AddIpMasq(Table& nat, const model::Config& config, Family family);
// In FORWARD, behind kube-proxy's chains.
void AddDockerFilter(Table& filter, const model::Config& config, Family family);
// The whole table, which nobody else has rules in.
std::string RawText(const model::Config& config, Family family);

}  // namespace natrix::oracle
