// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/keys_calico.h"

#include <algorithm>
#include <iterator>

namespace natrix::config {

// clang-format off: one paragraph per word reads better than what it makes of it.
std::vector<Key> CalicoKeys() {
  return {
    {.path = "calico", .type = Type::kMap,
     .text = "Calico's nat outgoing, in the words of its IPPool and FelixConfiguration. Its floating IPs "
             "are `floatingIPs`. Left out: none of Calico's sets is there."},
    {.path = "calico.ipPools", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: default-ipv4-ippool, cidr: 192.168.0.0/16, natOutgoing: true}]",
     .text = "Calico's IPPools. What one with `natOutgoing` sends to an address in none of them is "
             "masqueraded."},
    {.path = "calico.ipPools[].name", .type = Type::kName, .required = true,
     .example = "default-ipv4-ippool", .text = "The pool's name. No two have the same."},
    {.path = "calico.ipPools[].cidr", .type = Type::kCidr, .required = true,
     .example = "192.168.0.0/16",
     .text = "Its CIDR: sets `cali40all-ipam-pools` and `cali40network-ip-pools`, or `cali60`."},
    {.path = "calico.ipPools[].natOutgoing", .type = Type::kBool, .fallback = "false",
     .example = "true", .text = "Set `cali40masq-ipam-pools` / `cali60masq-ipam-pools`."},
    {.path = "calico.ipPools[].disabled", .type = Type::kBool, .fallback = "false",
     .example = "true",
     .text = "Calico assigns no addresses from it. It is in the sets all the same, which is how Calico "
             "keeps addresses outside from being masqueraded to."},
    {.path = "calico.ipPools[].allowedUses", .type = Type::kChoices, .fallback = "[]",
     .example = "[LoadBalancer]",
     .text = "`LoadBalancer` alone: the pool is left out of `cali40network-ip-pools`, which is the set "
             "that is asked, and so is masqueraded to.",
     .choices = {"Workload", "Tunnel", "LoadBalancer"}},
    {.path = "calico.natOutgoingExclusions", .type = Type::kChoice, .fallback = "IPPoolsOnly",
     .example = "IPPoolsAndHostIPs",
     .text = "What is not masqueraded to: addresses in pools, or those and `hosts`.",
     .choices = {"IPPoolsOnly", "IPPoolsAndHostIPs"}},
    {.path = "calico.hosts", .type = Type::kAddresses, .fallback = "[]", .example = "[172.18.0.4]",
     .text = "The nodes' addresses, with `IPPoolsAndHostIPs`: set `cali40all-hosts-net` / "
             "`cali60all-hosts-net`."},
    {.path = "calico.natPortRange", .type = Type::kPortRange, .example = "\"32768:65535\"",
     .text = "Source ports that TCP and UDP get with `natOutgoing`. When all of a small range are taken "
             "towards a destination, new flows there are dropped. They may lie in "
             "`net.ipv4.ip_local_port_range`, and be reserved from the node's own use "
             "(`net.ipv4.ip_local_reserved_ports`); a port of one of its sockets is not given."},
    {.path = "calico.natOutgoingAddress", .type = Type::kAddressText, .example = "172.18.0.70",
     .text = "The source that `natOutgoing` gives, instead of the output device's; one of each family, "
             "separated by a comma."},
    {.path = "calico.natOutgoingInterfaceFilter", .type = Type::kInterface, .example = "eth0",
     .text = "`natOutgoing` is for what leaves by this device only. `eth+`: by any whose name begins "
             "so."},
    {.path = "calico.tunnels", .type = Type::kDevices, .fallback = "[]",
     .example = "[vxlan.calico]",
     .text = "Names of Calico's tunnel devices (`vxlan.calico`, `vxlan-v6.calico`, `tunl0`, "
             "`wireguard.cali`, `wg-v6.cali`): what the node sends into one from an address of another "
             "device is masqueraded. Each must be one that `node` lists."},
    {.path = "calico.vxlanPort", .type = Type::kCount, .example = "4789",
     .text = "The tunnels' UDP port. UDP that is masqueraded into a tunnel then gets a source port on the "
             "wider side of it, as Felix does since it has VXLAN's own rule.",
     .least = 1, .most = 65535},
    {.path = "calico.metadata", .type = Type::kMap,
     .text = "OpenStack's metadata, as Felix has it there (`MetadataAddr`, `MetadataPort`): TCP that comes in by a "
             "device for 169.254.169.254 port 80 goes to who serves it. A floating IP is asked before, Services "
             "after it. `{}` is the default of both. Left out: there is no such rule, as with `MetadataAddr: none`."},
    {.path = "calico.metadata.address", .type = Type::kAddress, .fallback = "127.0.0.1",
     .example = "172.18.0.4",
     .text = "Who serves it, IPv4. At a loopback address the kernel takes it only where "
             "`net.ipv4.conf.DEVICE.route_localnet` of the device it came by, or of `all`, is 1, as behind the "
             "iptables rule; `natrix status` says where it is not."},
    {.path = "calico.metadata.port", .type = Type::kCount, .fallback = "8775", .example = "8776",
     .text = "The port there.", .least = 1, .most = 65535},
  };
}
// clang-format on

bool IsIdlePoolField(std::string_view name) {
  static constexpr std::string_view kIdle[] = {
      "assignmentMode",    "blockSize",    "disableBGPExport", "ipipMode",
      "namespaceSelector", "nodeSelector", "vxlanMode",
  };
  return std::ranges::find(kIdle, name) != std::end(kIdle);
}

}  // namespace natrix::config
