// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>

#include <algorithm>

#include "userspace/compile/compile.h"

namespace natrix::compile {
namespace {

bool Names(const std::vector<std::string>& patterns, const std::string& device) {
  return std::ranges::find(patterns, device) != patterns.end();
}

}  // namespace

bool IsAmong(const std::vector<std::string>& patterns, const std::string& device) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), device.c_str(), FNM_NOESCAPE) == 0;
  });
}

std::optional<nx_device_role> RoleOf(const model::Node& node, const std::string& device) {
  // "*" means every device that carries traffic of others; loopback carries none.
  if (device == "lo") return std::nullopt;
  if (Names(node.uplinks, device)) return NX_DEVICE_UPLINK;
  if (Names(node.pod_devices, device)) return NX_DEVICE_POD;
  if (IsAmong(node.uplinks, device)) return NX_DEVICE_UPLINK;
  if (IsAmong(node.pod_devices, device)) return NX_DEVICE_POD;
  return std::nullopt;
}

bool IsWithoutFastPath(const model::Node& node, const std::string& device) {
  return IsAmong(node.no_fast_path, device);
}

}  // namespace natrix::compile
