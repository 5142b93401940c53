// SPDX-License-Identifier: Apache-2.0
#include "maps/map_info.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

namespace natrix::maps {

std::string TypeName(bpf_map_type type) {
  const char* name = libbpf_bpf_map_type_str(type);
  return name != nullptr ? name : fmt::format("type {}", static_cast<unsigned>(type));
}

std::string MapInfo::Describe() const {
  return fmt::format("{}, key {} bytes, value {} bytes, {} entries, flags {:#x}", TypeName(type),
                     key_size, value_size, max_entries, flags);
}

Result<MapInfo> ReadMapInfo(int fd) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (const int err = bpf_map_get_info_by_fd(fd, &info, &size); err != 0)
    return Fail(err, "read map info");
  return MapInfo{.id = info.id,
                 .type = static_cast<bpf_map_type>(info.type),
                 .key_size = info.key_size,
                 .value_size = info.value_size,
                 .max_entries = info.max_entries,
                 .flags = info.map_flags,
                 .name = info.name};
}

Result<MapInfo> CheckShape(int fd, const std::string& name, const Shape& wanted) {
  auto info = ReadMapInfo(fd);
  if (!info) return Fail(std::move(info).error(), "map " + name);
  if (info->type != wanted.type || info->key_size != wanted.key_size ||
      info->value_size != wanted.value_size) {
    return Fail(
        EINVAL,
        fmt::format("map {}: is {}; this build has {}, key {} bytes, value {} bytes", name,
                    info->Describe(), TypeName(wanted.type), wanted.key_size, wanted.value_size));
  }
  return info;
}

}  // namespace natrix::maps
