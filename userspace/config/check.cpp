// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maps/abi/ports.h"
#include "maps/abi/set.h"
#include "maps/abi/subnet.h"
#include "userspace/config/check_calico.h"
#include "userspace/config/check_host_ports.h"
#include "userspace/config/check_services.h"
#include "userspace/config/check_tproxy.h"
#include "userspace/config/overlap.h"
#include "userspace/config/policy.h"
#include "userspace/config/room.h"

namespace natrix::config {
namespace {

using model::Address;

// Reports values that stand in a list more than once.
template <typename T, typename ToText>
void CheckTwice(const std::vector<T>& values, const std::vector<Span>& places, ToText to_text,
                Diagnostics& diagnostics) {
  std::map<T, Span> seen;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto [first, is_new] = seen.emplace(values[i], places[i]);
    if (!is_new)
      diagnostics.Error(places[i], fmt::format("{} is written twice", to_text(values[i])),
                        FirstAt(first->second, diagnostics));
  }
}

void CheckNode(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::Node& node = decoded.config.node;
  const Places& places = decoded.places;
  const auto quoted = [](const std::string& text) { return fmt::format("\"{}\"", text); };
  CheckTwice(node.addresses, places.addresses, std::mem_fn(&Address::ToString), diagnostics);
  CheckTwice(node.uplinks, places.uplinks, quoted, diagnostics);
  CheckTwice(node.pod_devices, places.pod_devices, quoted, diagnostics);
  CheckTwice(node.no_fast_path, places.no_fast_path, quoted, diagnostics);
  CheckTwice(decoded.config.xdp.devices, places.xdp_devices, quoted, diagnostics);
  CheckTwice(decoded.config.xdp.force, places.xdp_force, quoted, diagnostics);
  for (std::size_t i = 0; i < node.pod_devices.size(); ++i) {
    const auto same = std::ranges::find(node.uplinks, node.pod_devices[i]);
    if (same == node.uplinks.end()) continue;
    const Span uplink = places.uplinks[static_cast<std::size_t>(same - node.uplinks.begin())];
    diagnostics.Error(places.pod_devices[i],
                      fmt::format("\"{}\" is an uplink already", node.pod_devices[i]),
                      fmt::format("a device has one role; as an uplink it is at {}",
                                  diagnostics.PlaceOf(uplink)));
  }
}

void CheckOtherNodes(const Decoded& decoded, Diagnostics& diagnostics) {
  const std::vector<Address>& others = decoded.config.other_nodes;
  const std::vector<Address>& own = decoded.config.node.addresses;
  CheckTwice(others, decoded.places.other_nodes, std::mem_fn(&Address::ToString), diagnostics);
  for (std::size_t i = 0; i < others.size(); ++i)
    if (std::ranges::find(own, others[i]) != own.end())
      diagnostics.Error(decoded.places.other_nodes[i],
                        fmt::format("{} is an address of this node", others[i].ToString()),
                        "\"otherNodes\" are all nodes but this one");
}

void CheckSubnetNames(const Decoded& decoded, Diagnostics& diagnostics) {
  std::map<std::string, Span> seen;
  for (std::size_t i = 0; i < decoded.config.subnets.size(); ++i) {
    const std::string& name = decoded.config.subnets[i].name;
    const Span where = decoded.places.subnets[i].name;
    if (name.empty()) continue;  // reported when it was read
    const auto [first, is_new] = seen.emplace(name, where);
    if (!is_new)
      diagnostics.Error(where, fmt::format("a second subnet is called \"{}\"", name),
                        FirstAt(first->second, diagnostics));
  }
}

void CheckFloatingIps(const Decoded& decoded, Diagnostics& diagnostics) {
  std::map<Address, Span> seen;
  const std::vector<Address>& own = decoded.config.node.addresses;
  for (std::size_t i = 0; i < decoded.config.floating_ips.size(); ++i) {
    const auto& [external, internal] = decoded.config.floating_ips[i];
    const Places::FloatingIp& where = decoded.places.floating_ips[i];
    const std::string text = external.ToString();
    if (external.family() != internal.family())
      diagnostics.Error(
          where.internal,
          fmt::format("{} and {} are of different families", text, internal.ToString()),
          "a floating IP translates within a family: write one for each");
    else if (external == internal)
      diagnostics.Error(where.internal, fmt::format("{} stands for itself", text),
                        "\"internal\" is the pod's own address");
    if (std::ranges::find(own, external) != own.end())
      diagnostics.Error(where.external, fmt::format("{} is an address of this node", text),
                        "all of the node's traffic would go to the pod: use another address");
    const auto [first, is_new] = seen.emplace(external, where.external);
    if (!is_new)
      diagnostics.Error(where.external, fmt::format("{} is a floating IP already", text),
                        FirstAt(first->second, diagnostics));
  }
  for (std::size_t i = 0; i < decoded.config.floating_ips.size(); ++i) {
    const Address& internal = decoded.config.floating_ips[i].internal;
    if (internal != decoded.config.floating_ips[i].external && seen.contains(internal))
      diagnostics.Error(decoded.places.floating_ips[i].internal,
                        fmt::format("{} is itself a floating IP", internal.ToString()),
                        "an address is translated once: write the pod's own address");
  }
}

void CheckMarks(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::Marks& marks = decoded.config.marks;
  const Places::Marks& places = decoded.places.marks;
  struct Mark {
    const char* name;
    std::uint32_t bits;
    Span where;
  };
  const Mark masquerade{"masquerade", marks.masquerade, places.masquerade};
  const Mark nat{"policyNat", marks.policy_nat, places.policy_nat};
  const Mark forward{"policyForward", marks.policy_forward, places.policy_forward};
  // One of the two was written, or they would be the defaults, which do not meet.
  const auto later = [](const Mark& a, const Mark& b) {
    return a.where.begin > b.where.begin ? a.where : b.where;
  };
  const Mark local{"local", marks.local, places.local};
  const Mark host_port{"hostPort", marks.host_port, places.host_port};
  const Mark drop{"drop", marks.drop, places.drop};
  const auto apart = [&](const Mark& one, std::initializer_list<Mark> others) {
    for (const Mark& other : others)
      if (const std::uint32_t shared = one.bits & other.bits; shared != 0)
        diagnostics.Error(later(one, other),
                          fmt::format("marks \"{}\" ({:#x}) and \"{}\" ({:#x}) share {:#x}",
                                      one.name, one.bits, other.name, other.bits, shared),
                          "traffic with the one would be taken for the other: choose other bits");
  };
  apart(masquerade, {local, nat, forward});
  // The default of a mark that no container asks for is nobody's.
  if (places.host_port.end != 0 || model::AsksForHostPortMark(decoded.config)) {
    if (host_port.bits != masquerade.bits) apart(masquerade, {host_port});
    apart(host_port, {local, nat, forward, drop});
  }
  apart(drop, {masquerade, local, nat, forward});
  const std::uint32_t shared = nat.bits & forward.bits;
  if (shared == nat.bits || shared == forward.bits)
    diagnostics.Error(later(nat, forward),
                      fmt::format("mark \"policyNat\" ({:#x}) cannot be told from "
                                  "\"policyForward\" ({:#x})",
                                  nat.bits, forward.bits),
                      "each needs a bit that the other does not have");
}

void CheckGateways(const Decoded& decoded, Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < decoded.config.subnets.size(); ++i) {
    const model::Subnet& subnet = decoded.config.subnets[i];
    const Places::Subnet& places = decoded.places.subnets[i];
    std::map<std::pair<std::string, int>, Span> seen;
    for (std::size_t j = 0; j < subnet.gateway_nodes.size(); ++j) {
      const auto& [name, egress] = subnet.gateway_nodes[j];
      const int family = egress ? static_cast<int>(egress->family()) : -1;
      const auto [first, is_new] = seen.emplace(std::pair(name, family), places.gateway_nodes[j]);
      if (!is_new)
        diagnostics.Error(places.gateway_nodes[j],
                          fmt::format("gateway node \"{}\" has an entry of this family", name),
                          FirstAt(first->second, diagnostics));
    }
    const std::string& active = subnet.activate_gateway;
    if (!active.empty() && !subnet.gateway_nodes.empty() &&
        std::ranges::find(subnet.gateway_nodes, active, &model::GatewayNode::name) ==
            subnet.gateway_nodes.end())
      diagnostics.Error(places.activate_gateway,
                        fmt::format("\"{}\" is none of the gateway nodes", active),
                        "\"activateGateway\" names one of \"gatewayNode\"");
  }
}

// How many sets hold a CIDR of this subnet.
std::size_t SetsOf(const model::Subnet& subnet) {
  if (!subnet.IsManaged()) return 0;
  return 1u + subnet.nat_outgoing + (subnet.gateway_type == model::GatewayType::kDistributed) +
         subnet.HasPolicy();
}

std::size_t SetsOf(const model::IpPool& pool) {
  return 1u + pool.nat_outgoing + !pool.load_balancer_only;
}

void CheckPorts(const Decoded& decoded, Diagnostics& diagnostics) {
  CheckRoom(decoded.places.ipvs.members, NX_MAX_PORTS,
            fmt::format("too many: the sets of \"ipvs\" hold {} members", NX_MAX_PORTS),
            "every port of a range counts, and twice each of \"loadBalancerFirewall\"",
            diagnostics);
  Costs loops;
  for (const Span where : decoded.places.ipvs.loop_back) loops.emplace_back(where, 1);
  CheckRoom(std::move(loops), NX_MAX_LOOPS,
            fmt::format("too many: \"loopBack\" holds {} members", NX_MAX_LOOPS), "", diagnostics);
  Costs sources;
  for (const Span where : decoded.places.ipvs.sources) sources.emplace_back(where, 1);
  CheckRoom(std::move(sources), NX_MAX_RANGES,
            fmt::format("too many: \"loadBalancerSourceCIDRs\" and \"loadBalancerSourceIPs\" hold "
                        "{} members",
                        NX_MAX_RANGES),
            "", diagnostics);
}

void CheckSubnetCount(const Decoded& decoded, Diagnostics& diagnostics) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < decoded.config.subnets.size(); ++i) {
    if (!decoded.config.subnets[i].IsManaged()) continue;
    for (const Span where : decoded.places.subnets[i].cidrs) {
      if (++count < NX_MAX_SUBNETS) continue;
      diagnostics.Error(
          where, fmt::format("one too many: there can be {} CIDRs of subnets", NX_MAX_SUBNETS - 1));
      return;
    }
  }
}

// What the maps hold is fixed when they are created.  Points at the first value too many.
void CheckSizes(const Decoded& decoded, Diagnostics& diagnostics) {
  const Places& places = decoded.places;
  Costs costs;
  for (const Span where : places.service_cidrs) costs.emplace_back(where, 1);
  for (const Span where : places.other_nodes) costs.emplace_back(where, 1);
  for (const Span where : places.kube_proxy.cluster_cidrs) costs.emplace_back(where, 1);
  for (const Places::DockerBridge& bridge : places.docker)
    for (const Span where : bridge.subnets) costs.emplace_back(where, 1);
  if (!decoded.config.docker.direct_access)
    for (const Places::DockerBridge& bridge : places.docker)
      for (const Places::Container& container : bridge.containers)
        for (const Span where : container.addresses) costs.emplace_back(where, 1);
  for (std::size_t i = 0; i < places.host_ports.size(); ++i)
    if (decoded.config.host_ports[i].ip_masq)
      for (const Span where : places.host_ports[i].addresses) costs.emplace_back(where, 2);
  for (const Span where : places.calico.hosts) costs.emplace_back(where, 1);
  for (std::size_t i = 0; i < places.calico.pools.size(); ++i)
    costs.emplace_back(places.calico.pools[i].cidr, SetsOf(decoded.config.calico->pools[i]));
  for (const Places::FloatingIp& where : places.floating_ips) costs.emplace_back(where.external, 1);
  for (std::size_t i = 0; i < places.subnets.size(); ++i)
    for (const Span where : places.subnets[i].cidrs)
      costs.emplace_back(where, SetsOf(decoded.config.subnets[i]));
  CheckRoom(std::move(costs), NX_MAX_PREFIXES,
            fmt::format("one too many: the sets hold {} members", NX_MAX_PREFIXES),
            "a CIDR counts once for every set that its subnet is in, and so does each of the pods' "
            "for kube-proxy",
            diagnostics);
  constexpr std::size_t kMostFloating = NX_MAX_FIP / 2;  // an entry for each side
  if (places.floating_ips.size() > kMostFloating)
    diagnostics.Error(places.floating_ips[kMostFloating].external,
                      fmt::format("one too many: there can be {} floating IPs", kMostFloating));
}

}  // namespace

void Check(const Decoded& decoded, Diagnostics& diagnostics) {
  CheckNode(decoded, diagnostics);
  CheckOtherNodes(decoded, diagnostics);
  CheckSubnetNames(decoded, diagnostics);
  CheckOverlaps(decoded, diagnostics);
  CheckGateways(decoded, diagnostics);
  CheckPolicies(decoded, diagnostics);
  CheckFloatingIps(decoded, diagnostics);
  if (decoded.places.marks.readable) CheckMarks(decoded, diagnostics);
  CheckTproxy(decoded, diagnostics);
  CheckCalico(decoded, diagnostics);
  CheckServices(decoded, diagnostics);
  CheckHostPorts(decoded, diagnostics);
  CheckSizes(decoded, diagnostics);
  CheckPorts(decoded, diagnostics);
  CheckSubnetCount(decoded, diagnostics);
}

}  // namespace natrix::config
