// SPDX-License-Identifier: Apache-2.0
#include "loader/layout.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "maps/abi/names.h"
#include "maps/pinned_map.h"

namespace natrix::loader {
namespace {

using maps::MapInfo;

MapInfo WantedInfo(const bpf_map* map) {
  return {.type = bpf_map__type(map),
          .key_size = bpf_map__key_size(map),
          .value_size = bpf_map__value_size(map),
          .max_entries = bpf_map__max_entries(map),
          .flags = bpf_map__map_flags(map),
          .name = bpf_map__name(map)};
}

bool SameLayout(const MapInfo& a, const MapInfo& b) {
  return a.type == b.type && a.key_size == b.key_size && a.value_size == b.value_size &&
         a.flags == b.flags;
}

std::string Refusal(const PinRoot& root, const std::vector<std::string>& reasons) {
  return fmt::format(
      "{}: what is pinned there has another layout, nothing was changed:\n  {}\n"
      "  = help: `natrix detach` removes it; its flows are lost, then start natrixd again",
      root.path(), fmt::join(reasons, "\n  "));
}

}  // namespace

Result<Adoption> FindAdoptable(const bpf_object* object, const PinRoot& root,
                               const std::vector<std::string>& resizable) {
  Adoption adoption;
  std::vector<std::string> reasons;
  const auto layout = root.Layout();
  if (!layout) return std::unexpected(layout.error());
  if (*layout && **layout != NX_LAYOUT)
    reasons.push_back(
        fmt::format("all maps: pinned layout {}, this build's is {}", **layout, NX_LAYOUT));

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    // Constants of the programs are part of the programs: new with each load.
    if (bpf_map__is_internal(map)) continue;
    const MapInfo wanted = WantedInfo(map);
    auto fd = maps::OpenPinnedMap(root.MapPath(wanted.name), maps::Access::kReadWrite);
    if (!fd) return std::unexpected(std::move(fd).error());
    if (!*fd) continue;
    auto pinned = maps::ReadMapInfo((*fd)->get());
    if (!pinned) return Fail(std::move(pinned).error(), "map " + wanted.name);
    const bool may_differ = std::ranges::find(resizable, wanted.name) != resizable.end();
    const bool same_size = pinned->max_entries == wanted.max_entries;
    if (!SameLayout(*pinned, wanted) || (!same_size && !may_differ)) {
      reasons.push_back(fmt::format("map {}: pinned: {}; this build: {}", wanted.name,
                                    pinned->Describe(), wanted.Describe()));
      continue;
    }
    if (!same_size)
      adoption.warnings.push_back(
          fmt::format("map {} keeps its {} entries, {} are configured: `natrix detach` first to "
                      "resize it (its flows are lost)",
                      wanted.name, pinned->max_entries, wanted.max_entries));
    adoption.maps.push_back({wanted.name, *std::move(*fd), *pinned});
  }
  if (!reasons.empty()) return Fail(Refusal(root, reasons));
  return adoption;
}

}  // namespace natrix::loader
