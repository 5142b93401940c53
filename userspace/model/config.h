// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/flow.h"
#include "userspace/model/address.h"
#include "userspace/model/calico.h"
#include "userspace/model/host_ports.h"
#include "userspace/model/port_range.h"
#include "userspace/model/service.h"
#include "userspace/model/shared.h"

// What a user asked for, free of how it was written.  Only config/ makes one from a file;
// compile/ turns it into map contents.  Everything here is validated.
namespace natrix::model {

enum class GatewayType { kDistributed, kCentralized };

// Whether the later packets of a flow may go past the stack (maps/abi/way.h).
enum class FastPath { kOn, kOff };

// Where programs of natrix run in the drivers of uplinks.
enum class XdpMode { kOff, kNative, kGeneric };

struct Xdp {
  XdpMode mode = XdpMode::kOff;
  std::vector<std::string> devices;  // names or globs of uplinks; empty: all of them
  std::vector<std::string> force;    // names or globs: of devices that would be refused
};

enum class PolicyAction { kNat, kForward };

// One of Kube-OVN's natOutgoingPolicyRules.  Both sides are of one family.
struct PolicyRule {
  // As they were written: the rule's ID is a hash of the text.
  std::string src_ips;
  std::string dst_ips;
  std::vector<Prefix> sources;  // empty: any; both empty: the rule matches nothing
  std::vector<Prefix> destinations;
  PolicyAction action = PolicyAction::kNat;

  bool MatchesNothing() const { return sources.empty() && destinations.empty(); }
  // Not of a rule that matches nothing.
  Family family() const {
    return sources.empty() ? destinations.front().family() : sources.front().family();
  }
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

// One gateway node of a centralized Subnet: "node1:192.168.0.101" or "node1".
struct GatewayNode {
  std::string name;
  std::optional<Address> egress;  // what pods leave with there; none: the device's address

  friend bool operator==(const GatewayNode&, const GatewayNode&) = default;
};

// Kube-OVN's Subnet, the fields that decide node rules (facts: pkg/daemon/gateway.go).
struct Subnet {
  std::string name;
  std::vector<Prefix> cidrs;
  GatewayType gateway_type = GatewayType::kDistributed;
  bool nat_outgoing = false;
  std::string vpc = "ovn-cluster";
  std::string vlan;  // not empty: underlay, unless logical_gateway
  bool logical_gateway = false;
  std::vector<GatewayNode> gateway_nodes;
  bool enable_ecmp = false;      // every gateway node is active, not one
  std::string activate_gateway;  // the active one; empty: the first
  std::vector<PolicyRule> policies;
  FastPath fast_path = FastPath::kOn;

  // Whether the node has rules for it at all: default VPC, overlay or logical gateway.
  bool IsManaged() const { return vpc == "ovn-cluster" && (vlan.empty() || logical_gateway); }
  // Whether its NAT policy is in force: OVN-NAT-POLICY has a rule for it.
  bool HasPolicy() const { return IsManaged() && nat_outgoing && !policies.empty(); }

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

struct FloatingIp {
  Address external;
  Address internal;
};

struct Node {
  std::string name;
  std::string zone;                  // topology.kubernetes.io/zone
  std::vector<Address> addresses;    // InternalIPs; at most one of each family is used by R1
  std::vector<std::string> uplinks;  // device names or globs (fnmatch)
  std::vector<std::string> pod_devices;
  std::vector<std::string> no_fast_path;  // device names or globs
};

struct Marks {
  std::uint32_t masquerade = 0x4000;
  std::uint32_t local = 0x80000;
  std::uint32_t policy_nat = 0x90001;
  std::uint32_t policy_forward = 0x90002;
  std::uint32_t host_port = 0x2000;
  std::uint32_t drop = 0;  // KUBE-MARK-DROP's; 0: nobody drops by it
};

// A kubelet probe of a pod that the node cannot reach.
struct Probe {
  Address pod_ip;
  std::uint16_t port = 0;

  friend auto operator<=>(const Probe& a, const Probe& b) = default;
};

// Probes that a proxy on the node takes over (Kube-OVN's --enable-tproxy).  Without one, nothing
// of it is installed.
struct Tproxy {
  std::vector<Probe> probes;
  std::vector<Address> on_ip;  // where the proxy listens: at most one of each family, one for each
                               // family of the probes
  std::uint16_t on_port = 8102;
  std::uint32_t output_mark = 0x90003;
  std::uint32_t prerouting_mark = 0x90004;
  std::uint32_t table = 10001;  // the route table that both marks ask for
};

struct Masquerade {
  nx_port_choice port_choice = NX_PORT_RANDOM;  // masquerade.randomFully: true
  std::vector<PortRange> reserved_ports;        // never used as a source port
};

// Which of several matching natOutgoingPolicyRules decides.
enum class PolicyOrder {
  kNatFirst,    // any "nat" beats any "forward": what Kube-OVN's rules do in the kernel
  kFirstMatch,  // the first one written: what Kube-OVN's documentation says
};

// TCP segments without SYN that belong to no flow, on their way out of a natOutgoing subnet.
enum class OrphanDrop {
  kGatewayAddress,  // dropped where the subnet has an egress address of its own, as Kube-OVN
  kNatOutgoing,     // dropped from every natOutgoing subnet
};

// kube-proxy's sets, when it runs in IPVS mode.
struct ServicePort {
  Address address;
  nx_l4 protocol = NX_L4_TCP;
  std::uint16_t port = 0;  // host byte order
};
// An endpoint that somebody reaches himself at, or a load balancer's IP and who may call it.
struct LoopBack {
  ServicePort endpoint;
  Address source;
};
// Who may call a load balancer's IP.
struct SourceRange {
  ServicePort called;
  Prefix source;
};
enum class FirewallBy {
  kFilter,  // KUBE-PROXY-FIREWALL drops, of INPUT and FORWARD; kube-proxy since v1.25
  kMark,    // nat KUBE-FIREWALL marks, and kubelet's rules of INPUT and OUTPUT drop
};
struct Ipvs {
  std::vector<ServicePort> cluster_ips;              // KUBE-CLUSTER-IP
  std::vector<PortRange> local_ports_tcp;            // KUBE-NODE-PORT-LOCAL-TCP
  std::vector<PortRange> local_ports_udp;            // KUBE-NODE-PORT-LOCAL-UDP
  std::vector<ServicePort> local_ports_sctp;         // KUBE-NODE-PORT-LOCAL-SCTP-HASH
  std::vector<PortRange> node_ports_tcp;             // KUBE-NODE-PORT-TCP
  std::vector<PortRange> node_ports_udp;             // KUBE-NODE-PORT-UDP
  std::vector<ServicePort> node_ports_sctp;          // KUBE-NODE-PORT-SCTP-HASH
  std::vector<ServicePort> external_ips;             // KUBE-EXTERNAL-IP
  std::vector<ServicePort> local_external_ips;       // KUBE-EXTERNAL-IP-LOCAL
  std::vector<ServicePort> load_balancer_ips;        // KUBE-LOAD-BALANCER
  std::vector<ServicePort> local_load_balancer_ips;  // KUBE-LOAD-BALANCER-LOCAL
  std::vector<ServicePort> load_balancer_firewall;   // KUBE-LOAD-BALANCER-FW
  std::vector<SourceRange> source_cidrs;             // KUBE-LOAD-BALANCER-SOURCE-CIDR
  std::vector<LoopBack> source_ips;                  // KUBE-LOAD-BALANCER-SOURCE-IP
  FirewallBy firewall_by = FirewallBy::kFilter;
  std::vector<LoopBack> loop_back;            // KUBE-LOOP-BACK
  std::vector<Address> ips;                   // KUBE-IPVS-IPS
  std::vector<PortRange> health_check_ports;  // KUBE-HEALTH-CHECK-NODE-PORT
};

struct Metrics {
  std::optional<Endpoint> listen;  // none: nothing listens
};

struct Flows {
  std::uint32_t max_established = 131072;
  std::uint32_t max_embryos = 65536;
};

// Seconds, indexed by nx_state.
using Timeouts = std::array<std::uint32_t, NX_STATE_COUNT>;

inline constexpr Timeouts kDefaultTimeouts = [] {
  Timeouts seconds{};
#define X(name, value, default_seconds, text) seconds[name] = default_seconds;
  NX_STATES(X)
#undef X
  return seconds;
}();

// The first of them that is of this family.
std::optional<Address> FirstOf(const std::vector<Address>& addresses, Family family);

struct Config {
  Node node;
  FastPath fast_path = FastPath::kOn;
  Xdp xdp;
  std::vector<Subnet> subnets;
  std::vector<Prefix> service_cidrs;
  std::vector<Address> other_nodes;
  std::vector<FloatingIp> floating_ips;
  std::optional<Calico> calico;  // none: the node has none of Felix' sets
  PolicyOrder policy_order = PolicyOrder::kNatFirst;
  OrphanDrop orphan_drop = OrphanDrop::kGatewayAddress;
  std::optional<Ipvs> ipvs;  // none: kube-proxy does not run in IPVS mode
  KubeProxy kube_proxy;
  std::vector<Shared<Service>> services;
  std::vector<HostPorts> host_ports;
  Docker docker;
  Tproxy tproxy;
  Marks marks;
  Masquerade masquerade;
  Flows flows;
  Metrics metrics;
  Timeouts timeout_seconds = kDefaultTimeouts;
};

// Whether a container has host ports, be it CNI's or Docker's.
bool HasHostPorts(const Config& config);
// Whether one of CNI's asks for masquerade by marks.host_port.
bool AsksForHostPortMark(const Config& config);
// Whether calls of Services, host ports or floating IPs are translated where processes make them.
bool TranslatesCalls(const Config& config);

}  // namespace natrix::model
