// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "loader/pin_root.h"
#include "maps/abi/config.h"
#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace natrix::cli {

// Opens pinned maps for reading, as views that are checked and typed.  Owns their fds: the views
// must not outlive it.
class PinnedMaps {
 public:
  explicit PinnedMaps(const loader::PinRoot& root) : root_(root) {}

  template <typename View>
  Result<View> Open(const char* name) {
    const auto fd = Fd(name);
    if (!fd) return std::unexpected(fd.error());
    return View::Open(*fd, name);
  }
  // For views of several maps, which open them by name.
  Result<int> Fd(const std::string& name);

  // The scalars in force.
  Result<nx_config> Config();
  Result<std::uint32_t> Generation();
  // The kernel's jiffies now, low 32 bits.
  Result<std::uint32_t> Jiffies();

 private:
  const loader::PinRoot& root_;
  std::map<std::string, UniqueFd> fds_;
};

}  // namespace natrix::cli
