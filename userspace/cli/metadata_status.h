// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maps/abi/device.h"
#include "userspace/base/result.h"
#include "userspace/cli/hook_status.h"
#include "userspace/cli/pinned_maps.h"

namespace natrix::cli {

// OpenStack's metadata service in this copy of the configuration: who serves it; and, where that is
// a loopback address, whether the kernel takes it there from these pod devices (route_localnet).
// nullopt: the configuration has none.
Result<std::optional<Part>> CollectMetadata(PinnedMaps& pins, std::uint32_t side,
                                            const std::vector<std::string>& pod_devices);

}  // namespace natrix::cli
