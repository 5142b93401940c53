// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loader/cgroup_hooks.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"

namespace natrix::cli {

// Something that the configuration needs in the kernel, and whether it is there.
struct Part {
  std::string name;
  bool there = false;
  std::string state;  // the program there, or what is wrong
};

// A hook with the program it runs; 0: none.  `why` follows "MISSING".
Part ProgramPart(std::string name, std::uint32_t id, const std::string& why = {});

// These hooks of the root cgroup.
Result<std::vector<Part>> CgroupParts(const loader::PinRoot& root, loader::CgroupHookSet which);

nlohmann::ordered_json ToJson(const std::vector<Part>& parts);

}  // namespace natrix::cli
