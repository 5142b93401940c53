// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <string>

#include "userspace/base/result.h"

namespace natrix::maps {

// What the kernel says about one map; or, made from an object file, what this build wants.
struct MapInfo {
  std::uint32_t id = 0;  // 0: not in the kernel
  bpf_map_type type = BPF_MAP_TYPE_UNSPEC;
  std::uint32_t key_size = 0;    // bytes
  std::uint32_t value_size = 0;  // bytes
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;
  std::string name;

  // "lpm_trie, key 20 bytes, value 4 bytes, 65536 entries, flags 0x1"
  std::string Describe() const;
};

// The kernel's name of a map type, as bpftool prints it.
std::string TypeName(bpf_map_type type);

Result<MapInfo> ReadMapInfo(int fd);

// The map that a typed view is about to be opened on, or an error that names it and both
// layouts.  `name` is ours (a kernel name may be cut).
struct Shape {
  bpf_map_type type;
  std::uint32_t key_size;
  std::uint32_t value_size;
};
Result<MapInfo> CheckShape(int fd, const std::string& name, const Shape& wanted);

}  // namespace natrix::maps
