// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/attached.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <optional>
#include <string>

#include "loader/tc_filter.h"
#include "userspace/base/unique_fd.h"

namespace natrix::cli {
namespace {

using loader::Hook;

// The program a pinned tcx link runs and where; nullopt when it is gone or of another kind.
std::optional<bpf_link_info> LinkAt(const std::string& path) {
  const UniqueFd link(bpf_obj_get(path.c_str()));
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (!link || bpf_link_get_info_by_fd(link.get(), &info, &size) != 0) return std::nullopt;
  if (info.type != BPF_LINK_TYPE_TCX) return std::nullopt;
  return info;
}

}  // namespace

std::string ProgramText(std::uint32_t id) {
  if (id == 0) return "MISSING";
  const UniqueFd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &size) != 0)
    return fmt::format("prog {}", id);
  return fmt::format("prog {} {}", id, info.name);
}

Result<> AddAttached(const loader::PinRoot& root, const loader::LinkPin& pin, ProgramIds& ids) {
  if (pin.what != "clsact") {
    const auto info = LinkAt(root.LinksDir() + "/" + pin.file);
    if (info && info->tcx.ifindex == pin.ifindex)
      ids[pin.what == "ingress" ? 0 : 1] = info->prog_id;
    return {};
  }
  for (const Hook hook : loader::kHooks) {
    const auto filters = loader::ListFilters(pin.ifindex, hook);
    if (!filters) return std::unexpected(filters.error());
    for (const auto& filter : *filters)
      if (filter.IsOurs()) ids[hook == Hook::kIngress ? 0 : 1] = filter.prog_id;
  }
  return {};
}

}  // namespace natrix::cli
