// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/consistent_table.h"

#include <algorithm>
#include <numeric>

#include "userspace/compile/table.h"

namespace natrix::compile {
namespace {

constexpr std::uint32_t kSlots = NX_TABLE_SLOTS;
constexpr std::uint16_t kFree = 0xffff;

// FNV-1a, then the finalizer of splitmix64, which spreads what the last bytes changed.
std::uint64_t HashOf(const nx_backend& backend, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325 ^ seed;
  const auto take = [&](const void* from, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      hash = (hash ^ static_cast<const std::uint8_t*>(from)[i]) * 0x100000001b3;
  };
  take(&backend.addr, sizeof(backend.addr));
  take(&backend.port, sizeof(backend.port));
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

// The slots in the order in which a backend wants them: kSlots is a prime, so that any step
// visits all.
struct Wish {
  std::uint32_t next;
  std::uint32_t step;

  explicit Wish(const nx_backend& backend)
      : next(static_cast<std::uint32_t>(HashOf(backend, 0) % kSlots)),
        step(static_cast<std::uint32_t>(HashOf(backend, 1) % (kSlots - 1)) + 1) {}

  std::uint32_t Take() {
    const std::uint32_t slot = next;
    next = (next + step) % kSlots;
    return slot;
  }
};

}  // namespace

std::vector<std::uint16_t> ConsistentTable(const std::vector<nx_backend>& backends) {
  if (backends.empty()) return {};
  // Who chooses first is decided by who they are.
  std::vector<std::uint16_t> order(backends.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::ranges::sort(order, ByBytes(), [&](std::uint16_t index) { return backends[index]; });
  std::vector<Wish> wishes;
  wishes.reserve(order.size());
  for (const std::uint16_t index : order) wishes.emplace_back(backends[index]);

  std::vector<std::uint16_t> slots(kSlots, kFree);
  for (std::uint32_t filled = 0; filled < kSlots;)
    for (std::size_t i = 0; i < order.size() && filled < kSlots; ++i, ++filled) {
      std::uint32_t slot = wishes[i].Take();
      while (slots[slot] != kFree) slot = wishes[i].Take();
      slots[slot] = order[i];
    }
  return slots;
}

}  // namespace natrix::compile
