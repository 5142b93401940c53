// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/kube_ovn.h"

// What kube-proxy works out of Services and EndpointSlices before it writes rules: of one family,
// since it runs once for each.
namespace natrix::oracle {

// One endpoint of one port of one Service.
struct ProxyEndpoint {
  std::string address;
  std::uint16_t port = 0;
  bool local = false;
  bool ready = false;
  bool serving = false;
  bool terminating = false;
  std::vector<std::string> zones;
  std::string chain;  // KUBE-SEP-

  std::string ToString() const;  // 10.16.0.10:8080, [fd00::1]:8080
};

// One port of one Service: servicePortInfo, with the endpoints that CategorizeEndpoints gives it.
struct ProxyPort {
  std::string name;      // namespace/name:port
  std::string protocol;  // tcp, udp, sctp
  std::string hash;      // of its chains
  std::string cluster_ip;
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;
  std::vector<std::string> external_ips;
  std::vector<std::string> load_balancer_ips;
  std::vector<std::string> source_ranges;
  bool node_in_ranges = false;  // one of them holds the node's address
  bool external_local = false;
  bool internal_local = false;
  std::uint32_t affinity_seconds = 0;  // 0: none
  std::uint16_t health_check_port = 0;

  std::vector<ProxyEndpoint> cluster;    // clusterEndpoints
  std::vector<ProxyEndpoint> local;      // localEndpoints
  std::vector<ProxyEndpoint> reachable;  // allLocallyReachableEndpoints
  bool has_endpoints = false;            // anywhere

  bool IsExternal() const {
    return node_port != 0 || !external_ips.empty() || !load_balancer_ips.empty();
  }
};

// Of the Services that have a ClusterIP in this family.
std::vector<ProxyPort> ProxyPortsOf(const Config& config, Family family);

// "-s 10.16.0.0/14", "-i br0", "-i veth+"; empty: no detector in this family.
std::string LocalDetector(const model::KubeProxy& proxy, Family family);

}  // namespace natrix::oracle
