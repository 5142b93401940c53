// SPDX-License-Identifier: Apache-2.0
#include "maps/pinned_map.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

namespace natrix::maps {

Result<std::optional<UniqueFd>> OpenPinnedMap(const std::string& path, Access access) {
  LIBBPF_OPTS(bpf_obj_get_opts, opts,
              .file_flags = access == Access::kReadOnly ? __u32{BPF_F_RDONLY} : __u32{0});
  UniqueFd fd(bpf_obj_get_opts(path.c_str(), &opts));
  if (fd) return std::optional<UniqueFd>(std::move(fd));
  if (errno == ENOENT) return std::optional<UniqueFd>();
  return Fail(errno, "open pinned map " + path);
}

}  // namespace natrix::maps
