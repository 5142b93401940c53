// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/oracle/rule_table.h"
#include "userspace/model/config.h"

// The rules of kube-proxy v1.30 in iptables mode, read from its source (pkg/proxy/iptables,
// pkg/proxy/topology.go) and not from natrix': the two are compared.
namespace natrix::oracle {

// Whether kube-proxy runs there at all; without it a table has none of its chains.
bool HasKubeProxy(const Config& config);

// Chains, jumps and rules, after what the table has already.
void AddKubeProxyNat(Table& nat, const Config& config, Family family);
void AddKubeProxyFilter(Table& filter, const Config& config, Family family);

}  // namespace natrix::oracle
