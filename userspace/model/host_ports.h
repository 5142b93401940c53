// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maps/abi/flow.h"
#include "userspace/model/address.h"

// Ports of the node that are a container's: CNI portmap's, and Docker's published ones.  Ports are
// in host byte order.
namespace natrix::model {

// One of CNI's `portMappings`.
struct PortMapping {
  std::optional<Address> host_ip;  // none: every address of the node
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  nx_l4 protocol = NX_L4_TCP;

  friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

// What the plugin portmap is told of one container, and whether bridge or ptp masquerades it.
struct HostPorts {
  std::string container;          // for people
  std::vector<Prefix> addresses;  // its own, in its network: at most one of each family
  std::vector<PortMapping> mappings;
  bool snat = true;
  bool masq_all = false;
  bool ip_masq = false;

  friend bool operator==(const HostPorts&, const HostPorts&) = default;
};

struct DockerContainer {
  std::string name;
  std::vector<Address> addresses;  // at most one of each family
  std::vector<PortMapping> ports;

  friend bool operator==(const DockerContainer&, const DockerContainer&) = default;
};

struct DockerBridge {
  std::string name;  // of the device
  std::vector<Prefix> subnets;
  std::vector<DockerContainer> containers;

  friend bool operator==(const DockerBridge&, const DockerBridge&) = default;
};

// What the filter rules are of.
enum class DockerFilter {
  kNone,
  kIsolated,  // up to 27: no way from one bridge to another
  kClosed,    // from 28 on: no way into a bridge but to published ports
};

struct Docker {
  bool userland_proxy = true;
  bool direct_access = true;    // false: only its bridge may send to a container's own address
  bool bridges_return = false;  // DOCKER begins with a RETURN for each bridge
  DockerFilter filter = DockerFilter::kNone;
  std::vector<DockerBridge> bridges;

  friend bool operator==(const Docker&, const Docker&) = default;
};

}  // namespace natrix::model
