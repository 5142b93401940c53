// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/namespace.h"

// Devices, addresses and settings of namespaces.  Everything throws SetupError with the text of
// what was refused.
namespace natrix::support {

// Lines for `ip -batch`, run in `ns`: "link add ovn0 type bridge\naddr add ...".
void Ip(const Namespace& ns, std::string_view lines);

// One end of a veth pair.
struct VethEnd {
  const Namespace& ns;
  std::string device;
  std::string mac;  // "02:00:00:00:00:01"; a neighbour can then be written down beforehand
};

// Both ends up and with carrier.  No IPv6 duplicate address detection, router solicitation or
// kernel-made link-local address on either: nothing is sent that a test did not ask for.
void MakeVeth(const VethEnd& one, const VethEnd& other);

// Up, and ready to send; asks and tells nobody anything by itself.
void BringUp(const Namespace& ns, const std::string& device);

// A bridge without spanning tree or snooping, up.
void MakeBridge(const Namespace& ns, const std::string& device, const std::string& mac);
void AddToBridge(const Namespace& ns, const std::string& bridge, const std::string& device);

// Writes /proc/sys/<path> ("net/ipv4/ip_forward").  TrySysctl: false when there is no such file.
void Sysctl(const Namespace& ns, const std::string& path, const std::string& value);
bool TrySysctl(const Namespace& ns, const std::string& path, const std::string& value);

// Both families forwarded, reverse path filter loose as on a Kubernetes node, no limit on the
// rate of ICMP errors, no redirects.
void MakeRouter(const Namespace& ns);

// ethtool -K: transmit checksums, TSO and GSO, and GRO of a device, all on or all off.
void SetOffloads(const Namespace& ns, const std::string& device, bool on);

std::uint32_t IndexOf(const Namespace& ns, const std::string& device);

}  // namespace natrix::support
