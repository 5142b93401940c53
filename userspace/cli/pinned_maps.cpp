// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/pinned_maps.h"

#include <bpf/bpf.h>

#include "loader/clock.h"
#include "maps/abi/names.h"
#include "maps/array_map_view.h"
#include "maps/pinned_map.h"

namespace natrix::cli {

Result<int> PinnedMaps::Fd(const std::string& name) {
  if (const auto found = fds_.find(name); found != fds_.end()) return found->second.get();
  auto fd = maps::OpenPinnedMap(root_.MapPath(name), maps::Access::kReadOnly);
  if (!fd) return std::unexpected(std::move(fd).error());
  if (!*fd) return Fail(ENOENT, "map " + name + " is not pinned");
  return fds_.emplace(name, *std::move(*fd)).first->second.get();
}

Result<std::uint32_t> PinnedMaps::Generation() {
  const auto view = Open<maps::ArrayMapView<nx_generation>>("nx_generation");
  if (!view) return std::unexpected(view.error());
  const auto value = view->At(0);
  if (!value) return std::unexpected(value.error());
  return value->number;
}

Result<nx_config> PinnedMaps::Config() {
  const auto generation = Generation();
  if (!generation) return std::unexpected(generation.error());
  const auto view = Open<maps::ArrayMapView<nx_config>>("nx_config");
  if (!view) return std::unexpected(view.error());
  return view->At(*generation & 1);
}

Result<std::uint32_t> PinnedMaps::Jiffies() {
  const std::string path = root_.ProgPath(NX_PROG_JIFFIES);
  const UniqueFd program(bpf_obj_get(path.c_str()));
  if (!program) return Fail(errno, "open " + path);
  return loader::ReadJiffies(program.get());
}

}  // namespace natrix::cli
