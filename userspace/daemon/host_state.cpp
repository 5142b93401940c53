// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/host_state.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "loader/clock.h"
#include "userspace/base/file.h"
#include "userspace/base/netlink.h"
#include "userspace/base/netlink_attrs.h"
#include "userspace/daemon/port_list.h"

namespace natrix::daemon {
namespace {

using DevicesByIndex = std::map<std::uint32_t, model::Device>;

void LowerMtu(model::Device& device, std::uint32_t mtu) {
  if (mtu > 0 && (device.mtu == 0 || mtu < device.mtu)) device.mtu = mtu;
}

// A router's advertisement or a sysctl may make it smaller than the device's.
void TakeIpv6Mtu(const nlattr* families, model::Device& device) {
  ForEachNested(families, [&](const nlattr* family) {
    if ((mnl_attr_get_type(family)) != AF_INET6) return;
    ForEachNested(family, [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) != IFLA_INET6_CONF ||
          mnl_attr_get_payload_len(attr) <= DEVCONF_MTU6 * sizeof(std::int32_t))
        return;
      std::int32_t mtu = 0;
      std::memcpy(&mtu, static_cast<const std::int32_t*>(mnl_attr_get_payload(attr)) + DEVCONF_MTU6,
                  sizeof(mtu));
      if (mtu > 0) LowerMtu(device, static_cast<std::uint32_t>(mtu));
    });
  });
}

void TakeKind(const nlattr* info, model::Device& device) {
  ForEachNested(info, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) device.kind = mnl_attr_get_str(attr);
    if (mnl_attr_get_type(attr) != IFLA_INFO_DATA || device.kind != "vxlan") return;
    ForEachNested(attr, [&](const nlattr* data) {
      if (mnl_attr_get_type(data) == IFLA_VXLAN_COLLECT_METADATA)
        device.needs_metadata = mnl_attr_get_u8(data) != 0;
    });
  });
}

// A GRE device without one far end (none, or a multicast group) has each packet's outer header in
// front of it (ipgre_header() in the kernel).
bool HasFarEnd(const nlmsghdr& message) {
  bool has = false;
  ForEachAttr(message, sizeof(ifinfomsg), [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) != IFLA_BROADCAST) return;  // of a tunnel, its remote
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attr));
    const std::size_t size = mnl_attr_get_payload_len(attr);
    const bool group = size == 4 ? (bytes[0] & 0xf0) == 0xe0 : size == 16 && bytes[0] == 0xff;
    has = !group && std::any_of(bytes, bytes + size, [](std::uint8_t byte) { return byte != 0; });
  });
  return has;
}

// The types are those of dev_is_mac_header_xmit() in the kernel.
model::Link LinkOf(const nlmsghdr& message, unsigned short type) {
  switch (type) {
    case ARPHRD_ETHER:
      return model::Link::kEthernet;
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_VOID:
    case ARPHRD_NONE:
    case ARPHRD_RAWIP:
    case ARPHRD_PPP:
      return model::Link::kBare;
    case ARPHRD_IPGRE:
    case ARPHRD_IP6GRE:
      return HasFarEnd(message) ? model::Link::kBare : model::Link::kOther;
    default:
      return model::Link::kOther;
  }
}

void TakeLink(const nlmsghdr& message, DevicesByIndex& devices) {
  if (message.nlmsg_type != RTM_NEWLINK) return;
  const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  const auto ifindex = static_cast<std::uint32_t>(link->ifi_index);
  std::uint32_t below = 0;
  model::Device device{.ifindex = ifindex, .link = LinkOf(message, link->ifi_type)};
  ForEachAttr(message, sizeof(ifinfomsg), [&](const nlattr* attr) {
    switch (mnl_attr_get_type(attr)) {
      case IFLA_IFNAME:
        device.name = mnl_attr_get_str(attr);
        break;
      case IFLA_MTU:
        LowerMtu(device, mnl_attr_get_u32(attr));
        break;
      case IFLA_AF_SPEC:
        TakeIpv6Mtu(attr, device);
        break;
      case IFLA_QDISC:
        device.qdisc = mnl_attr_get_str(attr);
        break;
      case IFLA_MASTER:
        device.master = mnl_attr_get_u32(attr);
        break;
      case IFLA_LINK_NETNSID:
        device.peer_elsewhere = true;
        break;
      case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(attr) == device.mac.size())
          std::memcpy(device.mac.data(), mnl_attr_get_payload(attr), device.mac.size());
        break;
      case IFLA_LINK:
        below = mnl_attr_get_u32(attr);
        break;
      case IFLA_LINKINFO:
        TakeKind(attr, device);
        break;
      default:
        break;
    }
  });
  if (device.kind == "vlan") device.vlan_of = below;
  if (!device.name.empty()) devices[ifindex] = std::move(device);
}

// nullopt: of no use (another family, another length).
std::optional<model::Address> AddressOf(const nlattr* attr, unsigned char family) {
  model::Address address;
  const std::size_t size = mnl_attr_get_payload_len(attr);
  if (family == AF_INET && size == 4) {
    address.bytes.byte[10] = address.bytes.byte[11] = 0xff;
    std::memcpy(&address.bytes.byte[12], mnl_attr_get_payload(attr), size);
    return address;
  }
  if (family == AF_INET6 && size == 16) {
    std::memcpy(address.bytes.byte, mnl_attr_get_payload(attr), size);
    return address;
  }
  return std::nullopt;
}

void TakeAddress(const nlmsghdr& message, DevicesByIndex& devices) {
  if (message.nlmsg_type != RTM_NEWADDR) return;
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  const auto device = devices.find(header->ifa_index);
  if (device == devices.end()) return;
  std::uint32_t flags = header->ifa_flags;
  std::optional<model::Address> local, peer;
  ForEachAttr(message, sizeof(ifaddrmsg), [&](const nlattr* attr) {
    const int type = mnl_attr_get_type(attr);
    if (type == IFA_FLAGS) flags = mnl_attr_get_u32(attr);
    if (type == IFA_LOCAL) local = AddressOf(attr, header->ifa_family);
    if (type == IFA_ADDRESS) peer = AddressOf(attr, header->ifa_family);
  });
  // On a point-to-point device IFA_ADDRESS is the other side's; elsewhere both are the same, or
  // (IPv6) only IFA_ADDRESS is there.
  if (!local) local = peer;
  if (!local) return;
  // A tentative address is not usable yet; when it is, the kernel tells.  IFA_F_SECONDARY is
  // IFA_F_TEMPORARY in IPv6, which source address selection does not avoid.
  constexpr std::uint32_t kUnusable = IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;
  device->second.addresses.push_back(
      {.address = *local,
       .length = header->ifa_prefixlen,
       .secondary = header->ifa_family == AF_INET && (flags & IFA_F_SECONDARY) != 0,
       .deprecated = (flags & kUnusable) != 0,
       .link_scope = header->ifa_scope >= RT_SCOPE_LINK});
}

Result<> DumpDevices(Netlink& socket, DevicesByIndex& devices) {
  ifinfomsg request{};
  request.ifi_family = AF_UNSPEC;
  return socket.Dump(
      RTM_GETLINK, request, [&](const nlmsghdr& message) { TakeLink(message, devices); },
      [&] { devices.clear(); });
}

Result<> DumpAddresses(Netlink& socket, DevicesByIndex& devices) {
  ifaddrmsg request{};
  request.ifa_family = AF_UNSPEC;
  return socket.Dump(
      RTM_GETADDR, request, [&](const nlmsghdr& message) { TakeAddress(message, devices); },
      [&] {
        for (auto& [ifindex, device] : devices) device.addresses.clear();
      });
}

Result<> ReadPorts(model::Host& host) {
  constexpr const char* kRange = "/proc/sys/net/ipv4/ip_local_port_range";
  constexpr const char* kReserved = "/proc/sys/net/ipv4/ip_local_reserved_ports";
  constexpr std::size_t kMost = 1 << 20;
  const auto range = ReadFile(kRange, kMost);
  if (!range) return std::unexpected(range.error());
  const auto ephemeral = ParsePortRange(*range);
  if (!ephemeral) return Fail(std::string("read ") + kRange + ": no two ports: " + *range);
  host.ephemeral = *ephemeral;
  const auto list = ReadFile(kReserved, kMost);
  if (!list) return std::unexpected(list.error());
  auto reserved = ParsePortList(*list);
  if (!reserved) return Fail(std::string("read ") + kReserved + ": no list of ports: " + *list);
  host.reserved = *std::move(reserved);
  return {};
}

}  // namespace

Result<model::Host> ReadHost() {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  DevicesByIndex devices;
  if (auto done = DumpDevices(*socket, devices); !done)
    return Fail(std::move(done).error(), "list devices");
  if (auto done = DumpAddresses(*socket, devices); !done)
    return Fail(std::move(done).error(), "list addresses");
  for (const auto& [ifindex, device] : devices)
    if (const auto below = devices.find(device.vlan_of); below != devices.end())
      below->second.has_vlans = true;
  model::Host host;
  for (auto& [ifindex, device] : devices)
    if (const auto master = devices.find(device.master); master != devices.end()) {
      device.port_of = master->second.kind;
      device.master_name = master->second.name;
    }
  for (auto& [ifindex, device] : devices) host.devices.push_back(std::move(device));
  if (auto done = ReadPorts(host); !done) return std::unexpected(std::move(done).error());
  host.hz = loader::KernelHz();
  if (host.hz == 0) return Fail("the kernel does not tell how long a jiffy is");
  return host;
}

}  // namespace natrix::daemon
