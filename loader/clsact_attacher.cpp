// SPDX-License-Identifier: Apache-2.0
#include "loader/clsact_attacher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "loader/link_pins.h"

namespace natrix::loader {
namespace {

constexpr const char* kMade = "created";  // marker's target: we made the qdisc
constexpr const char* kFound = "found";   // it was there before us

bpf_tc_attach_point AttachPoint(Hook hook) {
  return hook == Hook::kIngress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

Result<std::uint32_t> ProgramId(int prog_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (const int err = bpf_prog_get_info_by_fd(prog_fd, &info, &size); err != 0)
    return Fail(err, "read program info");
  return info.id;
}

// true: the qdisc was made now.
Result<bool> EnsureQdisc(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int err = bpf_tc_hook_create(&hook);
  if (err == 0) return true;
  if (err != -EEXIST) return Fail(err, "create clsact qdisc (is module sch_ingress there?)");
  // An `ingress` qdisc takes a filter for egress without a word, and runs it at ingress.
  const auto kind = HookQdisc(ifindex);
  if (!kind) return std::unexpected(kind.error());
  if (*kind != "clsact")
    return Fail(
        fmt::format("it has a qdisc `{}`, which has no egress hook: replace it by clsact", *kind));
  return false;
}

// What our filter of that hook runs; 0 when there is none.
Result<std::uint32_t> RunningProgram(std::uint32_t ifindex, Hook hook) {
  auto filters = ListFilters(ifindex, hook);
  if (!filters) return std::unexpected(std::move(filters).error());
  const auto ours = std::ranges::find_if(*filters, &TcFilter::IsOurs);
  return ours == filters->end() ? 0 : ours->prog_id;
}

Result<> PutFilter(std::uint32_t ifindex, Hook hook, int prog_fd) {
  LIBBPF_OPTS(bpf_tc_hook, tc_hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = AttachPoint(hook));
  LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE,
              .handle = kFilterHandle, .priority = kFilterPriority);
  if (const int err = bpf_tc_attach(&tc_hook, &opts); err != 0)
    return Fail(err, "attach tc filter");
  return {};
}

}  // namespace

Result<> ClsactAttacher::Adopt() {
  auto pins = ListLinkPins(root_);
  if (!pins) return std::unexpected(std::move(pins).error());
  for (const auto& pin : *pins)
    if (pin.what == "clsact") devices_.insert(pin.ifindex);
  return {};
}

Result<AttachOutcome> ClsactAttacher::Attach(const Attachment& wanted) {
  auto made = EnsureQdisc(wanted.ifindex);
  if (!made) return Fail(std::move(made).error(), wanted.name);
  if (auto recorded = RecordDevice(wanted, *made); !recorded)
    return std::unexpected(std::move(recorded).error());
  devices_.insert(wanted.ifindex);

  AttachOutcome outcome;
  for (const Hook hook : kHooks) {
    if (wanted.fd(hook) < 0) continue;
    const auto running = RunningProgram(wanted.ifindex, hook);
    const auto id = ProgramId(wanted.fd(hook));
    if (!running) return Fail(running.error(), wanted.name);
    if (!id) return Fail(id.error(), wanted.name);
    if (*running == *id) continue;
    if (auto put = PutFilter(wanted.ifindex, hook, wanted.fd(hook)); !put)
      return Fail(std::move(put).error(), fmt::format("{} {}", wanted.name, HookName(hook)));
    (*running == 0 ? outcome.created : outcome.replaced) = true;
  }
  return outcome;
}

// Writes or renames the marker.  A qdisc that we made stays ours when somebody deletes it and we
// make it again.
Result<> ClsactAttacher::RecordDevice(const Attachment& wanted, bool created_qdisc) const {
  const std::string name = LinkPinName(wanted.name, wanted.ifindex, "clsact");
  const std::string path = root_.LinksDir() + "/" + name;
  auto pins = ListLinkPins(root_);
  if (!pins) return std::unexpected(std::move(pins).error());
  for (const auto& pin : *pins) {
    if (pin.ifindex != wanted.ifindex || pin.what != "clsact") continue;
    const std::string old = root_.LinksDir() + "/" + pin.file;
    if (!created_qdisc) {
      if (pin.file == name) return {};
      if (rename(old.c_str(), path.c_str()) != 0) return Fail(errno, "rename " + old);
      return {};
    }
    if (unlink(old.c_str()) != 0) return Fail(errno, "remove " + old);
  }
  if (symlink(created_qdisc ? kMade : kFound, path.c_str()) != 0)
    return Fail(errno, "create " + path);
  return {};
}

Result<> ClsactAttacher::Detach(std::uint32_t ifindex) {
  auto pins = ListLinkPins(root_);
  if (!pins) return std::unexpected(std::move(pins).error());
  for (const auto& pin : *pins) {
    if (pin.ifindex != ifindex || pin.what != "clsact") continue;
    const std::string path = root_.LinksDir() + "/" + pin.file;
    std::error_code ignored;
    const bool made = std::filesystem::read_symlink(path, ignored) == kMade;
    auto removed = RemoveClsact(ifindex, made);
    if (!removed) return Fail(std::move(removed).error(), pin.device);
    if (unlink(path.c_str()) != 0) return Fail(errno, "remove " + path);
  }
  devices_.erase(ifindex);
  return {};
}

Result<int> ClsactAttacher::RemoveOtherMethod() {
  auto pins = ListLinkPins(root_);
  if (!pins) return std::unexpected(std::move(pins).error());
  int removed = 0;
  for (const auto& pin : *pins) {
    if (pin.what == "clsact") continue;
    const std::string path = root_.LinksDir() + "/" + pin.file;
    if (unlink(path.c_str()) != 0) return Fail(errno, "remove " + path);
    ++removed;
  }
  return removed;
}

std::vector<std::uint32_t> ClsactAttacher::Attached() const {
  return {devices_.begin(), devices_.end()};
}

Result<int> RemoveClsact(std::uint32_t ifindex, bool made_qdisc) {
  int removed = 0;
  bool others = false;
  for (const Hook hook : kHooks) {
    auto filters = ListFilters(ifindex, hook);
    if (!filters) return std::unexpected(std::move(filters).error());
    for (const auto& filter : *filters) {
      if (!filter.IsOurs()) {
        others = true;
        continue;
      }
      LIBBPF_OPTS(bpf_tc_hook, tc_hook, .ifindex = static_cast<int>(ifindex),
                  .attach_point = AttachPoint(hook));
      LIBBPF_OPTS(bpf_tc_opts, opts, .handle = kFilterHandle, .priority = kFilterPriority);
      const int err = bpf_tc_detach(&tc_hook, &opts);
      if (err != 0 && err != -ENOENT) return Fail(err, "remove tc filter");
      ++removed;
    }
  }
  if (!made_qdisc || others) return removed;
  LIBBPF_OPTS(bpf_tc_hook, tc_hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int err = bpf_tc_hook_destroy(&tc_hook);
  // Gone already, with its device or by another's hand.
  if (err != 0 && err != -ENOENT && err != -EINVAL && err != -ENODEV)
    return Fail(err, "remove clsact qdisc");
  return removed;
}

}  // namespace natrix::loader
