// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace natrix::loader {

// Both ways through a device.
enum class Hook { kIngress, kEgress };
inline constexpr Hook kHooks[] = {Hook::kIngress, Hook::kEgress};
const char* HookName(Hook hook);  // "ingress", "egress"

// Priority and handle of our clsact filters: "nx".  Nobody picks it by chance, and it lets
// filters of a lower priority number see a packet first.
inline constexpr std::uint32_t kFilterPriority = 0x6e78;
inline constexpr std::uint32_t kFilterHandle = 0x6e78;

// A filter of a clsact qdisc.
struct TcFilter {
  std::uint32_t priority = 0;
  std::uint32_t handle = 0;
  std::string kind;  // "bpf", "u32", ...
  std::string name;  // of a bpf filter: "nx_out:[123]"
  std::uint32_t prog_id = 0;

  bool IsOurs() const {
    return kind == "bpf" && priority == kFilterPriority && handle == kFilterHandle &&
           name.starts_with("nx_");
  }
};

// The filters of one hook, ours and others'; none when the device has no clsact qdisc.
Result<std::vector<TcFilter>> ListFilters(std::uint32_t ifindex, Hook hook);

// The kind of qdisc where clsact would be: "clsact", "ingress", or "" for none.
Result<std::string> HookQdisc(std::uint32_t ifindex);

// The index of every device of this network namespace that has a clsact qdisc.
Result<std::vector<std::uint32_t>> ListClsactDevices();

}  // namespace natrix::loader
