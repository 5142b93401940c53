// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/applier.h"

#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace natrix::daemon {
namespace {

using compile::Parts;
using compile::Table;
using compile::Wanted;

bool SameBytes(const auto& a, const auto& b) {
  static_assert(sizeof(a) == sizeof(b));
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

template <typename K, typename V>
bool SameTable(const Table<K, V>& a, const Table<K, V>& b) {
  if (a.size() != b.size()) return false;
  return std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
    return SameBytes(x.first, y.first) && SameBytes(x.second, y.second);
  });
}

template <typename View, typename K, typename V>
Result<> Read(const View& view, Table<K, V>& table) {
  table.clear();
  return view.ForEach([&](const K& key, const V& value) { table.emplace(key, value); });
}

template <typename View, typename K, typename V>
Result<> Erase(const View& view, const Table<K, V>& wanted, Table<K, V>& live,
               ApplyReport& report) {
  const auto edits = compile::Diff(live, wanted);
  if (edits.erase.empty()) return {};
  if (auto done = view.EraseAll(edits.erase); !done) return done;
  for (const auto& key : edits.erase) live.erase(key);
  report.erased += edits.erase.size();
  return {};
}

template <typename View, typename K, typename V>
Result<> Upsert(const View& view, const Table<K, V>& wanted, Table<K, V>& live,
                ApplyReport& report) {
  const auto edits = compile::Diff(live, wanted);
  if (edits.write.empty()) return {};
  if (auto done = view.UpsertAll(edits.write); !done) return done;
  for (const auto& [key, value] : edits.write) live.insert_or_assign(key, value);
  report.written += edits.write.size();
  return {};
}

// Read from the map, it is all one part, which no configuration shares.
template <typename View, typename K, typename V>
Result<> Read(const View& view, Parts<K, V>& parts) {
  Table<K, V> table;
  if (auto done = Read(view, table); !done) return done;
  parts.clear();
  parts.emplace("", std::make_shared<const Table<K, V>>(std::move(table)));
  return {};
}

// Of a map that no packet asks meanwhile, or whose entries are independent of each other: erasing
// first leaves room for what is new.  Tables or parts.
template <typename View, typename K, typename V, typename Held>
Result<> Replace(const View& view, const compile::Edits<K, V>& edits, const Held& wanted,
                 Held& live, ApplyReport& report) {
  if (edits.empty()) return {};
  if (!edits.erase.empty())
    if (auto done = view.EraseAll(edits.erase); !done) return done;
  if (!edits.write.empty())
    if (auto done = view.UpsertAll(edits.write); !done) return done;
  report.erased += edits.erase.size();
  report.written += edits.write.size();
  live = wanted;
  return {};
}

template <typename View, typename Held>
Result<> Replace(const View& view, const Held& wanted, Held& live, ApplyReport& report) {
  return Replace(view, compile::Diff(live, wanted), wanted, live, report);
}

template <typename View>
Result<> Fits(std::size_t entries, const View& view) {
  const maps::MapInfo& info = view.info();
  if (entries <= info.max_entries) return {};
  return Fail(fmt::format("map {} has room for {} entries, the configuration needs {}", info.name,
                          info.max_entries, entries));
}

// Runs steps in order until one fails.
template <typename... Steps>
Result<> InOrder(Steps... steps) {
  Result<> done;
  (void)((done = steps()).has_value() && ...);
  return done;
}

}  // namespace

Result<ApplyReport> Applier::Apply(const Wanted& wanted) {
  ApplyReport report;
  started_ = std::chrono::steady_clock::now();
  // The last Apply ended by waiting for whoever still read the side that is idle now.
  const bool idle_is_unread = settled_;
  auto done =
      InOrder([&] { return CheckRoom(wanted); }, [&] { return known_ ? Result<>() : ReadLive(); },
              [&] {
                // Until the end of it, memory and maps may differ.
                known_ = settled_ = false;
                return Write(wanted, idle_is_unread, report);
              });
  if (!done) return Fail(std::move(done).error(), "apply configuration");
  known_ = settled_ = true;
  report.generation = generation_;
  return report;
}

Result<Parts<std::uint32_t, nx_subnet>> Applier::Subnets() {
  if (!known_)
    if (auto done = ReadLive(); !done) return std::unexpected(std::move(done).error());
  return sides_[generation_ & 1].subnet;
}

Result<std::shared_ptr<const compile::Services>> Applier::Services() {
  if (!known_)
    if (auto done = ReadLive(); !done) return std::unexpected(std::move(done).error());
  return sides_[generation_ & 1].services;
}

Result<> Applier::ReadLive() {
  const auto generation = maps_.generation.At(0);
  if (!generation) return std::unexpected(generation.error());
  generation_ = generation->number;
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto config = maps_.config.At(i);
    if (!config) return std::unexpected(config.error());
    sides_[i].config = *config;
    auto done = InOrder([&] { return Read(maps_.net[i], sides_[i].net); },
                        [&] { return Read(maps_.fip[i], sides_[i].fip); },
                        [&] { return Read(maps_.subnet[i], sides_[i].subnet); },
                        [&] { return Read(maps_.policy[i], sides_[i].policy); },
                        [&] { return Read(maps_.ports[i], sides_[i].ports); },
                        [&] { return Read(maps_.loop[i], sides_[i].loop); },
                        [&] { return Read(maps_.range[i], sides_[i].range); },
                        [&] { return ReadServices(i); });
    if (!done) return done;
  }
  auto ports = maps_.port.ReadAll();
  if (!ports) return std::unexpected(std::move(ports).error());
  port_ = *std::move(ports);
  named_ = nullptr;
  return InOrder([&] { return Read(maps_.set, set_); }, [&] { return Read(maps_.probe, probe_); },
                 [&] { return Read(maps_.device, device_); },
                 [&] { return Read(maps_.local, local_); },
                 [&] {
                   known_ = true;
                   return Result<>();
                 });
}

// Asked before anything is written, so that a configuration that is too large changes nothing.
Result<> Applier::CheckRoom(const Wanted& wanted) const {
  const compile::Services::Sizes services = wanted.services->entries();
  return InOrder([&] { return Fits(wanted.net.size(), maps_.net[0]); },
                 [&] { return Fits(wanted.fip.size(), maps_.fip[0]); },
                 [&] { return Fits(wanted.subnet.entries(), maps_.subnet[0]); },
                 [&] { return Fits(wanted.policy.entries(), maps_.policy[0]); },
                 [&] { return Fits(wanted.ports.size(), maps_.ports[0]); },
                 [&] { return Fits(wanted.loop.size(), maps_.loop[0]); },
                 [&] { return Fits(wanted.range.size(), maps_.range[0]); },
                 [&] { return Fits(services.service, maps_.service[0]); },
                 [&] { return Fits(services.backend, maps_.backend[0]); },
                 [&] { return Fits(services.table, maps_.table[0]); },
                 [&] { return Fits(services.source, maps_.source[0]); },
                 [&] { return Fits(wanted.set.entries(), maps_.set); },
                 [&] { return Fits(wanted.probe.size(), maps_.probe); },
                 [&] { return Fits(wanted.device.size(), maps_.device); },
                 [&] { return Fits(wanted.local.size(), maps_.local); });
}

Result<> Applier::Write(const Wanted& wanted, bool idle_is_unread, ApplyReport& report) {
  const std::uint32_t live = generation_ & 1;
  const std::uint32_t idle = 1 - live;
  if (Holds(live, wanted)) {
    // The idle side differs only when an earlier Apply ended between flip and repetition.
    return InOrder([&] { return Holds(idle, wanted) ? Result<>() : WaitForReaders(); },
                   [&] { return WriteSide(idle, wanted, report); },
                   [&] { return WriteShared(wanted, wanted.device, report); },
                   [&] { return EraseShared(wanted, report); });
  }
  return InOrder([&] { return idle_is_unread ? Result<>() : WaitForReaders(); },
                 [&] { return WriteSide(idle, wanted, report); },
                 [&] { return WriteShared(wanted, DevicesBesideLive(wanted), report); },
                 [&] { return ClearCounters(wanted); },
                 [&] { return Flip(generation_ + 1, report); }, [&] { return WaitForReaders(); },
                 [&] { return WriteSide(live, wanted, report); },
                 [&] { return EraseShared(wanted, report); });
}

bool Applier::Holds(std::uint32_t index, const Wanted& wanted) const {
  const Side& side = sides_[index];
  return SameTable(side.net, wanted.net) && SameTable(side.fip, wanted.fip) &&
         compile::Same(side.subnet, wanted.subnet) && compile::Same(side.policy, wanted.policy) &&
         SameTable(side.ports, wanted.ports) && SameTable(side.loop, wanted.loop) &&
         SameTable(side.range, wanted.range) && SameBytes(side.config, wanted.config) &&
         side.services->entries() == wanted.services->entries() &&
         compile::Diff(*side.services, *wanted.services).empty() && Detects(index, wanted);
}

namespace {

// What the devices have one bit of for each side.
constexpr std::array kSided = {&nx_device::cluster, &nx_device::nat_outgoing, &nx_device::tunnel4,
                               &nx_device::tunnel6};

}  // namespace

// Whether that side says of the devices that are there what it should.
bool Applier::Detects(std::uint32_t side, const Wanted& wanted) const {
  return std::ranges::all_of(wanted.device, [&](const auto& entry) {
    const auto held = device_.find(entry.first);
    if (held == device_.end()) return true;
    int differ = 0;
    for (const auto bits : kSided) differ |= held->second.*bits ^ entry.second.*bits;
    return (differ & NX_DEVICE_SIDE(side)) == 0 &&
           held->second.bridge[side] == entry.second.bridge[side];
  });
}

// What is wanted of the devices, but for what the side in force says of them.
Table<std::uint32_t, nx_device> Applier::DevicesBesideLive(const Wanted& wanted) const {
  auto devices = wanted.device;
  const int bit = NX_DEVICE_SIDE(generation_);
  for (auto& [ifindex, device] : devices)
    if (const auto held = device_.find(ifindex); held != device_.end()) {
      for (const auto bits : kSided)
        device.*bits = static_cast<__u8>((device.*bits & ~bit) | (held->second.*bits & bit));
      device.bridge[generation_ & 1] = held->second.bridge[generation_ & 1];
    }
  return devices;
}

Result<> Applier::WriteSide(std::uint32_t side, const Wanted& wanted, ApplyReport& report) {
  Side& held = sides_[side];
  if (!SameBytes(held.config, wanted.config)) {
    if (auto done = maps_.config.Set(side, wanted.config); !done) return done;
    held.config = wanted.config;
    ++report.written;
  }
  return InOrder([&] { return Replace(maps_.net[side], wanted.net, held.net, report); },
                 [&] { return Replace(maps_.fip[side], wanted.fip, held.fip, report); },
                 [&] { return Replace(maps_.subnet[side], wanted.subnet, held.subnet, report); },
                 [&] { return Replace(maps_.policy[side], wanted.policy, held.policy, report); },
                 [&] { return Replace(maps_.ports[side], wanted.ports, held.ports, report); },
                 [&] { return Replace(maps_.loop[side], wanted.loop, held.loop, report); },
                 [&] { return Replace(maps_.range[side], wanted.range, held.range, report); },
                 [&] { return WriteServices(side, wanted, report); });
}

// A number that means another CIDR from now on starts from 0.  The side in force does not use it
// (compile/subnets.cpp), so that nothing is counted in between.
Result<> Applier::ClearCounters(const Wanted& wanted) const {
  const compile::Unshared changed(sides_[generation_ & 1].subnet, wanted.subnet);
  const auto before = changed.live.List();
  for (const auto* entry : changed.wanted.List()) {
    const auto& [number, subnet] = *entry;
    const auto old = std::ranges::lower_bound(before, number, compile::ByBytes{},
                                              [](const auto* each) { return each->first; });
    if (old != before.end() && (*old)->first == number &&
        SameBytes((*old)->second.cidr, subnet.cidr) && SameBytes((*old)->second.name, subnet.name))
      continue;
    for (const nx_direction way : {NX_EGRESS, NX_INGRESS})
      if (auto done = maps_.gateway.Clear(number * 2 + way); !done) return done;
  }
  return {};
}

Result<> Applier::WritePorts(const Wanted& wanted, ApplyReport& report) {
  std::vector<std::uint32_t> indices;
  std::vector<nx_port_word> words;
  for (std::uint32_t i = 0; i < NX_PORT_WORDS; ++i) {
    if (SameBytes(port_[i], wanted.port[i])) continue;
    indices.push_back(i);
    words.push_back(wanted.port[i]);
  }
  if (indices.empty()) return {};
  if (auto done = maps_.port.SetAll(indices, words); !done) return done;
  port_.assign(wanted.port.begin(), wanted.port.end());
  report.written += indices.size();
  return {};
}

// The maps that have one copy: what is new must be there before the side that asks for it is in
// force, what is old must stay until nobody can ask.  Entries of nx_probe are independent of each
// other; nx_set and nx_service_name are for looking only, and come last.
Result<> Applier::WriteShared(const Wanted& wanted, const Table<std::uint32_t, nx_device>& device,
                              ApplyReport& report) {
  return InOrder([&] { return WritePorts(wanted, report); },
                 [&] { return Upsert(maps_.device, device, device_, report); },
                 [&] { return Upsert(maps_.local, wanted.local, local_, report); },
                 [&] { return Replace(maps_.probe, wanted.probe, probe_, report); });
}

Result<> Applier::EraseShared(const Wanted& wanted, ApplyReport& report) {
  return InOrder([&] { return Upsert(maps_.device, wanted.device, device_, report); },
                 [&] { return Erase(maps_.device, wanted.device, device_, report); },
                 [&] { return Erase(maps_.local, wanted.local, local_, report); },
                 [&] {
                   return Replace(maps_.set, compile::DiffOfSets(set_, wanted.set), wanted.set,
                                  set_, report);
                 },
                 [&] { return WriteServiceNames(wanted, report); });
}

Result<> Applier::Flip(std::uint32_t to, ApplyReport& report) {
  if (auto done = maps_.generation.Set(0, {.number = to}); !done) return done;
  generation_ = to;
  report.flipped = true;
  report.in_force = std::chrono::steady_clock::now() - started_;
  return {};
}

// Returns when no program that may still read the side that went out of force runs: programs run
// in RCU read sections, and this waits for a grace period (kernel/sched/membarrier.c).
Result<> Applier::WaitForReaders() const {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
    return Fail(errno, "wait for a grace period (membarrier)");
  return {};
}

}  // namespace natrix::daemon
