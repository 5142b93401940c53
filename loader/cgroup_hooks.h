// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/attacher.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

// The hooks that see processes call: pinned links on the root of the cgroup hierarchy,
// links/cgroup-connect4 and so on.
namespace natrix::loader {

struct CgroupHook {
  const char* name;  // as in the pin's, behind "cgroup-"
  bpf_attach_type type;
};
inline constexpr std::array<CgroupHook, 8> kCgroupHooks = {{
    {"connect4", BPF_CGROUP_INET4_CONNECT},
    {"connect6", BPF_CGROUP_INET6_CONNECT},
    {"sendmsg4", BPF_CGROUP_UDP4_SENDMSG},
    {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG},
    {"recvmsg4", BPF_CGROUP_UDP4_RECVMSG},
    {"recvmsg6", BPF_CGROUP_UDP6_RECVMSG},
    {"getpeername4", BPF_CGROUP_INET4_GETPEERNAME},
    {"getpeername6", BPF_CGROUP_INET6_GETPEERNAME},
}};
// Some of them, and a number for each, in their order.
using CgroupHookSet = std::bitset<kCgroupHooks.size()>;
template <typename T>
using PerCgroupHook = std::array<T, kCgroupHooks.size()>;

inline constexpr CgroupHookSet kConnectHooks{0b11};
inline constexpr CgroupHookSet kHearHooks{0b11110000};  // those that only give back what was taken
inline constexpr CgroupHookSet kAllCgroupHooks{0xff};

// Where /proc/self/mounts (`mounts` is its text) says cgroup v2 is mounted, in its order.  More
// than one place when one of them is covered by a later mount.
std::vector<std::string> Cgroup2Mounts(std::string_view mounts);

// The root of the cgroup v2 hierarchy; nullopt when it is mounted nowhere that can be seen.
struct CgroupRoot {
  UniqueFd fd;
  std::string path;
};
Result<std::optional<CgroupRoot>> OpenCgroupRoot();

// The file of a hook's pinned link.
std::string CgroupPinPath(const PinRoot& root, const CgroupHook& hook);

// The programs that the pinned links run; 0 where there is none.
PerCgroupHook<std::uint32_t> CgroupPrograms(const PinRoot& root);

// The program of a cgroup's hook that lets no other in (attached without BPF_F_ALLOW_MULTI).
std::optional<std::uint32_t> SoleProgram(int cgroup_fd, bpf_attach_type hook);

// Attaches there.  Beside the programs of others, who may do the same: each of them is asked.
class CgroupHooks {
 public:
  explicit CgroupHooks(const PinRoot& root) : root_(root) {}  // which must outlive this

  // Takes up what an earlier process attached.  Call once, before the rest.
  Result<> Adopt();
  // Whether nobody keeps us out of these.
  Result<> AreFree(CgroupHookSet which) const;
  // Makes these hooks have their programs: replaced in place, without a moment in which there is
  // none.  Idempotent; repairs what is lost.  When one fails, those that had none have none.
  Result<AttachOutcome> Attach(CgroupHookSet which, const PerCgroupHook<int>& prog_fds);
  // Leaves these hooks.  Returns those that were attached.
  Result<CgroupHookSet> Detach(CgroupHookSet which);
  // Those that have a program of ours.
  CgroupHookSet Attached() const;
  // Where this process attached one last.
  const std::string& path() const { return path_; }

 private:
  struct Link {
    UniqueFd fd;
    int prog_fd = -1;  // what this process last put there; -1: another process did
  };

  Result<AttachOutcome> AttachOne(std::size_t which, int prog_fd);
  Result<> Create(std::size_t which, int prog_fd);
  std::string PinPath(std::size_t which) const { return CgroupPinPath(root_, kCgroupHooks[which]); }

  const PinRoot& root_;
  PerCgroupHook<Link> links_;
  std::string path_;
};

}  // namespace natrix::loader
