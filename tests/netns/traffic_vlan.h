// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/namespace.h"

namespace natrix::netns {

// A VLAN device on top of another: the kernel's; or, where it has none (no CONFIG_VLAN_8021Q), a
// device of the same name whose frames a thread tags and untags on the lower one.  Up, with the
// lower device's link-layer address.
class VlanDevice {
 public:
  VlanDevice(const support::Namespace& ns, const std::string& lower, const std::string& mac,
             std::uint16_t id);
  ~VlanDevice();
  VlanDevice(const VlanDevice&) = delete;
  VlanDevice& operator=(const VlanDevice&) = delete;

  const std::string& name() const { return name_; }
  bool is_kernels() const { return relay_ == nullptr; }

 private:
  class Relay;

  std::string name_;
  std::unique_ptr<Relay> relay_;
};

}  // namespace natrix::netns
