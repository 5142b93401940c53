// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/hook_status.h"

#include <fmt/format.h>

#include <utility>

namespace natrix::cli {

Part ProgramPart(std::string name, std::uint32_t id, const std::string& why) {
  return {.name = std::move(name),
          .there = id != 0,
          .state = id != 0 ? fmt::format("prog {}", id) : "MISSING" + why};
}

Result<std::vector<Part>> CgroupParts(const loader::PinRoot& root, loader::CgroupHookSet which) {
  const auto cgroup = loader::OpenCgroupRoot();
  if (!cgroup) return std::unexpected(cgroup.error());
  const auto why = [&](const loader::CgroupHook& hook) -> std::string {
    if (!*cgroup) return ": no cgroup v2 file system is mounted";
    const auto alone = loader::SoleProgram((*cgroup)->fd.get(), hook.type);
    return alone ? fmt::format(": program {} is there, and lets no other in", *alone) : "";
  };
  const auto programs = loader::CgroupPrograms(root);
  std::vector<Part> parts;
  for (std::size_t i = 0; i < which.size(); ++i)
    if (which[i])
      parts.push_back(ProgramPart(fmt::format("cgroup {}", loader::kCgroupHooks[i].name),
                                  programs[i],
                                  programs[i] != 0 ? "" : why(loader::kCgroupHooks[i])));
  return parts;
}

nlohmann::ordered_json ToJson(const std::vector<Part>& parts) {
  auto list = nlohmann::ordered_json::array();
  for (const Part& part : parts)
    list.push_back({{"name", part.name}, {"there", part.there}, {"state", part.state}});
  return list;
}

}  // namespace natrix::cli
