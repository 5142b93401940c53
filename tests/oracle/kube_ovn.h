// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/model/config.h"

// What Kube-OVN's daemon works out of Subnets before it writes ipsets and rules, read from its
// source (pkg/daemon/gateway.go, gateway_linux.go) and not from natrix': the two are compared.
namespace natrix::oracle {

using model::Config;
using model::Family;
using model::Subnet;

// "ovn40", "ovn60": what the names of its ipsets begin with.
const char* OvnPrefix(Family family);
// kube-proxy's: "KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP".
std::string KubeProxySet(Family family, std::string_view name);

// Of the subnets that the node has rules for and `wanted` accepts.
std::vector<std::string> CidrsOf(const Config& config, Family family,
                                 const std::function<bool(const Subnet&)>& wanted);
std::optional<std::string> CidrOf(const Subnet& subnet, Family family);

std::optional<std::string> NodeAddress(const Config& config, Family family);

// getEgressNatIPByNode: CIDR -> address, in the order of the rules.  The IPv6 half is what the code
// means: it cuts the text at every colon, so that in truth no such rule can be written.
std::map<std::string, std::string> EgressAddresses(const Config& config, Family family);

// getSubnetsNatOutGoingPolicy, sorted by name.
std::vector<const Subnet*> PolicySubnets(const Config& config, Family family);

// One rule of a subnet's policy, as status.natOutgoingPolicyRules has it.
struct PolicyStatus {
  std::string id;
  std::vector<std::string> src;  // as the user wrote them; empty: any
  std::vector<std::string> dst;
  model::PolicyAction action;

  // getMatchProtocol: that of the first address of either list; none when both are empty.
  std::optional<Family> family() const;
};
std::vector<PolicyStatus> PoliciesOf(const Subnet& subnet);

// "ovn40natpr-418e79269dc5-src".
std::string PolicySet(Family family, const PolicyStatus& rule, std::string_view side);

}  // namespace natrix::oracle
