// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "maps/abi/device.h"
#include "userspace/model/address.h"
#include "userspace/model/config.h"

// What the node looked like when it was asked; the other input of compile/.  Filled by the
// daemon from rtnetlink and /proc/sys.
namespace natrix::model {

struct DeviceAddress {
  Address address;
  int length = 0;           // on-link prefix, family's own bits
  bool secondary = false;   // IFA_F_SECONDARY
  bool deprecated = false;  // IFA_F_DEPRECATED or tentative
  bool link_scope = false;  // scope link or host: never a masquerade source for global traffic
};

// What precedes the IP header on a device.
enum class Link {
  kEthernet,
  kBare,   // nothing: tun, ipip, wireguard
  kOther,  // what natrix does not read: InfiniBand's, or GRE's that is written per packet
};

struct Device {
  std::uint32_t ifindex = 0;
  std::string name;
  std::vector<DeviceAddress> addresses;  // in the kernel's order
  std::uint32_t mtu = 0;                 // the smaller of its own and that of its IPv6
  Link link = Link::kEthernet;
  std::string kind;                   // rtnetlink's: "veth"; empty: a real device
  std::string qdisc;                  // at its root: "noqueue"
  std::uint32_t master = 0;           // ifindex of the device it is a port of
  std::string port_of;                // that one's kind
  std::string master_name;            // and name
  bool peer_elsewhere = false;        // its other end is in another network namespace
  bool needs_metadata = false;        // a tunnel whose destination comes with the packet
  std::array<std::uint8_t, 6> mac{};  // all 0: no Ethernet device
  std::uint32_t vlan_of = 0;          // a VLAN device: the ifindex of the one below
  bool has_vlans = false;             // VLAN devices are above it
  std::uint64_t xdp_features = 0;     // enum netdev_xdp_act; 0: none, or the kernel does not tell
};

struct Host {
  std::vector<Device> devices;        // all of them, managed or not
  PortRange ephemeral{32768, 60999};  // net.ipv4.ip_local_port_range
  std::vector<PortRange> reserved;    // net.ipv4.ip_local_reserved_ports
  std::uint32_t hz = 250;
};

}  // namespace natrix::model
