// SPDX-License-Identifier: Apache-2.0
#include "loader/xdp_attacher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "loader/link_pins.h"

namespace natrix::loader {
namespace {

constexpr const char* kPinned = "xdp";
constexpr const char* kRefused = "noxdp";

// The device a link is on; 0 when it is gone.
Result<std::uint32_t> IfindexOf(int link_fd) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (const int err = bpf_link_get_info_by_fd(link_fd, &info, &size); err != 0)
    return Fail(err, "read link info");
  if (info.type != BPF_LINK_TYPE_XDP) return Fail("it is no XDP link");
  return info.xdp.ifindex;
}

// What runs on a device, whoever's it is.
struct Running {
  std::uint32_t native = 0;
  std::uint32_t generic = 0;
};
Running RunningOn(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return {};
  return {.native = query.drv_prog_id, .generic = query.skb_prog_id};
}

Error RefusedByKernel(int error, const XdpAttachment& wanted) {
  const char* kind = wanted.kind == XdpKind::kNative ? "native" : "generic";
  const Running running = RunningOn(wanted.ifindex);
  const std::uint32_t other = running.native != 0 ? running.native : running.generic;
  if ((error == EBUSY || error == EEXIST) && other != 0)
    return Error::FromErrno(error, fmt::format("another XDP program is on it (id {})", other));
  if (error == EOPNOTSUPP)
    return Error::FromErrno(error, fmt::format("its driver has no {} XDP", kind));
  return Error::FromErrno(error, fmt::format("its driver refuses {} XDP", kind));
}

}  // namespace

Result<> XdpAttacher::Adopt() {
  auto pins = ListLinkPins(*root_, {kPinned});
  if (!pins) return std::unexpected(std::move(pins).error());
  for (const auto& pin : *pins) {
    UniqueFd fd(bpf_obj_get(PinPath(pin.file).c_str()));
    if (!fd) return Fail(errno, "open " + PinPath(pin.file));
    const auto ifindex = IfindexOf(fd.get());
    if (!ifindex) return Fail(ifindex.error(), PinPath(pin.file));
    if (*ifindex != pin.ifindex) {
      // The device is gone, or went to another network namespace.
      if (unlink(PinPath(pin.file).c_str()) != 0) return Fail(errno, "remove " + pin.file);
      continue;
    }
    const bool generic = RunningOn(pin.ifindex).native == 0;
    links_[pin.ifindex] = {{.fd = std::move(fd), .pin = pin.file},
                           generic ? XdpKind::kGeneric : XdpKind::kNative};
  }
  return {};
}

Result<AttachOutcome> XdpAttacher::Attach(const XdpAttachment& wanted) {
  AttachOutcome outcome;
  const auto found = links_.find(wanted.ifindex);
  if (found != links_.end() && found->second.kind == wanted.kind) {
    Link& link = found->second;
    outcome.replaced = link.prog_fd != wanted.prog_fd;
    const auto alive = Update(link, wanted.prog_fd);
    if (!alive) return std::unexpected(alive.error());
    if (*alive) {
      auto kept = KeepLinkPinned(*root_, link, LinkPinName(wanted.name, wanted.ifindex, kPinned));
      if (!kept) return std::unexpected(std::move(kept).error());
      return outcome;
    }
  }
  // Native and generic cannot be there at a time.
  if (auto gone = Detach(wanted.ifindex); !gone) return std::unexpected(std::move(gone).error());
  if (auto made = Create(wanted); !made) return std::unexpected(std::move(made).error());
  return AttachOutcome{.created = true};
}

// false: the link's device is gone, or somebody detached it.
Result<bool> XdpAttacher::Update(Link& link, int prog_fd) {
  if (link.prog_fd == prog_fd) {
    const auto ifindex = IfindexOf(link.fd.get());
    if (!ifindex) return std::unexpected(ifindex.error());
    return *ifindex != 0;
  }
  const int err = bpf_link_update(link.fd.get(), prog_fd, nullptr);
  if (err == -ENOLINK) return false;
  if (err != 0) return Fail(err, "update XDP link");
  link.prog_fd = prog_fd;
  return true;
}

Result<> XdpAttacher::Create(const XdpAttachment& wanted) {
  LIBBPF_OPTS(bpf_link_create_opts, opts,
              .flags = static_cast<__u32>(wanted.kind == XdpKind::kNative ? XDP_FLAGS_DRV_MODE
                                                                          : XDP_FLAGS_SKB_MODE));
  Link link{{.fd = UniqueFd(
                 bpf_link_create(wanted.prog_fd, static_cast<int>(wanted.ifindex), BPF_XDP, &opts)),
             .pin = LinkPinName(wanted.name, wanted.ifindex, kPinned),
             .prog_fd = wanted.prog_fd},
            wanted.kind};
  if (!link.fd) return std::unexpected(RefusedByKernel(errno, wanted));
  if (auto pinned = PinLink(*root_, link); !pinned) return pinned;
  links_.insert_or_assign(wanted.ifindex, std::move(link));
  return {};
}

Result<> XdpAttacher::Detach(std::uint32_t ifindex) {
  const auto found = links_.find(ifindex);
  if (found == links_.end()) return {};
  if (auto gone = UnpinLink(*root_, found->second); !gone) return gone;
  links_.erase(found);  // the last reference: the kernel detaches
  return {};
}

std::vector<std::uint32_t> XdpAttacher::Attached() const {
  std::vector<std::uint32_t> devices;
  for (const auto& [ifindex, link] : links_) devices.push_back(ifindex);
  return devices;
}

// Symbolic links: a BPF file system holds nothing else of ours.
Result<> XdpAttacher::Record(const std::vector<Refusal>& refusals) const {
  auto pins = ListLinkPins(*root_, {kRefused});
  if (!pins) return std::unexpected(std::move(pins).error());
  std::map<std::string, std::string> wanted;
  for (const Refusal& refusal : refusals)
    wanted[LinkPinName(refusal.name, refusal.ifindex, kRefused)] = refusal.why;
  std::error_code ignored;
  for (const auto& pin : *pins) {
    const auto same = wanted.find(pin.file);
    if (same != wanted.end() &&
        std::filesystem::read_symlink(PinPath(pin.file), ignored) == same->second) {
      wanted.erase(same);
      continue;
    }
    if (unlink(PinPath(pin.file).c_str()) != 0) return Fail(errno, "remove " + pin.file);
  }
  for (const auto& [file, why] : wanted)
    if (symlink(why.c_str(), PinPath(file).c_str()) != 0)
      return Fail(errno, "create " + PinPath(file));
  return {};
}

Result<std::vector<XdpState>> ListXdp(const PinRoot& root) {
  auto pins = ListLinkPins(root, {kPinned, kRefused});
  if (!pins) return std::unexpected(std::move(pins).error());
  std::vector<XdpState> states;
  for (const auto& pin : *pins) {
    const std::string path = root.LinksDir() + "/" + pin.file;
    XdpState state{.ifindex = pin.ifindex, .mode = "refused"};
    if (pin.what == kRefused) {
      std::error_code ignored;
      state.why = std::filesystem::read_symlink(path, ignored).string();
    } else {
      const UniqueFd link(bpf_obj_get(path.c_str()));
      bpf_link_info info{};
      __u32 size = sizeof(info);
      if (!link || bpf_link_get_info_by_fd(link.get(), &info, &size) != 0 ||
          info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != pin.ifindex)
        continue;
      state.prog_id = info.prog_id;
      state.mode = RunningOn(pin.ifindex).native != 0 ? "native" : "generic";
    }
    states.push_back(std::move(state));
  }
  return states;
}

std::uint64_t XdpFeatures(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  return bpf_xdp_query(static_cast<int>(ifindex), 0, &query) == 0 ? query.feature_flags : 0;
}

}  // namespace natrix::loader
