// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/two_nodes.h"

// kube-proxy's part in a Service: the destination, and a request for masquerade.  The same rules in
// both nodes, natrix' too, as if kube-proxy ran beside it; IPVS would do the same without rules.
namespace natrix::oracle {

struct ServiceRule {
  std::string address;  // ClusterIP, or the node's for a NodePort
  std::uint16_t port = 80;
  std::string endpoint;
  std::uint16_t endpoint_port = 8080;
  bool masquerade = false;  // KUBE-MARK-MASQ
};

// Chains KUBE-SERVICES and KUBE-MARK-MASQ with their jumps, after Kube-OVN's, in place of what was
// loaded before.  For TCP and UDP alike.  Applying a configuration takes them away from a node
// under iptables.
void LoadKubeProxy(TwoNodes& nodes, Family family, const std::vector<ServiceRule>& rules);

}  // namespace natrix::oracle
