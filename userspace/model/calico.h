// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/model/address.h"
#include "userspace/model/port_range.h"

// What Felix, Calico's agent, makes nat rules of.
namespace natrix::model {

// Calico's IPPool.
struct IpPool {
  std::string name;
  Prefix cidr;
  bool nat_outgoing = false;
  bool disabled = false;  // decides nothing here: Felix has such a pool in its sets, too
  // allowedUses is LoadBalancer alone: Services are called there, nobody sends from there.
  bool load_balancer_only = false;
};

// OpenStack's metadata service, as instances call it: TCP port 80 there.
inline constexpr char kMetadataAddress[] = "169.254.169.254";

struct Calico {
  std::vector<IpPool> pools;
  bool exclude_hosts = false;  // natOutgoingExclusions: IPPoolsAndHostIPs
  std::vector<Address> hosts;
  std::optional<PortRange> port_range;
  std::vector<Address> nat_address;  // at most one of each family; none: the device's
  // The output device that natOutgoing is for, as iptables' -o has it; empty: any.
  std::string interface_filter;
  std::vector<std::string> tunnels;
  // UDP that is masqueraded into a tunnel gets a port on the wider side of it.
  std::optional<std::uint16_t> vxlan_port;
  // Who serves what calls OpenStack's metadata, IPv4; none: there is no such DNAT.
  std::optional<Endpoint> metadata;
};

// Whether natOutgoing is for what leaves by this device.  "eth+" is every name that begins so.
inline bool PassesFilter(const Calico& calico, std::string_view device) {
  const std::string_view filter = calico.interface_filter;
  if (filter.ends_with('+')) return device.starts_with(filter.substr(0, filter.size() - 1));
  return filter.empty() || filter == device;
}

}  // namespace natrix::model
