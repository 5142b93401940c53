// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <map>
#include <utility>

#include "maps/abi/flow.h"
#include "userspace/config/duration.h"
#include "userspace/config/keys_calico.h"
#include "userspace/config/keys_host_ports.h"
#include "userspace/config/keys_ipvs.h"
#include "userspace/config/keys_services.h"

namespace natrix::config {
namespace {

// clang-format off: one paragraph per word reads better than what it makes of it.
std::vector<Key> WrittenKeys() {
  return {
    {.path = "node", .type = Type::kMap, .required = true,
     .text = "The node natrixd runs on."},
    {.path = "node.name", .type = Type::kName, .example = "node1",
     .text = "The node's name in the cluster; shown by `natrix status`."},
    {.path = "node.zone", .type = Type::kName, .example = "zone-a",
     .text = "The node's zone, label `topology.kubernetes.io/zone`: for topology hints of endpoints."},
    {.path = "node.addresses", .type = Type::kAddresses, .fallback = "[]",
     .example = "[172.18.0.3, \"fd00:172:18::3\"]",
     .text = "The node's InternalIPs. Service traffic that reaches a pod from the node itself (IPVS) "
             "gets the first address of its family as its source; without one, that of the device it "
             "leaves through."},
    {.path = "node.podCIDRs", .type = Type::kCidrs, .example = "[10.16.3.0/24]",
     .text = "`spec.podCIDRs` of Kubernetes' Node. Only for `kubeProxy.detectLocalMode: NodeCIDR`."},
    {.path = "node.uplinks", .type = Type::kDevices, .required = true, .example = "[eth0]",
     .text = "Devices towards the physical network: names or patterns (`*`, `?`, `[0-9]`). Attached "
             "when they appear. An exact name wins over a pattern, an uplink over a pod device; "
             "`lo` is never managed."},
    {.path = "node.podDevices", .type = Type::kDevices, .required = true, .example = "[ovn0]",
     .text = "Devices towards the pods, written as `node.uplinks` are: `ovn0` for Kube-OVN. Marks "
             "that packets bring from there are not trusted."},

    {.path = "node.noFastPath", .type = Type::kDevices, .fallback = "[]", .example = "[eth1]",
     .text = "Devices, written as `node.uplinks` are, whose packets always go through the stack: "
             "what comes in or leaves by them. See `fastPath`."},

    {.path = "fastPath", .type = Type::kChoice, .fallback = "on", .example = "off",
     .text = "Whether later packets of a TCP or UDP flow go from the device they come in by straight "
             "to the one that the kernel routed earlier ones to. They pass netfilter, queueing "
             "disciplines of veths to pods, and captures by; natrixd sets "
             "`net.netfilter.nf_conntrack_tcp_be_liberal`, for netfilter sees only some segments of a "
             "connection. `off`: every packet goes through the stack.",
     .choices = {"on", "off"}},
    {.path = "xdp", .type = Type::kMap,
     .text = "XDP on uplinks: packets of known flows that come in there and leave by a device whose driver "
             "sends what XDP gives it never meet the stack, nor queueing disciplines and captures."},
    {.path = "xdp.mode", .type = Type::kChoice, .fallback = "off", .example = "native",
     .text = "`native`: in the driver. `generic`: for drivers that cannot; rarely quicker than `off`. Needs "
             "`fastPath: on`. An uplink where it would hurt goes without; `natrix status` says why.",
     .choices = {"off", "native", "generic"}},
    {.path = "xdp.devices", .type = Type::kDevices, .fallback = "[]", .example = "[eth0]",
     .text = "Which of the uplinks, written as `node.uplinks` are. Empty: all."},
    {.path = "xdp.force", .type = Type::kDevices, .fallback = "[]", .example = "[veth-wan]",
     .text = "Devices that have it, or get packets of it, although natrix would refuse: virtual ones, and "
             "those with VLAN devices above. For tests: on a veth it ends GSO, and bulk traffic costs a "
             "multiple."},
    {.path = "serviceCIDRs", .type = Type::kCidrs, .fallback = "[]",
     .example = "[10.96.0.0/12, \"fd00:10:96::/112\"]",
     .text = "The cluster's Service CIDRs: set `ovn40services` / `ovn60services`. With `services`, a fragment to "
             "them that comes before its first one is dropped."},
    {.path = "otherNodes", .type = Type::kAddresses, .fallback = "[]", .example = "[172.18.0.4]",
     .text = "InternalIPs of all other nodes: set `ovn40other-node` / `ovn60other-node`."},

    {.path = "subnets", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: ovn-default, cidrs: [10.16.0.0/16]}]",
     .text = "Kube-OVN's Subnets, the join subnet among them. Subnets of another `vpc`, and underlay "
             "subnets (`vlan` without `logicalGateway`), are in no set: the node has no rules for "
             "them."},
    {.path = "subnets[].name", .type = Type::kName, .required = true, .example = "ovn-default",
     .text = "The Subnet's name. No two have the same."},
    {.path = "subnets[].cidrs", .type = Type::kCidrs, .example = "[10.16.0.0/16, \"fd00:10:16::/112\"]",
     .text = "Its CIDRs, of either family. Needed, unless `cidrBlock` stands in its place."},
    {.path = "subnets[].cidrBlock", .type = Type::kCidrText,
     .example = "\"10.16.0.0/16,fd00:10:16::/112\"",
     .text = "The same as Kube-OVN's Subnet writes it: one string, separated by commas."},
    {.path = "subnets[].gatewayType", .type = Type::kChoice, .fallback = "distributed",
     .example = "centralized",
     .text = "`distributed`: every node is the gateway of its own pods, and the Subnet is in set "
             "`ovn40subnets-distributed-gw`.",
     .choices = {"distributed", "centralized"}},
    {.path = "subnets[].natOutgoing", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "Whether pods leave the subnets with the address of the device they leave through: set "
             "`ovn40subnets-nat`."},
    {.path = "subnets[].vpc", .type = Type::kName, .fallback = "ovn-cluster", .example = "vpc-1",
     .text = "The Subnet's VPC. The node has rules for the default one only."},
    {.path = "subnets[].vlan", .type = Type::kName, .example = "vlan-100",
     .text = "The Subnet's VLAN: an underlay subnet."},
    {.path = "subnets[].logicalGateway", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "An underlay subnet whose gateway is OVN's, so that the node has rules for it."},
    {.path = "subnets[].gatewayNode", .type = Type::kGatewayText,
     .example = "\"node1:172.18.0.50,node2\"",
     .text = "Gateway nodes of a `centralized` Subnet, separated by commas. With `NODE:ADDRESS` for "
             "this node (`node.name`), its pods leave with ADDRESS, of their family, instead of that of "
             "the device; once for each family."},
    {.path = "subnets[].enableEcmp", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "All of `gatewayNode` are active, not one of them."},
    {.path = "subnets[].activateGateway", .type = Type::kName, .example = "node1",
     .text = "The active gateway node, as Kube-OVN has it in the Subnet's status. Left out: the "
             "first of `gatewayNode`."},
    {.path = "subnets[].natOutgoingPolicyRules", .type = Type::kMaps, .fallback = "[]",
     .example = "[{match: {dstIPs: \"192.0.2.0/24\"}, action: forward}]",
     .text = "Exceptions from `natOutgoing`, which must be on for them to have an effect: set "
             "`ovn40subnets-nat-policy`. Up to 1024 of each family. `policyOrder` says which one "
             "decides when several match."},
    {.path = "subnets[].natOutgoingPolicyRules[].match", .type = Type::kMap,
     .text = "What the rule is about. Without it the rule matches nothing."},
    {.path = "subnets[].natOutgoingPolicyRules[].match.srcIPs", .type = Type::kPrefixText,
     .example = "\"10.16.0.0/24,10.16.1.7\"",
     .text = "Sources: addresses or CIDRs of one family, separated by commas. Left out or empty: any. A "
             "rule with neither `srcIPs` nor `dstIPs` matches nothing. `0.0.0.0/0` and `::/0` are allowed."},
    {.path = "subnets[].natOutgoingPolicyRules[].match.dstIPs", .type = Type::kPrefixText,
     .example = "\"8.8.8.8,192.0.2.0/24\"", .text = "Destinations, of the same family."},
    {.path = "subnets[].natOutgoingPolicyRules[].action", .type = Type::kChoice, .required = true,
     .example = "forward",
     .text = "`nat`: masqueraded. `forward`: leaves with the pod's address.",
     .choices = {"nat", "forward"}},
    {.path = "subnets[].fastPath", .type = Type::kChoice, .fallback = "on", .example = "off",
     .text = "`off`: all packets from and to the subnets go through the stack.",
     .choices = {"on", "off"}},
    {.path = "policyOrder", .type = Type::kChoice, .fallback = "nat-first", .example = "first-match",
     .text = "Which of several matching `natOutgoingPolicyRules` decides. `nat-first`: any `nat` beats "
             "any `forward`, which is what Kube-OVN's rules do in the kernel. `first-match`: the first "
             "one written, which is what its documentation says. `natrix check` names the rules for "
             "which the two differ.",
     .choices = {"nat-first", "first-match"}},
    {.path = "dropOrphans", .type = Type::kChoice, .fallback = "gateway-address",
     .example = "nat-outgoing",
     .text = "Which subnets may not send TCP segments that belong to no connection and open none. Such "
             "a segment leaves untranslated and makes a connection of its own, so that a later SYN between "
             "the same ports leaves untranslated too. `gateway-address`: those with an address in "
             "`gatewayNode`, as Kube-OVN. `nat-outgoing`: all with `natOutgoing`; answers to connections "
             "that entered the cluster at another node are then dropped.",
     .choices = {"gateway-address", "nat-outgoing"}},
    {.path = "floatingIPs", .type = Type::kMaps, .fallback = "[]",
     .example = "[{external: 172.18.0.50, internal: 10.16.0.10}]",
     .text = "Addresses outside that stand for a pod, as Calico's floating IPs do: traffic to "
             "`external` goes to `internal`. A pod that calls itself through its floating IP gets the "
             "reply from there; other traffic of the pod keeps its source, or is masqueraded. What the node's own processes call by TCP and UDP goes to the pod, too (`kubeProxy.socketLB`)."},
    {.path = "floatingIPs[].external", .type = Type::kAddress, .required = true,
     .example = "172.18.0.50", .text = "The address outside. No two floating IPs share one."},
    {.path = "floatingIPs[].internal", .type = Type::kAddress, .required = true,
     .example = "10.16.0.10",
     .text = "The pod's address, of the same family. With several floating IPs of one pod, the first "
             "one stands for it when it calls itself."},

    {.path = "tproxy", .type = Type::kMap,
     .text = "Kubelet probes of pods that the node cannot reach, which a proxy on the node takes "
             "over (Kube-OVN's `--enable-tproxy`, for pods of a VPC of their own). Without it, "
             "nothing of it is installed."},
    {.path = "tproxy.probes", .type = Type::kMaps, .required = true,
     .example = "[{podIP: 10.241.39.2, port: 80}]",
     .text = "What is probed: TCP, whoever of the node's own processes calls."},
    {.path = "tproxy.probes[].podIP", .type = Type::kAddress, .required = true,
     .example = "10.241.39.2", .text = "The pod's address."},
    {.path = "tproxy.probes[].port", .type = Type::kCount, .required = true, .example = "80",
     .text = "The port that the pod's livenessProbe or readinessProbe asks, as a number.",
     .least = 1, .most = 65535},
    {.path = "tproxy.onIP", .type = Type::kAddresses, .fallback = "[]",
     .example = "[172.18.0.3, \"fd00:172:18::3\"]",
     .text = "Where the proxy listens, one address of each family. A family that is left out has the "
             "first one of `node.addresses`."},
    {.path = "tproxy.onPort", .type = Type::kCount, .fallback = "8102", .example = "18102",
     .text = "The port on which it listens.", .least = 1, .most = 65535},
    {.path = "tproxy.outputMark", .type = Type::kMark, .fallback = "0x90003", .example = "0xb0003",
     .text = "Bits set in the mark of a socket that connects to one of the probes, before it is "
             "routed."},
    {.path = "tproxy.preroutingMark", .type = Type::kMark, .fallback = "0x90004",
     .example = "0xb0004", .text = "Bits set in the mark of a packet that is given to the proxy."},
    {.path = "tproxy.table", .type = Type::kCount, .fallback = "10001", .example = "10002",
     .text = "The route table that both marks ask for; natrix writes its one route, `local default "
             "dev lo`.",
     .least = 1, .most = 4294967295},

    {.path = "marks", .type = Type::kMap,
     .text = "Bits of the packet mark that natrix shares with others. They are cleared from what "
             "pods send."},
    {.path = "marks.masquerade", .type = Type::kMark, .fallback = "0x4000", .example = "0x8000",
     .text = "Asks for masquerade: kube-proxy's. Shares no bit with the others."},
    {.path = "marks.local", .type = Type::kMark, .fallback = "0x80000", .example = "0x100000",
     .text = "Traffic of a Service with `externalTrafficPolicy: Local`."},
    {.path = "marks.policyNat", .type = Type::kMark, .fallback = "0x90001", .example = "0xa0001",
     .text = "A NAT policy decided to translate."},
    {.path = "marks.policyForward", .type = Type::kMark, .fallback = "0x90002", .example = "0xa0002",
     .text = "A NAT policy decided not to translate. Neither policy mark holds all bits of the other."},
    {.path = "marks.hostPort", .type = Type::kMark, .fallback = "0x2000", .example = "0x1000",
     .text = "Asks for masquerade of a host port's traffic: CNI portmap's `markMasqBit`, as a mark. "
             "That of `masquerade` where its `externalSetMarkChain` is `KUBE-MARK-MASQ`; otherwise it "
             "shares no bit with the others."},
    {.path = "marks.drop", .type = Type::kMark, .example = "0x8000",
     .text = "What has it is dropped, to the node and by the node itself: kubelet's `KUBE-MARK-DROP` until "
             "Kubernetes 1.27, 0x8000. Left out: nothing is. Shares no bit with the others."},

    {.path = "masquerade", .type = Type::kMap, .text = "How source ports are chosen."},
    {.path = "masquerade.randomFully", .type = Type::kBool, .fallback = "true", .example = "false",
     .text = "Always a random source port, as iptables' `--random-fully`. `false`: the original one "
             "where it is free."},
    {.path = "masquerade.reservedPorts", .type = Type::kPorts, .fallback = "[]",
     .example = "[\"30000-32767\", 8080]",
     .text = "Ports or ranges never used as a source port, on top of `net.ipv4.ip_local_reserved_ports`: "
             "NodePorts, host ports. Ports of the node's own sockets need not be listed. Not heeded within "
             "`calico.natPortRange`."},

    {.path = "flows", .type = Type::kMap,
     .text = "How large the flow tables are. Taken when they are created: another value needs "
             "`natrix detach` first."},
    {.path = "flows.maxEstablished", .type = Type::kCount, .fallback = "131072", .example = "262144",
     .text = "Connections seen in both directions, at most. When all are in use, new connections that "
             "need translation are dropped and counted.",
     .least = 64, .most = 16777216},
    {.path = "flows.maxEmbryos", .type = Type::kCount, .fallback = "65536", .example = "32768",
     .text = "Connections seen in one direction, at most. The longest unused one makes room for a new "
             "one.",
     .least = 64, .most = 16777216},

    {.path = "metrics", .type = Type::kMap,
     .text = "What natrixd tells Prometheus: [operations.md](operations.md#metrics)."},
    {.path = "metrics.listen", .type = Type::kListen, .example = "\"127.0.0.1:9188\"",
     .text = "Where natrixd answers `GET /metrics`. Left out: nothing listens. `:9188` and `9188` are on "
             "`127.0.0.1`; to be reached from other machines write the address out, `0.0.0.0:9188` for "
             "all of IPv4 and `[::]:9188` for all of IPv6. There is no password and no TLS."},

    {.path = "timeouts", .type = Type::kMap,
     .text = "How long a connection may be silent before it is forgotten, by the state it is in: "
             "nf_conntrack's states and times. At least `1s`, at most `24d`."},
  };
}
// clang-format on

struct State {
  std::string_view name;
  std::uint32_t seconds;
  std::string_view text;
};

constexpr std::array<State, NX_STATE_COUNT> kStates = {{
#define X(name, value, seconds, text) {#name, seconds, text},
    NX_STATES(X)
#undef X
}};

Key TimeoutRow(unsigned state) {
  Key key{.path = "timeouts." + TimeoutKey(state), .type = Type::kDuration};
  key.fallback = FormatDuration(kStates[state].seconds);
  key.example = FormatDuration(kStates[state].seconds + 1);
  key.text = "Flows in state `" + std::string(kStates[state].text) + "`.";
  return key;
}

}  // namespace

std::string_view Key::name() const {
  return std::string_view(path).substr(path.rfind('.') == path.npos ? 0 : path.rfind('.') + 1);
}

std::string_view Key::parent() const {
  return std::string_view(path).substr(0, path.rfind('.') == path.npos ? 0 : path.rfind('.'));
}

const std::vector<Key>& Keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> all = WrittenKeys();
    std::ranges::move(IpvsKeys(), std::back_inserter(all));
    for (unsigned state = 0; state < NX_STATE_COUNT; ++state) all.push_back(TimeoutRow(state));
    std::ranges::move(CalicoKeys(), std::back_inserter(all));
    std::ranges::move(ServiceKeys(), std::back_inserter(all));
    std::ranges::move(HostPortKeys(), std::back_inserter(all));
    return all;
  }();
  return keys;
}

const Key* FindKey(std::string_view path) {
  static const std::map<std::string_view, const Key*> index = [] {
    std::map<std::string_view, const Key*> by_path;
    for (const Key& key : Keys()) by_path.emplace(key.path, &key);
    return by_path;
  }();
  const auto found = index.find(path);
  return found == index.end() ? nullptr : found->second;
}

const std::vector<const Key*>& KeysUnder(std::string_view parent) {
  static const std::map<std::string_view, std::vector<const Key*>> index = [] {
    std::map<std::string_view, std::vector<const Key*>> by_parent;
    for (const Key& key : Keys()) by_parent[key.parent()].push_back(&key);
    return by_parent;
  }();
  static const std::vector<const Key*> none;
  const auto found = index.find(parent);
  return found == index.end() ? none : found->second;
}

std::string TimeoutKey(unsigned state) {
  std::string word;
  bool capital = false;
  for (const char c : kStates[state].name.substr(std::string_view("NX_STATE_").size())) {
    if (c == '_')
      capital = true;
    else
      word += static_cast<char>(std::exchange(capital, false) ? c : std::tolower(c));
  }
  return word;
}

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kMap:
      return "a mapping";
    case Type::kMaps:
      return "a list of mappings";
    case Type::kName:
      return "a name";
    case Type::kBool:
      return "true or false";
    case Type::kCount:
      return "a whole number";
    case Type::kMark:
      return "a mark";
    case Type::kDuration:
      return "a duration";
    case Type::kChoice:
      return "a word";
    case Type::kCidrText:
      return "CIDRs in one string";
    case Type::kAddress:
      return "an address";
    case Type::kAddresses:
      return "a list of addresses";
    case Type::kCidrs:
      return "a list of CIDRs";
    case Type::kDevices:
      return "a list of device names";
    case Type::kDevice:
      return "a device name";
    case Type::kPorts:
      return "a list of ports";
    case Type::kPrefixText:
      return "addresses or CIDRs in one string";
    case Type::kGatewayText:
      return "nodes in one string";
    case Type::kServicePorts:
      return "a list of service ports";
    case Type::kLoopBacks:
      return "a list of endpoints with sources";
    case Type::kSourceRanges:
      return "a list of service ports with CIDRs";
    case Type::kInterfaces:
      return "a list of addresses with their prefix length";
    case Type::kHostIp:
      return "an address";
    case Type::kContainer:
      return "a container's name";
    case Type::kListen:
      return "an address and port";
    case Type::kCidr:
      return "a CIDR";
    case Type::kChoices:
      return "a list of words";
    case Type::kAddressText:
      return "addresses in one string";
    case Type::kPortRange:
      return "a range of ports";
    case Type::kInterface:
      return "a device name";
  }
  return "";
}

ForeignField ForeignSubnetField(std::string_view name) {
  static constexpr std::string_view kWithoutEffect[] = {
      "acls",          "allowEWTraffic", "allowSubnets", "default",       "disableGatewayCheck",
      "dhcpV4Options", "dhcpV6Options",  "dnsServers",   "enableDHCP",    "enableIPv6RA",
      "enableLb",      "excludeIps",     "gateway",      "ipv6RAConfigs", "mtu",
      "namespaces",    "private",        "protocol",     "provider",      "vips",
  };
  static constexpr std::string_view kUnsupported[] = {
      "externalEgressGateway", "gatewayNodeSelectors", "policyRoutingPriority",
      "policyRoutingTableID",  "u2oInterconnection",
  };
  if (std::ranges::find(kWithoutEffect, name) != std::end(kWithoutEffect))
    return ForeignField::kWithoutEffect;
  if (std::ranges::find(kUnsupported, name) != std::end(kUnsupported))
    return ForeignField::kUnsupported;
  return ForeignField::kUnknown;
}

}  // namespace natrix::config
