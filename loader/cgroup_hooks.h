// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/attacher.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

// The hooks that see the processes of the node connect: pinned links on the root of the cgroup
// hierarchy, links/cgroup-connect4 and links/cgroup-connect6.
namespace natrix::loader {

inline constexpr std::array<const char*, 2> kConnectPins = {"cgroup-connect4", "cgroup-connect6"};

// Where /proc/self/mounts (`mounts` is its text) says cgroup v2 is mounted, in its order.  More
// than one place when one of them is covered by a later mount.
std::vector<std::string> Cgroup2Mounts(std::string_view mounts);

// The root of the cgroup v2 hierarchy; nullopt when it is mounted nowhere that can be seen.
struct CgroupRoot {
  UniqueFd fd;
  std::string path;
};
Result<std::optional<CgroupRoot>> OpenCgroupRoot();

// The programs that the pinned links run, in the order of kConnectPins; 0 where there is none.
std::array<std::uint32_t, 2> ConnectPrograms(const PinRoot& root);

// Attaches there.  Beside the programs of others, who may do the same: each of them is asked.
class ConnectHooks {
 public:
  explicit ConnectHooks(const PinRoot& root) : root_(root) {}  // which must outlive this

  // Takes up what an earlier process attached.  Call once, before the rest.
  Result<> Adopt();
  // Makes both hooks have these programs, in the order of kConnectPins: replaced in place, without
  // a moment in which there is none.  Idempotent; repairs what is lost.
  Result<AttachOutcome> Attach(const std::array<int, 2>& prog_fds);
  // Returns whether there was anything.
  Result<bool> Detach();
  // Where; empty when nothing is attached.
  const std::string& path() const { return path_; }

 private:
  struct Link {
    UniqueFd fd;
    int prog_fd = -1;  // what this process last put there; -1: another process did
  };

  Result<AttachOutcome> AttachOne(std::size_t which, int prog_fd);
  Result<> Create(std::size_t which, int prog_fd);
  std::string PinPath(std::size_t which) const {
    return root_.LinksDir() + "/" + kConnectPins[which];
  }

  const PinRoot& root_;
  std::array<Link, 2> links_;
  std::string path_;
};

}  // namespace natrix::loader
