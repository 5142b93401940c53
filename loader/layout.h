// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "loader/pin_root.h"
#include "maps/map_info.h"
#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

struct bpf_object;

namespace natrix::loader {

// A map that is pinned already and fits this build.
struct AdoptedMap {
  std::string name;
  UniqueFd fd;
  maps::MapInfo pinned;
};

struct Adoption {
  std::vector<AdoptedMap> maps;
  std::vector<std::string> warnings;  // tables whose size is not the configured one
};

// Opens every pinned map that `object` (opened, not loaded) has too.  Changes nothing.  A map of
// another layout is an error that names each such map, both layouts and what to do; the tables
// in `resizable` may have another number of entries, which is a warning.
Result<Adoption> FindAdoptable(const bpf_object* object, const PinRoot& root,
                               const std::vector<std::string>& resizable);

}  // namespace natrix::loader
