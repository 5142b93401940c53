// SPDX-License-Identifier: Apache-2.0
#include "loader/cgroup_hooks.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "userspace/base/file.h"

namespace natrix::loader {
namespace {

constexpr std::size_t kMostMounts = std::size_t{4} << 20;  // bytes

// A field of a line of /proc/self/mounts: " \t\n\\" are written as three octal digits.
std::string Unescape(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const auto octal = [&](std::size_t at) { return field[at] >= '0' && field[at] <= '7'; };
    if (field[i] == '\\' && i + 3 < field.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 +
                                (field[i + 3] - '0'));
      i += 3;
      continue;
    }
    text += field[i];
  }
  return text;
}

std::string_view TakeField(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

// The program of a link on a cgroup that is there; 0 otherwise.
std::uint32_t ProgramOf(int link_fd) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (bpf_link_get_info_by_fd(link_fd, &info, &size) != 0) return 0;
  if (info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id == 0) return 0;
  return info.prog_id;
}

}  // namespace

std::vector<std::string> Cgroup2Mounts(std::string_view mounts) {
  std::vector<std::string> places;
  while (!mounts.empty()) {
    const std::size_t end = std::min(mounts.find('\n'), mounts.size());
    std::string_view line = mounts.substr(0, end);
    mounts.remove_prefix(std::min(end + 1, mounts.size()));
    TakeField(line);  // the device: any word
    const std::string_view place = TakeField(line);
    if (TakeField(line) == "cgroup2") places.push_back(Unescape(place));
  }
  return places;
}

Result<std::optional<CgroupRoot>> OpenCgroupRoot() {
  const auto mounts = ReadFile("/proc/self/mounts", kMostMounts);
  if (!mounts) return std::unexpected(mounts.error());
  for (const std::string& path : Cgroup2Mounts(*mounts)) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct statfs info{};
    if (!fd || fstatfs(fd.get(), &info) != 0) continue;
    if (info.f_type != CGROUP2_SUPER_MAGIC) continue;  // covered by another mount
    return CgroupRoot{.fd = std::move(fd), .path = path};
  }
  return std::optional<CgroupRoot>();
}

std::string CgroupPinPath(const PinRoot& root, const CgroupHook& hook) {
  return root.LinksDir() + "/cgroup-" + hook.name;
}

PerCgroupHook<std::uint32_t> CgroupPrograms(const PinRoot& root) {
  PerCgroupHook<std::uint32_t> ids{};
  for (std::size_t i = 0; i < kCgroupHooks.size(); ++i) {
    const UniqueFd link(bpf_obj_get(CgroupPinPath(root, kCgroupHooks[i]).c_str()));
    if (link) ids[i] = ProgramOf(link.get());
  }
  return ids;
}

std::optional<std::uint32_t> SoleProgram(int cgroup_fd, bpf_attach_type hook) {
  __u32 flags = 0, id = 0, count = 1;
  if (bpf_prog_query(cgroup_fd, hook, 0, &flags, &id, &count) != 0 || count == 0 ||
      (flags & BPF_F_ALLOW_MULTI) != 0)
    return std::nullopt;
  return id;
}

CgroupHookSet CgroupHooks::Attached() const {
  CgroupHookSet attached;
  for (std::size_t i = 0; i < links_.size(); ++i)
    attached[i] = links_[i].fd && ProgramOf(links_[i].fd.get()) != 0;
  return attached;
}

Result<> CgroupHooks::Adopt() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].fd.Reset(bpf_obj_get(PinPath(i).c_str()));
    if (!links_[i].fd && errno != ENOENT) return Fail(errno, "open " + PinPath(i));
  }
  return {};
}

Result<> CgroupHooks::AreFree(CgroupHookSet which) const {
  const auto cgroup = OpenCgroupRoot();
  if (!cgroup) return std::unexpected(cgroup.error());
  const CgroupHookSet asked = *cgroup ? which & ~Attached() : CgroupHookSet();
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!asked[i]) continue;
    if (const auto alone = SoleProgram((*cgroup)->fd.get(), kCgroupHooks[i].type))
      return Fail(std::string(kCgroupHooks[i].name) + ": program " + std::to_string(*alone) +
                  " on " + (*cgroup)->path + " lets no other in (no BPF_F_ALLOW_MULTI)");
  }
  return {};
}

Result<AttachOutcome> CgroupHooks::Attach(CgroupHookSet which, const PerCgroupHook<int>& prog_fds) {
  AttachOutcome outcome;
  CgroupHookSet created;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (!which[i]) continue;
    auto done = AttachOne(i, prog_fds[i]);
    if (!done) {
      const auto undone = Detach(created);
      if (!undone) return Fail(std::move(done).error(), undone.error().ToString());
      return Fail(std::move(done).error(), kCgroupHooks[i].name);
    }
    created[i] = done->created;
    outcome.created |= done->created;
    outcome.replaced |= done->replaced;
  }
  return outcome;
}

Result<AttachOutcome> CgroupHooks::AttachOne(std::size_t which, int prog_fd) {
  Link& link = links_[which];
  if (!link.fd || ProgramOf(link.fd.get()) == 0) {
    if (auto created = Create(which, prog_fd); !created)
      return std::unexpected(std::move(created).error());
    return AttachOutcome{.created = true};
  }
  AttachOutcome outcome{.replaced = link.prog_fd != prog_fd};
  if (outcome.replaced) {
    if (const int err = bpf_link_update(link.fd.get(), prog_fd, nullptr); err != 0)
      return Fail(err, "update link");
    link.prog_fd = prog_fd;
  }
  // Somebody may have removed the pin, or unmounted what it was in.
  if (access(PinPath(which).c_str(), F_OK) != 0)
    if (const int err = bpf_obj_pin(link.fd.get(), PinPath(which).c_str()); err != 0)
      return Fail(err, "pin " + PinPath(which));
  return outcome;
}

Result<> CgroupHooks::Create(std::size_t which, int prog_fd) {
  auto cgroup = OpenCgroupRoot();
  if (!cgroup) return std::unexpected(std::move(cgroup).error());
  if (!*cgroup)
    return Fail(
        "no cgroup v2 file system is mounted, so that nobody sees what processes call\n"
        "  = help: mount -t cgroup2 cgroup2 /sys/fs/cgroup, or anywhere else");
  UniqueFd fd(bpf_link_create(prog_fd, (*cgroup)->fd.get(), kCgroupHooks[which].type, nullptr));
  if (!fd) return Fail(errno, "create link on " + (*cgroup)->path);
  const std::string path = PinPath(which);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Fail(errno, "remove " + path);
  if (const int err = bpf_obj_pin(fd.get(), path.c_str()); err != 0)
    return Fail(err, "pin " + path);
  links_[which] = {.fd = std::move(fd), .prog_fd = prog_fd};
  path_ = (*cgroup)->path;
  return {};
}

Result<CgroupHookSet> CgroupHooks::Detach(CgroupHookSet which) {
  CgroupHookSet left;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (!which[i] || !links_[i].fd) continue;
    if (unlink(PinPath(i).c_str()) != 0 && errno != ENOENT)
      return Fail(errno, "remove " + PinPath(i));
    links_[i] = {};  // the last reference: the kernel detaches
    left.set(i);
  }
  return left;
}

}  // namespace natrix::loader
