// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/xdp.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/compile/compile.h"

namespace natrix::compile {
namespace {

// enum netdev_xdp_act (include/uapi/linux/netdev.h, Linux 6.3).
constexpr std::uint64_t kNdoXmit = 4;
constexpr std::uint64_t kNdoXmitSg = 64;

bool IsAsked(const model::Config& config) {
  return config.xdp.mode != model::XdpMode::kOff && config.fast_path == model::FastPath::kOn;
}

std::string RefusalOf(const model::Config& config, const model::Device& device) {
  if (device.link != model::Link::kEthernet) return "no Ethernet device";
  if (IsAmong(config.xdp.force, device.name)) return "";
  if (device.kind == "veth") return "a veth: without GSO its bulk traffic would cost a multiple";
  if (!device.kind.empty())
    return fmt::format("a device of kind {}: no driver gets packets of its own there", device.kind);
  if (device.mac == decltype(device.mac){}) return "no Ethernet device";
  if (device.has_vlans)
    return "VLAN devices are above it: XDP may not see the tags of their frames";
  return "";
}

}  // namespace

std::optional<XdpPlan> XdpOn(const model::Config& config, const model::Device& device,
                             nx_device_role role) {
  const model::Xdp& xdp = config.xdp;
  if (!IsAsked(config) || role != NX_DEVICE_UPLINK || IsWithoutFastPath(config.node, device.name) ||
      (!xdp.devices.empty() && !IsAmong(xdp.devices, device.name)))
    return std::nullopt;
  return XdpPlan{.name = device.name, .mode = xdp.mode, .refused = RefusalOf(config, device)};
}

void MarkForXdp(const model::Config& config, const model::Device& device, nx_device_role role,
                nx_device& entry) {
  if (!IsAsked(config) || device.link != model::Link::kEthernet) return;
  const auto plan = XdpOn(config, device, role);
  const bool runs = plan && plan->refused.empty();
  if (runs) std::ranges::copy(device.mac, entry.mac);
  // A virtual device may take frames and lose them: a veth does whose peer has no NAPI.
  const bool real = device.kind.empty();
  if (!real && !IsAmong(config.xdp.force, device.name)) return;
  if ((device.xdp_features & kNdoXmit) != 0) entry.ways |= NX_DEVICE_XDP_OUT;
  if ((device.xdp_features & kNdoXmitSg) != 0) entry.ways |= NX_DEVICE_XDP_FRAGS;
  // A driver that has XDP has XDP_TX.
  if (runs && real) entry.ways |= NX_DEVICE_XDP_BACK;
}

}  // namespace natrix::compile
