// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "loader/pin_root.h"
#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace natrix::loader {

// A bpf_link that is held and pinned in links/: the pin outlives us, the fd an unmounted bpffs.
struct PinnedLink {
  UniqueFd fd;
  std::string pin;   // name in links/
  int prog_fd = -1;  // what this process last put there; -1: another process did
};

// Pins a new link as link.pin, in the place of what is there.
Result<> PinLink(const PinRoot& root, const PinnedLink& link);
// Pins again what somebody unpinned, and follows a device that was renamed: to `name`.
Result<> KeepLinkPinned(const PinRoot& root, PinnedLink& link, const std::string& name);
// Removes the pin, which may be gone already.
Result<> UnpinLink(const PinRoot& root, const PinnedLink& link);

}  // namespace natrix::loader
