// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "maps/map_info.h"
#include "maps/map_traits.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// A typed view of a per-CPU array of counters.  Borrows the fd.
template <MapValue V>
class PerCpuArrayView {
 public:
  static Result<PerCpuArrayView> Open(int fd, const std::string& name) {
    auto info = CheckShape(fd, name,
                           {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
                            .key_size = sizeof(std::uint32_t),
                            .value_size = sizeof(V)});
    if (!info) return std::unexpected(std::move(info).error());
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return Fail(cpus, "count possible CPUs");
    return PerCpuArrayView(fd, *std::move(info), static_cast<std::size_t>(cpus));
  }

  // Every possible CPU's copy of element `index`.
  Result<std::vector<V>> At(std::uint32_t index) const {
    std::vector<std::byte> raw(cpus_ * kStride);
    if (const int err = bpf_map_lookup_elem(fd_, &index, raw.data()); err != 0)
      return Fail(err, "read map " + info_.name);
    std::vector<V> values(cpus_);
    for (std::size_t cpu = 0; cpu < cpus_; ++cpu)
      std::memcpy(&values[cpu], &raw[cpu * kStride], sizeof(V));
    return values;
  }

  // Every possible CPU's copy becomes 0.
  Result<> Clear(std::uint32_t index) const {
    const std::vector<std::byte> zeros(cpus_ * kStride);
    if (const int err = bpf_map_update_elem(fd_, &index, zeros.data(), BPF_ANY); err != 0)
      return Fail(err, "clear an element of map " + info_.name);
    return {};
  }

  std::uint32_t size() const { return info_.max_entries; }

 private:
  // The kernel pads each CPU's copy to 8 bytes.
  static constexpr std::size_t kStride = (sizeof(V) + 7) / 8 * 8;

  PerCpuArrayView(int fd, MapInfo info, std::size_t cpus)
      : fd_(fd), info_(std::move(info)), cpus_(cpus) {}

  int fd_;
  MapInfo info_;
  std::size_t cpus_;
};

}  // namespace natrix::maps
