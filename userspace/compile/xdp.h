// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "maps/abi/device.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

namespace natrix::compile {

// What the configuration asks of XDP for an uplink.
struct XdpPlan {
  std::string name;
  model::XdpMode mode = model::XdpMode::kOff;
  std::string refused;  // why it goes without; empty: it has it

  friend bool operator==(const XdpPlan&, const XdpPlan&) = default;
};

// nullopt: it asks for nothing there.
std::optional<XdpPlan> XdpOn(const model::Config& config, const model::Device& device,
                             nx_device_role role);

// What programs have to know of the device: entry.mac, and NX_DEVICE_XDP_* of entry.ways.
void MarkForXdp(const model::Config& config, const model::Device& device, nx_device_role role,
                nx_device& entry);

}  // namespace natrix::compile
