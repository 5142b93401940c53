// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "maps/abi/config.h"
#include "maps/abi/device.h"
#include "maps/abi/ports.h"
#include "maps/abi/probe.h"
#include "maps/abi/service.h"
#include "maps/abi/set.h"
#include "maps/abi/subnet.h"
#include "maps/array_map_view.h"
#include "maps/keyed_map_view.h"
#include "maps/opener.h"
#include "maps/per_cpu_array_view.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// Every map that holds configuration, checked and typed, and the counters that go with a subnet.
// Pairs are left and right; the low bit of the generation is the index of the side in force.
// Borrows the fds.
struct ConfigMaps {
  ArrayMapView<nx_generation> generation;
  ArrayMapView<nx_config> config;
  std::array<LpmMapView<nx_prefix, nx_net>, 2> net;
  std::array<HashMapView<nx_fip_key, nx_fip>, 2> fip;
  std::array<HashMapView<std::uint32_t, nx_subnet>, 2> subnet;
  std::array<LpmMapView<nx_policy_key, nx_policy>, 2> policy;
  std::array<HashMapView<nx_port_key, nx_port_member>, 2> ports;
  std::array<HashMapView<nx_loop_key, nx_loop>, 2> loop;
  std::array<LpmMapView<nx_range_key, nx_range>, 2> range;
  std::array<HashMapView<nx_service_key, nx_service>, 2> service;
  std::array<HashMapView<nx_backend_key, nx_backend_block>, 2> backend;
  std::array<HashMapView<nx_table_key, nx_table>, 2> table;
  std::array<LpmMapView<nx_source_key, nx_source>, 2> source;
  HashMapView<std::uint32_t, nx_service_name> service_name;
  LpmMapView<nx_set_key, nx_set_member> set;
  HashMapView<nx_probe_key, nx_probe> probe;
  HashMapView<std::uint32_t, nx_device> device;
  HashMapView<nx_addr, nx_local> local;
  ArrayMapView<nx_port_word> port;
  PerCpuArrayView<nx_gateway> gateway;

  static Result<ConfigMaps> Open(const FdOf& fd_of);
};

}  // namespace natrix::maps
