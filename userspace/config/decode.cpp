// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/decode.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "userspace/config/choice.h"
#include "userspace/config/decode_calico.h"
#include "userspace/config/decode_host_ports.h"
#include "userspace/config/decode_ipvs.h"
#include "userspace/config/decode_services.h"
#include "userspace/config/mapping.h"
#include "userspace/config/values.h"

namespace natrix::config {
namespace {

void DecodeNode(const Mapping& map, Decoded& out) {
  model::Node& node = out.config.node;
  map.Into(node.name, "name", ReadName);
  map.Into(node.zone, "zone", ReadName);
  map.IntoList(node.addresses, &out.places.addresses, "addresses", ReadAddress);
  map.IntoList(out.pod_cidrs, &out.places.pod_cidrs, "podCIDRs", ReadCidr);
  map.IntoList(node.uplinks, &out.places.uplinks, "uplinks", ReadDevice);
  map.IntoList(node.pod_devices, &out.places.pod_devices, "podDevices", ReadDevice);
  map.IntoList(node.no_fast_path, &out.places.no_fast_path, "noFastPath", ReadDevice);
  for (const char* name : {"uplinks", "podDevices"}) {
    const Node* value = map.Get(name);
    if (value == nullptr || value->kind != Node::Kind::kList || !value->items.empty()) continue;
    map.diagnostics().Error(value->where, fmt::format("\"{}\" names no device", name),
                            ShapeHelp(map.KeyOf(name)));
  }
}

// `cidrs`, or Kube-OVN's own `cidrBlock`, but not both, or the two would have to be told apart
// when they differ.
void DecodeCidrs(const Mapping& map, model::Subnet& subnet, Places::Subnet& places) {
  const Node* list = map.Get("cidrs");
  const Node* block = map.Get("cidrBlock");
  Diagnostics& diagnostics = map.diagnostics();
  if (list != nullptr && block != nullptr)
    diagnostics.Error(block->where, "\"cidrBlock\" and \"cidrs\" say the same thing twice",
                      "keep one of them");
  if (list == nullptr && block == nullptr)
    diagnostics.Error(
        map.where(), "an item of \"subnets\" has no \"cidrs\"",
        fmt::format("add `cidrs: {}`, with your own values", map.KeyOf("cidrs").example));
  if (list != nullptr && list->kind == Node::Kind::kList && list->items.empty())
    diagnostics.Error(list->where, "\"cidrs\" is empty", ShapeHelp(map.KeyOf("cidrs")));
  map.IntoList(subnet.cidrs, &places.cidrs, "cidrs", ReadCidr);
  if (block == nullptr || list != nullptr) return;
  const Key& key = map.KeyOf("cidrBlock");
  for (const Node& part : SplitCommas(*block, key, diagnostics)) {
    const auto cidr = ReadCidr(part, key, diagnostics);
    if (!cidr) continue;
    subnet.cidrs.push_back(*cidr);
    places.cidrs.push_back(part.where);
  }
}

// One side of a rule; an empty text asks for nothing, as one that is left out.
void DecodeSide(const Mapping& match, std::string_view name, std::string& text,
                std::vector<model::Prefix>& prefixes, std::vector<Span>& places) {
  const Node* value = match.Get(name);
  if (value == nullptr || (value->kind == Node::Kind::kScalar && value->text.empty())) return;
  const Key& key = match.KeyOf(name);
  text = value->text;
  for (const Node& part : SplitCommas(*value, key, match.diagnostics())) {
    const auto prefix = ReadPolicyPrefix(part, key, match.diagnostics());
    if (!prefix) continue;
    prefixes.push_back(*prefix);
    places.push_back(part.where);
  }
}

void DecodePolicyRule(const Mapping& map, model::Subnet& subnet, Places::Subnet& places) {
  model::PolicyRule rule;
  Places::PolicyRule where{.rule = map.where(), .prefixes = {}};
  DecodeChoice(map, "action", rule.action);
  if (const auto match = map.Sub("match")) {
    DecodeSide(*match, "srcIPs", rule.src_ips, rule.sources, where.prefixes);
    DecodeSide(*match, "dstIPs", rule.dst_ips, rule.destinations, where.prefixes);
  }
  subnet.policies.push_back(std::move(rule));
  places.policies.push_back(std::move(where));
}

void DecodeGateway(const Mapping& map, model::Subnet& subnet, Places::Subnet& places) {
  if (const Node* value = map.Get("gatewayNode")) {
    const Key& key = map.KeyOf("gatewayNode");
    for (const Node& part : SplitCommas(*value, key, map.diagnostics())) {
      auto gateway = ReadGatewayNode(part, key, map.diagnostics());
      if (!gateway) continue;
      subnet.gateway_nodes.push_back(*std::move(gateway));
      places.gateway_nodes.push_back(part.where);
    }
  }
  map.Into(subnet.enable_ecmp, "enableEcmp", ReadBool);
  places.activate_gateway = map.Into(subnet.activate_gateway, "activateGateway", ReadName);
}

void DecodeSubnet(const Mapping& map, Decoded& out) {
  model::Subnet subnet;
  Places::Subnet places;
  places.name = map.Into(subnet.name, "name", ReadName);
  DecodeCidrs(map, subnet, places);
  DecodeChoice(map, "gatewayType", subnet.gateway_type);
  map.Into(subnet.nat_outgoing, "natOutgoing", ReadBool);
  map.Into(subnet.vpc, "vpc", ReadName);
  map.Into(subnet.vlan, "vlan", ReadName);
  map.Into(subnet.logical_gateway, "logicalGateway", ReadBool);
  DecodeGateway(map, subnet, places);
  DecodeChoice(map, "fastPath", subnet.fast_path);
  for (const Mapping& rule : map.SubList("natOutgoingPolicyRules"))
    DecodePolicyRule(rule, subnet, places);
  out.config.subnets.push_back(std::move(subnet));
  out.places.subnets.push_back(std::move(places));
}

void DecodeFloatingIp(const Mapping& map, Decoded& out) {
  std::optional<model::Address> external, internal;
  Places::FloatingIp places;
  places.external = map.Into(external, "external", ReadAddress);
  places.internal = map.Into(internal, "internal", ReadAddress);
  if (!external || !internal) return;
  out.config.floating_ips.push_back({*external, *internal});
  out.places.floating_ips.push_back(places);
}

void DecodeProbe(const Mapping& map, Decoded& out) {
  std::optional<model::Address> pod_ip;
  std::optional<std::uint16_t> port;
  Places::Tproxy::Probe places;
  places.pod_ip = map.Into(pod_ip, "podIP", ReadAddress);
  places.port = map.Into(port, "port", ReadPort);
  if (!pod_ip || !port) return;
  out.config.tproxy.probes.push_back({*pod_ip, *port});
  out.places.tproxy.probes.push_back(places);
}

void DecodeTproxy(const Mapping& map, Decoded& out) {
  model::Tproxy& tproxy = out.config.tproxy;
  Places::Tproxy& places = out.places.tproxy;
  for (const Mapping& probe : map.SubList("probes")) DecodeProbe(probe, out);
  map.Into(tproxy.on_port, "onPort", ReadPort);
  map.IntoList(tproxy.on_ip, &places.on_ip, "onIP", ReadAddress);
  for (const model::Family family : model::kFamilies)
    if (const auto node = model::FirstOf(out.config.node.addresses, family);
        node && !model::FirstOf(tproxy.on_ip, family))
      tproxy.on_ip.push_back(*node);
  const std::size_t before = map.diagnostics().count();
  places.output_mark = map.Into(tproxy.output_mark, "outputMark", ReadMark);
  places.prerouting_mark = map.Into(tproxy.prerouting_mark, "preroutingMark", ReadMark);
  places.readable = map.diagnostics().count() == before;
  places.table = map.Into(tproxy.table, "table", ReadCount);
}

void DecodeMarks(const Mapping& map, Decoded& out) {
  model::Marks& marks = out.config.marks;
  Places::Marks& places = out.places.marks;
  const std::size_t before = map.diagnostics().count();
  places.masquerade = map.Into(marks.masquerade, "masquerade", ReadMark);
  places.local = map.Into(marks.local, "local", ReadMark);
  places.policy_nat = map.Into(marks.policy_nat, "policyNat", ReadMark);
  places.policy_forward = map.Into(marks.policy_forward, "policyForward", ReadMark);
  places.host_port = map.Into(marks.host_port, "hostPort", ReadMark);
  places.drop = map.Into(marks.drop, "drop", ReadMark);
  places.readable = map.diagnostics().count() == before;
}

void DecodeMasquerade(const Mapping& map, model::Masquerade& masquerade) {
  bool random = masquerade.port_choice == NX_PORT_RANDOM;
  map.Into(random, "randomFully", ReadBool);
  masquerade.port_choice = random ? NX_PORT_RANDOM : NX_PORT_KEEP;
  map.IntoList(masquerade.reserved_ports, nullptr, "reservedPorts", ReadPorts);
}

void DecodeXdp(const Mapping& map, Decoded& out) {
  model::Xdp& xdp = out.config.xdp;
  DecodeChoice(map, "mode", xdp.mode);
  map.IntoList(xdp.devices, &out.places.xdp_devices, "devices", ReadDevice);
  map.IntoList(xdp.force, &out.places.xdp_force, "force", ReadDevice);
}

}  // namespace

Decoded Decode(const Node& root, const model::Config* before, Diagnostics& diagnostics) {
  Decoded out;
  const std::optional<Mapping> top = Mapping::Open(root, "", diagnostics);
  if (!top) return out;
  if (const auto node = top->Sub("node")) DecodeNode(*node, out);
  DecodeChoice(*top, "fastPath", out.config.fast_path);
  if (const auto xdp = top->Sub("xdp")) DecodeXdp(*xdp, out);
  top->IntoList(out.config.service_cidrs, &out.places.service_cidrs, "serviceCIDRs", ReadCidr);
  top->IntoList(out.config.other_nodes, &out.places.other_nodes, "otherNodes", ReadAddress);
  for (const Mapping& subnet : top->SubList("subnets")) DecodeSubnet(subnet, out);
  DecodeChoice(*top, "policyOrder", out.config.policy_order);
  DecodeChoice(*top, "dropOrphans", out.config.orphan_drop);
  DecodeIpvs(*top, out);
  for (const Mapping& floating : top->SubList("floatingIPs")) DecodeFloatingIp(floating, out);
  DecodeCalico(*top, out);
  if (const auto tproxy = top->Sub("tproxy")) DecodeTproxy(*tproxy, out);
  if (const auto marks = top->Sub("marks")) DecodeMarks(*marks, out);
  if (const auto masquerade = top->Sub("masquerade"))
    DecodeMasquerade(*masquerade, out.config.masquerade);
  if (const auto flows = top->Sub("flows")) {
    flows->Into(out.config.flows.max_established, "maxEstablished", ReadCount);
    flows->Into(out.config.flows.max_embryos, "maxEmbryos", ReadCount);
  }
  if (const auto metrics = top->Sub("metrics"))
    metrics->Into(out.config.metrics.listen, "listen", ReadListen);
  if (const auto timeouts = top->Sub("timeouts"))
    for (unsigned state = 0; state < NX_STATE_COUNT; ++state)
      timeouts->Into(out.config.timeout_seconds[state], TimeoutKey(state), ReadDuration);
  DecodeServices(*top, before, out);
  DecodeHostPorts(*top, out);
  return out;
}

}  // namespace natrix::config
