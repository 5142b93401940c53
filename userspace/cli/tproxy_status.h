// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loader/pin_root.h"
#include "userspace/base/result.h"
#include "userspace/cli/hook_status.h"
#include "userspace/cli/pinned_maps.h"

namespace natrix::cli {

// What steers kubelet probes to their proxy, part by part.
struct TproxyStatus {
  std::size_t probes = 0;
  std::vector<std::string> proxies;  // "172.18.0.3:8102"
  std::vector<Part> parts;           // "lo ingress", "ip rule fwmark 0x90003/0x90003", ...

  bool degraded() const;
  nlohmann::ordered_json ToJson() const;
  std::string Render() const;
};

// nullopt: there are no probes.
Result<std::optional<TproxyStatus>> CollectTproxy(const loader::PinRoot& root, PinnedMaps& pins);

}  // namespace natrix::cli
