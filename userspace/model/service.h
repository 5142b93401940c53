// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maps/abi/flow.h"
#include "userspace/model/address.h"

// Kubernetes' Services with their endpoints, in its words; and what kube-proxy is told about its
// node.  Ports are in host byte order.
namespace natrix::model {

// externalTrafficPolicy, internalTrafficPolicy.
enum class TrafficPolicy { kCluster, kLocal };

// How an endpoint is chosen for a new flow.
enum class LoadBalancing {
  kRandom,  // every one as likely, as kube-proxy does
  kMaglev,  // by the flow's hash: other nodes choose alike, and few flows move with an endpoint
};

struct ServiceEndpoint {
  std::vector<Address> addresses;  // of an EndpointSlice: one family; here both may be written
  std::uint16_t port = 0;
  std::string node_name;
  bool ready = true;
  bool serving = true;
  bool terminating = false;
  std::vector<std::string> zones;  // hints.forZones

  friend bool operator==(const ServiceEndpoint&, const ServiceEndpoint&) = default;
};

struct PortOfService {
  std::string name;
  nx_l4 protocol = NX_L4_TCP;
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;  // 0: none

  friend bool operator==(const PortOfService&, const PortOfService&) = default;
};

// What makes of a Service one container's host ports (model/host_ports.h): its addresses stand in
// `cluster_ips`, and each port's number on the node in `node_port`.
struct HostPortRules {
  std::vector<std::optional<Address>> host_ips;  // of ports[i]; none: every address of the node
  std::vector<Prefix> masqueraded;               // the sources that are
  bool loopback = false;                         // called at 127.0.0.1, too
  bool docker = false;
  bool published = false;     // its own addresses and ports are entries, too: NX_SERVICE_PUBLISHED
  std::uint8_t not_from = 0;  // nx_service.not_from

  friend bool operator==(const HostPortRules&, const HostPortRules&) = default;
};

// Endpoints of the ports of one name.  An EndpointSlice has a port per name; one list per name says
// the same.
struct Service {
  std::string name_space;
  std::string name;
  std::vector<Address> cluster_ips;  // at most one of each family
  std::vector<Address> external_ips;
  std::vector<Address> load_balancer_ips;
  std::vector<Prefix> load_balancer_source_ranges;  // empty: everybody
  std::vector<PortOfService> ports;
  TrafficPolicy external_policy = TrafficPolicy::kCluster;
  TrafficPolicy internal_policy = TrafficPolicy::kCluster;
  std::optional<std::uint32_t> affinity_seconds;  // none: sessionAffinity None
  std::uint16_t health_check_node_port = 0;
  LoadBalancing load_balancing = LoadBalancing::kRandom;
  // endpoints[i] are those of ports[i].
  std::vector<std::vector<ServiceEndpoint>> endpoints;
  std::optional<HostPortRules> host_ports;  // of none that config/ reads

  friend bool operator==(const Service&, const Service&) = default;
};

// KubeProxyConfiguration's detectLocalMode: what is the cluster's own traffic.
enum class DetectLocal {
  kNone,                 // no clusterCIDR: nobody is masqueraded for coming from elsewhere
  kClusterCidr,          // clusterCIDR, or the node's podCIDRs in NodeCIDR mode
  kBridgeInterface,      // detectLocal.bridgeInterface
  kInterfaceNamePrefix,  // detectLocal.interfaceNamePrefix
};

// Whose calls of Services are translated where they are made.
enum class SocketLb { kNode, kAll, kOff };

// What becomes of a packet that is INVALID to nf_conntrack and would be forwarded: KUBE-FORWARD.
enum class Invalid { kDrop, kPass };

struct KubeProxy {
  DetectLocal detect = DetectLocal::kNone;
  std::vector<Prefix> cluster_cidrs;  // of kClusterCidr
  std::string device;                 // name, or prefix of names
  bool masquerade_all = false;
  std::vector<Prefix> node_port_addresses;  // empty: all
  bool localhost_node_ports = true;
  SocketLb socket_lb = SocketLb::kNode;
  Invalid invalid = Invalid::kPass;

  friend bool operator==(const KubeProxy&, const KubeProxy&) = default;
};

// Whether a family's NodePorts are at all addresses of the node: kube-proxy takes a list without
// one of that family so.
bool AtAnyAddress(const std::vector<Prefix>& node_port_addresses, Family family);

}  // namespace natrix::model
