// SPDX-License-Identifier: Apache-2.0
#include "maps/counter_maps.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "maps/in_force.h"

namespace natrix::maps {
namespace {

void AddTo(nx_gateway& sum, const nx_gateway& copy) {
  sum.packets += copy.packets;
  sum.bytes += copy.bytes;
  sum.wire_packets += copy.wire_packets;
  sum.wire_bytes += copy.wire_bytes;
}

void AddTo(nx_count& sum, const nx_count& copy) {
  sum.packets += copy.packets;
  sum.bytes += copy.bytes;
}

void AddTo(nx_detours& sum, const nx_detours& copy) { sum.packets += copy.packets; }

template <typename V>
Result<V> Sum(const PerCpuArrayView<V>& view, std::uint32_t index) {
  const auto copies = view.At(index);
  if (!copies) return std::unexpected(copies.error());
  V sum{};
  for (const V& copy : *copies) AddTo(sum, copy);
  return sum;
}

template <typename V>
Result<std::vector<V>> SumAll(const PerCpuArrayView<V>& view) {
  std::vector<V> sums;
  for (std::uint32_t index = 0; index < view.size(); ++index) {
    const auto sum = Sum(view, index);
    if (!sum) return std::unexpected(sum.error());
    sums.push_back(*sum);
  }
  return sums;
}

bool IsBefore(const SubnetCounters& a, const SubnetCounters& b) {
  const int names = std::strncmp(a.subnet.name, b.subnet.name, sizeof(a.subnet.name));
  if (names != 0) return names < 0;
  return std::memcmp(&a.subnet.cidr.addr, &b.subnet.cidr.addr, sizeof(nx_addr)) < 0;
}

}  // namespace

Result<CounterMaps> CounterMaps::Open(const FdOf& fd_of) {
  Opener open(fd_of);
  auto generation = open.Open<ArrayMapView<nx_generation>>("nx_generation");
  auto subnet_left = open.Open<HashMapView<std::uint32_t, nx_subnet>>("nx_subnet_left");
  auto subnet_right = open.Open<HashMapView<std::uint32_t, nx_subnet>>("nx_subnet_right");
  auto gateway = open.Open<PerCpuArrayView<nx_gateway>>("nx_gateway");
  auto count = open.Open<PerCpuArrayView<nx_count>>("nx_count");
  auto detour = open.Open<PerCpuArrayView<nx_detours>>("nx_detour");
  if (!open.done()) return std::unexpected(std::move(open.done()).error());
  return CounterMaps{.generation = *generation,
                     .subnet = {*subnet_left, *subnet_right},
                     .gateway = *gateway,
                     .count = *count,
                     .detour = *detour};
}

Result<std::vector<nx_count>> CounterMaps::Reasons() const { return SumAll(count); }

Result<std::vector<nx_detours>> CounterMaps::Detours() const { return SumAll(detour); }

Result<std::vector<SubnetCounters>> CounterMaps::Subnets() const {
  return ReadInForce(generation, [&](std::uint32_t side) { return SubnetsOf(side); });
}

Result<std::vector<SubnetCounters>> CounterMaps::SubnetsOf(std::uint32_t side) const {
  std::vector<std::pair<std::uint32_t, nx_subnet>> subnets;
  auto read = subnet[side].ForEach(
      [&](std::uint32_t number, const nx_subnet& entry) { subnets.emplace_back(number, entry); });
  if (!read) return std::unexpected(std::move(read).error());
  std::vector<SubnetCounters> list;
  for (const auto& [number, entry] : subnets) {
    SubnetCounters counters{.subnet = entry};
    for (const nx_direction way : {NX_EGRESS, NX_INGRESS}) {
      const auto sum = Sum(gateway, number * 2 + way);
      if (!sum) return std::unexpected(sum.error());
      counters.sums[way] = *sum;
    }
    list.push_back(counters);
  }
  std::ranges::sort(list, IsBefore);
  return list;
}

}  // namespace natrix::maps
