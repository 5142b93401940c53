// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/device.h"
#include "maps/abi/ports.h"
#include "maps/abi/probe.h"
#include "maps/abi/set.h"
#include "maps/abi/subnet.h"
#include "userspace/compile/services.h"
#include "userspace/compile/subnets.h"
#include "userspace/compile/table.h"
#include "userspace/compile/xdp.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

// model -> map contents.  Pure: no fd, no system call, no clock, no log.
namespace natrix::compile {

// Everything natrixd wants the configuration maps to hold.
struct Wanted {
  nx_config config{};
  Table<nx_prefix, nx_net> net;
  Table<nx_fip_key, nx_fip> fip;
  Parts<std::uint32_t, nx_subnet> subnet;
  Parts<nx_policy_key, nx_policy> policy;
  Table<nx_port_key, nx_port_member> ports;
  Table<nx_loop_key, nx_loop> loop;
  Table<nx_range_key, nx_range> range;
  Parts<nx_set_key, nx_set_member> set;
  Table<nx_probe_key, nx_probe> probe;
  Table<std::uint32_t, nx_device> device;
  Table<nx_addr, nx_local> local;
  std::array<nx_port_word, NX_PORT_WORDS> port{};
  // nx_service, nx_backend, nx_table and nx_source; never null.
  std::shared_ptr<const Services> services = std::make_shared<const Services>();

  std::map<std::uint32_t, XdpPlan> xdp;  // by ifindex: uplinks that the configuration wants it on

  SubnetParts made;  // where the parts are from
};

// What was there before: subnets and Services that stay keep their numbers, and what was made of
// those that did not change is used again.
struct Previous {
  const Parts<std::uint32_t, nx_subnet>& subnets;  // what nx_subnet holds
  const SubnetParts& made;
  std::shared_ptr<const Services> services = nullptr;  // what the maps hold; null: nothing
};

Wanted Compile(const model::Config& config, const model::Host& host, const Previous& previous);
Wanted Compile(const model::Config& config, const model::Host& host);

// Makes `wanted`, which Compile made of the same configuration, that of another host: what depends
// on devices, addresses and port settings anew, and not the prefixes, of which there may be many.
void FollowHost(const model::Config& config, const model::Host& host, Wanted& wanted);

// Which role a device has under this configuration; nullopt when it is not managed.
// An exact name wins over a glob, an uplink over a pod device.
std::optional<nx_device_role> RoleOf(const model::Node& node, const std::string& device);
// Whether one of these names or globs is the device's.
bool IsAmong(const std::vector<std::string>& patterns, const std::string& device);
// Whether node.noFastPath names it.
bool IsWithoutFastPath(const model::Node& node, const std::string& device);

}  // namespace natrix::compile
