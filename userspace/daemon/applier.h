// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "maps/config_maps.h"
#include "userspace/base/result.h"
#include "userspace/compile/compile.h"

namespace natrix::daemon {

// What one Apply did to the maps.
struct ApplyReport {
  std::size_t written = 0;  // elements
  std::size_t erased = 0;
  bool flipped = false;                 // another side is in force now
  std::chrono::nanoseconds in_force{};  // from the call until packets saw it; 0: nothing to see
  std::uint32_t generation = 0;

  bool changed() const { return written + erased > 0 || flipped; }
};

// Makes the configuration maps hold what is wanted, so that every packet is judged wholly by the
// old or wholly by the new configuration (left-right).  The work is that of the difference.
//
// Knows what the maps hold from having written it; reads them at the start and after an error.
// It is their only writer: the pin root's lock sees to that.  The maps must outlive it.
class Applier {
 public:
  template <typename K, typename V>
  using Table = compile::Table<K, V>;
  template <typename K, typename V>
  using Parts = compile::Parts<K, V>;

  explicit Applier(maps::ConfigMaps maps) : maps_(std::move(maps)) {}

  // On an error the configuration in force is the one before, unless the kernel ran out of
  // memory after the flip; then the next Apply completes it.
  Result<ApplyReport> Apply(const compile::Wanted& wanted);

  // What nx_service, nx_backend, nx_table and nx_source hold on the side in force; never null.
  Result<std::shared_ptr<const compile::Services>> Services();

  // What nx_subnet holds on the side in force.
  Result<Parts<std::uint32_t, nx_subnet>> Subnets();

 private:
  struct Side {
    Table<nx_prefix, nx_net> net;
    Table<nx_fip_key, nx_fip> fip;
    Parts<std::uint32_t, nx_subnet> subnet;
    Parts<nx_policy_key, nx_policy> policy;
    Table<nx_port_key, nx_port_member> ports;
    Table<nx_loop_key, nx_loop> loop;
    Table<nx_range_key, nx_range> range;
    std::shared_ptr<const compile::Services> services;  // null until it is read
    nx_config config{};
  };

  bool Holds(std::uint32_t side, const compile::Wanted& wanted) const;
  bool Detects(std::uint32_t side, const compile::Wanted& wanted) const;
  Table<std::uint32_t, nx_device> DevicesBesideLive(const compile::Wanted& wanted) const;
  Result<> ReadLive();
  Result<> CheckRoom(const compile::Wanted& wanted) const;
  Result<> Write(const compile::Wanted& wanted, bool idle_is_unread, ApplyReport& report);
  Result<> WriteSide(std::uint32_t side, const compile::Wanted& wanted, ApplyReport& report);
  Result<> ReadServices(std::uint32_t side);
  Result<> WriteServices(std::uint32_t side, const compile::Wanted& wanted, ApplyReport& report);
  Result<> WriteServiceNames(const compile::Wanted& wanted, ApplyReport& report);
  Result<> WritePorts(const compile::Wanted& wanted, ApplyReport& report);
  Result<> WriteShared(const compile::Wanted& wanted, const Table<std::uint32_t, nx_device>& device,
                       ApplyReport& report);
  Result<> EraseShared(const compile::Wanted& wanted, ApplyReport& report);
  Result<> ClearCounters(const compile::Wanted& wanted) const;
  Result<> Flip(std::uint32_t to, ApplyReport& report);
  Result<> WaitForReaders() const;

  maps::ConfigMaps maps_;
  std::chrono::steady_clock::time_point started_;
  bool settled_ = false;  // nobody reads the idle side: the last Apply ended as it should
  bool known_ = false;    // whether the rest is what the maps hold
  std::uint32_t generation_ = 0;
  std::array<Side, 2> sides_;
  std::shared_ptr<const compile::Services> named_;  // whose names the map has; null: not known
  Parts<nx_set_key, nx_set_member> set_;
  Table<nx_probe_key, nx_probe> probe_;
  Table<std::uint32_t, nx_device> device_;
  Table<nx_addr, nx_local> local_;
  std::vector<nx_port_word> port_;
};

}  // namespace natrix::daemon
