// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace natrix::loader {

// The directory on a BPF file system under which everything of ours is pinned.
class PinRoot {
 public:
  explicit PinRoot(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string MapsDir() const { return path_ + "/maps"; }
  std::string ProgsDir() const { return path_ + "/progs"; }
  std::string LinksDir() const { return path_ + "/links"; }
  std::string MapPath(const std::string& map) const { return MapsDir() + "/" + map; }
  std::string ProgPath(const std::string& prog) const { return ProgsDir() + "/" + prog; }

  // Makes the directories.  Mounts a BPF file system on /sys/fs/bpf when the path lies there, the
  // directory is empty and nothing is mounted; any other missing mount is an error that says how
  // to make it.
  Result<> Prepare() const;

  // Whether anything of ours is pinned here.
  Result<bool> Exists() const;

  // The map layout (NX_LAYOUT) of what is pinned; nullopt when nothing is.  Kept as the target
  // of a symbolic link: the one thing beside BPF objects that bpffs can hold.
  Result<std::optional<int>> Layout() const;
  Result<> RecordLayout(int layout) const;

 private:
  std::string path_;
};

// Holds a pin root for one process: flock on the directory.  The kernel drops it with the process.
class PinRootLock {
 public:
  // nullopt: somebody else holds it, and did not let go within `patience`.
  static Result<std::optional<PinRootLock>> Acquire(const PinRoot& root,
                                                    std::chrono::milliseconds patience);
  // Whether somebody holds it.  Holds it itself for a moment to find out.
  static Result<bool> IsHeld(const PinRoot& root);
  // Whether it is the lock of what is at that path now: a mount may have covered the directory.
  bool IsFor(const PinRoot& root) const;
  // Who holds it; nullopt when nobody does or it cannot be seen (/proc/locks).
  static std::optional<int> HolderPid(const PinRoot& root);

 private:
  static Result<std::optional<PinRootLock>> TryAcquire(const PinRoot& root);
  explicit PinRootLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace natrix::loader
