// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "maps/abi/config.h"
#include "maps/abi/flow.h"
#include "userspace/base/result.h"
#include "userspace/cli/pinned_maps.h"

namespace natrix::cli {

// One live flow, from its original half.
struct Flow {
  nx_tuple original{};
  nx_flow entry{};
  bool established = false;  // in nx_flow; else in nx_embryo
  std::uint32_t seconds_left = 0;
};

// Seconds until a half that was last seen at `seen` is too old; nullopt when it is.
std::optional<std::uint32_t> SecondsLeft(const nx_flow& half, const nx_config& config,
                                         std::uint32_t now);

// Calls visit for every flow that is not expired, in no order.  A flow that is established
// meanwhile may be missed or come twice.
Result<> ForEachFlow(PinnedMaps& pins, const std::function<void(const Flow&)>& visit);

std::string ProtocolName(nx_l4 proto);  // "tcp"; a number where there is no name
std::string StateName(nx_state state);  // "ESTABLISHED"

}  // namespace natrix::cli
