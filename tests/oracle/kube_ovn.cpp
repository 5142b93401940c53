// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/kube_ovn.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/compile/rule_id.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::GatewayNode;
using model::Prefix;

// util.SplitTrimmed
std::vector<std::string> SplitTrimmed(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return parts;
}

Family FamilyOf(const std::string& text) {
  return text.find(':') == text.npos ? Family::kIpv4 : Family::kIpv6;
}

// spec.enableEcmp or status.activateGateway; the controller begins with the first.
bool IsActive(const Subnet& subnet, const std::string& node) {
  if (subnet.enable_ecmp) return true;
  if (!subnet.activate_gateway.empty()) return subnet.activate_gateway == node;
  return !subnet.gateway_nodes.empty() && subnet.gateway_nodes.front().name == node;
}

}  // namespace

const char* OvnPrefix(Family family) { return family == Family::kIpv4 ? "ovn40" : "ovn60"; }

std::string KubeProxySet(Family family, std::string_view name) {
  // NewIPSet: the names of IPv6 are cut to what ipset takes.
  return fmt::format("KUBE-{}{}", family == Family::kIpv4 ? "" : "6-", name).substr(0, 31);
}

std::optional<std::string> CidrOf(const Subnet& subnet, Family family) {
  for (const Prefix& cidr : subnet.cidrs)
    if (cidr.family() == family) return cidr.ToString();
  return std::nullopt;
}

std::vector<std::string> CidrsOf(const Config& config, Family family,
                                 const std::function<bool(const Subnet&)>& wanted) {
  std::vector<std::string> cidrs;
  for (const Subnet& subnet : config.subnets)
    if (const auto cidr = CidrOf(subnet, family); cidr && subnet.IsManaged() && wanted(subnet))
      cidrs.push_back(*cidr);
  return cidrs;
}

std::optional<std::string> NodeAddress(const Config& config, Family family) {
  for (const Address& address : config.node.addresses)
    if (address.family() == family) return address.ToString();
  return std::nullopt;
}

std::map<std::string, std::string> EgressAddresses(const Config& config, Family family) {
  std::map<std::string, std::string> found;
  for (const Subnet& subnet : config.subnets) {
    const std::optional<std::string> cidr = CidrOf(subnet, family);
    if (!cidr || !subnet.IsManaged() || !subnet.nat_outgoing ||
        subnet.gateway_type != model::GatewayType::kCentralized ||
        !IsActive(subnet, config.node.name))
      continue;
    const auto gateway = std::ranges::find_if(subnet.gateway_nodes, [&](const GatewayNode& node) {
      return node.name == config.node.name && node.egress && node.egress->family() == family;
    });
    if (gateway != subnet.gateway_nodes.end()) found[*cidr] = gateway->egress->ToString();
  }
  return found;
}

std::vector<const Subnet*> PolicySubnets(const Config& config, Family family) {
  std::vector<const Subnet*> found;
  for (const Subnet& subnet : config.subnets)
    if (subnet.IsManaged() && subnet.nat_outgoing && !subnet.policies.empty() &&
        CidrOf(subnet, family))
      found.push_back(&subnet);
  std::ranges::sort(found, {}, &Subnet::name);
  return found;
}

std::optional<Family> PolicyStatus::family() const {
  if (!src.empty()) return FamilyOf(src.front());
  if (!dst.empty()) return FamilyOf(dst.front());
  return std::nullopt;
}

std::vector<PolicyStatus> PoliciesOf(const Subnet& subnet) {
  std::vector<PolicyStatus> rules;
  for (std::size_t i = 0; i < subnet.policies.size(); ++i) {
    const model::PolicyRule& rule = subnet.policies[i];
    rules.push_back({compile::RuleId(subnet.name, i, rule), SplitTrimmed(rule.src_ips),
                     SplitTrimmed(rule.dst_ips), rule.action});
  }
  return rules;
}

std::string PolicySet(Family family, const PolicyStatus& rule, std::string_view side) {
  return fmt::format("{}natpr-{}-{}", OvnPrefix(family), rule.id, side);
}

}  // namespace natrix::oracle
