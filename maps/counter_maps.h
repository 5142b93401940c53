// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/reason.h"
#include "maps/abi/subnet.h"
#include "maps/abi/way.h"
#include "maps/array_map_view.h"
#include "maps/keyed_map_view.h"
#include "maps/opener.h"
#include "maps/per_cpu_array_view.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// What one CIDR of a Subnet sent and got, over all CPUs.
struct SubnetCounters {
  nx_subnet subnet{};
  std::array<nx_gateway, 2> sums{};  // by enum nx_direction
};

// Everything that counts packets, checked and typed.  Borrows the fds.  Thread-safe.
struct CounterMaps {
  ArrayMapView<nx_generation> generation;
  std::array<HashMapView<std::uint32_t, nx_subnet>, 2> subnet;
  PerCpuArrayView<nx_gateway> gateway;
  PerCpuArrayView<nx_count> count;
  PerCpuArrayView<nx_detours> detour;

  static Result<CounterMaps> Open(const FdOf& fd_of);

  // By reason, over all CPUs; as many as the map has, which a newer datapath may have more of.
  Result<std::vector<nx_count>> Reasons() const;
  // By enum nx_detour, likewise.
  Result<std::vector<nx_detours>> Detours() const;
  // Of the configuration in force, by name, then CIDR.
  Result<std::vector<SubnetCounters>> Subnets() const;

 private:
  Result<std::vector<SubnetCounters>> SubnetsOf(std::uint32_t side) const;
};

}  // namespace natrix::maps
