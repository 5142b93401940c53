// SPDX-License-Identifier: Apache-2.0
#include "loader/tcx_attacher.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "loader/clsact_attacher.h"
#include "loader/link_pins.h"

namespace natrix::loader {
namespace {

bpf_attach_type AttachType(Hook hook) {
  return hook == Hook::kIngress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
}

// The device a link is on; 0 when it is gone.
Result<std::uint32_t> IfindexOf(int link_fd) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (const int err = bpf_link_get_info_by_fd(link_fd, &info, &size); err != 0)
    return Fail(err, "read link info");
  if (info.type != BPF_LINK_TYPE_TCX) return Fail("it is no tcx link");
  return info.tcx.ifindex;
}

}  // namespace

Result<> TcxAttacher::Adopt() {
  auto pins = ListLinkPins(root_);
  if (!pins) return std::unexpected(std::move(pins).error());
  for (auto& pin : *pins) {
    if (pin.what == "clsact") continue;
    UniqueFd fd(bpf_obj_get(PinPath(pin.file).c_str()));
    if (!fd) return Fail(errno, "open " + PinPath(pin.file));
    const auto ifindex = IfindexOf(fd.get());
    if (!ifindex) return Fail(ifindex.error(), PinPath(pin.file));
    if (*ifindex != pin.ifindex) {
      // The device is gone, or went to another network namespace.
      if (unlink(PinPath(pin.file).c_str()) != 0) return Fail(errno, "remove " + pin.file);
      continue;
    }
    const Hook hook = pin.what == "ingress" ? Hook::kIngress : Hook::kEgress;
    links_[{pin.ifindex, hook}] = {.fd = std::move(fd), .pin = pin.file};
  }
  return {};
}

Result<AttachOutcome> TcxAttacher::Attach(const Attachment& wanted) {
  AttachOutcome outcome;
  for (const Hook hook : kHooks) {
    if (wanted.fd(hook) < 0) continue;
    auto done = AttachHook(wanted, hook);
    if (!done)
      return Fail(std::move(done).error(), fmt::format("{} {}", wanted.name, HookName(hook)));
    outcome.created |= done->created;
    outcome.replaced |= done->replaced;
  }
  return outcome;
}

Result<AttachOutcome> TcxAttacher::AttachHook(const Attachment& wanted, Hook hook) {
  AttachOutcome outcome;
  if (const auto found = links_.find({wanted.ifindex, hook}); found != links_.end()) {
    PinnedLink& link = found->second;
    outcome.replaced = link.prog_fd != wanted.fd(hook);
    auto alive = Update(link, wanted.fd(hook));
    if (!alive) return std::unexpected(std::move(alive).error());
    if (*alive) {
      auto kept =
          KeepLinkPinned(root_, link, LinkPinName(wanted.name, wanted.ifindex, HookName(hook)));
      if (!kept) return std::unexpected(std::move(kept).error());
      return outcome;
    }
    unlink(PinPath(link.pin).c_str());
    links_.erase(found);
  }
  if (auto created = Create(wanted, hook); !created)
    return std::unexpected(std::move(created).error());
  return AttachOutcome{.created = true};
}

// false: the link's device is gone.
Result<bool> TcxAttacher::Update(PinnedLink& link, int prog_fd) {
  if (link.prog_fd == prog_fd) {
    const auto ifindex = IfindexOf(link.fd.get());
    if (!ifindex) return std::unexpected(ifindex.error());
    return *ifindex != 0;
  }
  const int err = bpf_link_update(link.fd.get(), prog_fd, nullptr);
  if (err == -ENOLINK) return false;
  if (err != 0) return Fail(err, "update tcx link");
  link.prog_fd = prog_fd;
  return true;
}

Result<> TcxAttacher::Create(const Attachment& wanted, Hook hook) {
  LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = BPF_F_AFTER);
  const int ifindex = static_cast<int>(wanted.ifindex);
  PinnedLink link{
      .fd = UniqueFd(bpf_link_create(wanted.fd(hook), ifindex, AttachType(hook), &opts)),
      .pin = LinkPinName(wanted.name, wanted.ifindex, HookName(hook)),
      .prog_fd = wanted.fd(hook)};
  if (!link.fd) return Fail(errno, "create tcx link");
  if (auto pinned = PinLink(root_, link); !pinned) return pinned;
  links_.insert_or_assign({wanted.ifindex, hook}, std::move(link));
  return {};
}

Result<> TcxAttacher::Detach(std::uint32_t ifindex) {
  for (const Hook hook : kHooks) {
    const auto found = links_.find({ifindex, hook});
    if (found == links_.end()) continue;
    if (auto gone = UnpinLink(root_, found->second); !gone) return gone;
    links_.erase(found);  // the last reference: the kernel detaches
  }
  return {};
}

Result<int> TcxAttacher::RemoveOtherMethod() {
  ClsactAttacher other(root_);
  if (auto adopted = other.Adopt(); !adopted) return std::unexpected(std::move(adopted).error());
  const auto devices = other.Attached();
  for (const std::uint32_t ifindex : devices)
    if (auto done = other.Detach(ifindex); !done) return std::unexpected(std::move(done).error());
  return static_cast<int>(devices.size());
}

std::vector<std::uint32_t> TcxAttacher::Attached() const {
  std::vector<std::uint32_t> devices;
  for (const auto& [key, link] : links_)
    if (devices.empty() || devices.back() != key.first) devices.push_back(key.first);
  return devices;
}

}  // namespace natrix::loader
