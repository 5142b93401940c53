// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/oracle/rule_table.h"
#include "userspace/model/config.h"

// The helper rules and sets of kube-proxy v1.30 in IPVS mode, those of v1.24 about source ranges,
// and kubelet's, read from their source (pkg/proxy/ipvs/proxier.go, ipset.go;
// pkg/kubelet/kubelet_network_linux.go) and not from natrix'.
namespace natrix::oracle {

// One set of a configuration in one family.
struct IpvsSet {
  std::string name;  // KUBE-CLUSTER-IP, KUBE-6-CLUSTER-IP
  std::string type;
  std::vector<std::string> members;
};
std::vector<IpvsSet> IpvsSets(const model::Ipvs& ipvs, Family family);

// Chains, jumps and rules, after what the table has already.  There are none for empty sets.
void AddIpvsNat(Table& nat, const Config& config, Family family);

// KUBE-IPVS-FILTER at the head of INPUT, and KUBE-PROXY-FIREWALL behind it and in FORWARD.
void AddIpvsFilter(Table& filter, const Config& config, Family family);

// KUBE-FIREWALL's drop of what is marked, into a table that may have the chain already.
void AddMarkDrop(Table& filter, const Config& config, bool has_chain);

}  // namespace natrix::oracle
