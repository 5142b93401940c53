// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>

#include <cstdint>
#include <string>
#include <utility>

#include "maps/map_info.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// A view of an array of maps.  Borrows the fd.
class MapArrayView {
 public:
  static Result<MapArrayView> Open(int fd, const std::string& name) {
    auto info = CheckShape(fd, name,
                           {.type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
                            .key_size = sizeof(std::uint32_t),
                            .value_size = sizeof(std::uint32_t)});
    if (!info) return std::unexpected(std::move(info).error());
    return MapArrayView(fd, *std::move(info));
  }

  // The id of the map in slot `index`; 0 when the slot is empty.
  Result<std::uint32_t> IdAt(std::uint32_t index) const {
    std::uint32_t id = 0;
    const int err = bpf_map_lookup_elem(fd_, &index, &id);
    if (err == -ENOENT) return 0;
    if (err != 0) return Fail(err, "read map " + info_.name);
    return id;
  }

  // Puts `inner_fd` into slot `index`.  Returns after a grace period: no program that began
  // before the call still runs (the kernel waits for that in every update of a map of maps).
  Result<> Set(std::uint32_t index, int inner_fd) const {
    const auto value = static_cast<std::uint32_t>(inner_fd);
    if (const int err = bpf_map_update_elem(fd_, &index, &value, BPF_ANY); err != 0)
      return Fail(err, "write map " + info_.name);
    return {};
  }

  std::uint32_t size() const { return info_.max_entries; }

 private:
  MapArrayView(int fd, MapInfo info) : fd_(fd), info_(std::move(info)) {}

  int fd_;
  MapInfo info_;
};

}  // namespace natrix::maps
