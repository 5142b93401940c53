// SPDX-License-Identifier: Apache-2.0
#include "loader/pin_root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

namespace natrix::loader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBpfMountPoint = "/sys/fs/bpf";

// The path itself or the nearest directory above it that exists.
fs::path NearestExisting(fs::path path) {
  std::error_code ignored;
  while (path.has_relative_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

bool IsBpffs(const fs::path& path) {
  struct statfs info{};
  return statfs(path.c_str(), &info) == 0 &&
         static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

Result<> MountIfOurs(const std::string& path) {
  const fs::path nearest = NearestExisting(path);
  if (IsBpffs(nearest)) return {};
  std::error_code ignored;
  const bool below_mount_point = path.starts_with(std::string(kBpfMountPoint) + "/");
  if (!below_mount_point || nearest != kBpfMountPoint || !fs::is_empty(nearest, ignored)) {
    return Fail(
        fmt::format("{} is not on a BPF file system: mount one there "
                    "(mount -t bpf bpf {})",
                    path, below_mount_point ? kBpfMountPoint : nearest.c_str()));
  }
  if (mount("bpf", kBpfMountPoint, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    return Fail(errno, fmt::format("mount a BPF file system on {}", kBpfMountPoint));
  return {};
}

Result<> MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Fail(errno, "create " + path);
  return {};
}

}  // namespace

Result<> PinRoot::Prepare() const {
  if (auto mounted = MountIfOurs(path_); !mounted) return mounted;
  for (const auto& dir : {path_, MapsDir(), ProgsDir(), LinksDir()})
    if (auto made = MakeDirectory(dir); !made) return made;
  return {};
}

Result<bool> PinRoot::Exists() const {
  std::error_code error;
  const bool empty = fs::is_empty(MapsDir(), error);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error) return std::unexpected(Error(error, "open " + MapsDir()));
  return !empty;
}

Result<std::optional<int>> PinRoot::Layout() const {
  std::array<char, 32> text{};
  const ssize_t size = readlink((path_ + "/layout").c_str(), text.data(), text.size());
  if (size < 0 && errno == ENOENT) return std::optional<int>();
  if (size < 0) return Fail(errno, "read " + path_ + "/layout");
  int layout = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + size, layout);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + size)
    return Fail("read " + path_ + "/layout: not a number");
  return std::optional<int>(layout);
}

Result<> PinRoot::RecordLayout(int layout) const {
  const std::string path = path_ + "/layout";
  if (symlink(std::to_string(layout).c_str(), path.c_str()) != 0 && errno != EEXIST)
    return Fail(errno, "create " + path);
  return {};
}

Result<std::optional<PinRootLock>> PinRootLock::TryAcquire(const PinRoot& root) {
  // A `natrix detach` may remove the directory between our open and our flock; then the lock
  // would be on an inode that nobody else can find.
  for (int attempt = 0; attempt < 10; ++attempt) {
    UniqueFd fd(open(root.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return Fail(errno, "open " + root.path());
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::optional<PinRootLock>();
      return Fail(errno, "lock " + root.path());
    }
    PinRootLock lock(std::move(fd));
    if (lock.IsFor(root)) return std::optional<PinRootLock>(std::move(lock));
    if (auto made = root.Prepare(); !made) return std::unexpected(std::move(made).error());
  }
  return Fail("lock " + root.path() + ": the directory keeps being replaced");
}

Result<std::optional<PinRootLock>> PinRootLock::Acquire(const PinRoot& root,
                                                        std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto lock = TryAcquire(root);
    if (!lock || *lock || std::chrono::steady_clock::now() > until) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<bool> PinRootLock::IsHeld(const PinRoot& root) {
  const auto lock = TryAcquire(root);
  if (!lock) return std::unexpected(lock.error());
  return !lock->has_value();
}

bool PinRootLock::IsFor(const PinRoot& root) const {
  struct stat held{}, named{};
  return fstat(fd_.get(), &held) == 0 && stat(root.path().c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

std::optional<int> PinRootLock::HolderPid(const PinRoot& root) {
  struct stat named{};
  if (stat(root.path().c_str(), &named) != 0) return std::nullopt;
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(named.st_dev), minor(named.st_dev), named.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    // "1: FLOCK  ADVISORY  WRITE 6639 00:27:29000 0 EOF"
    int pid = 0;
    std::array<char, 64> file{};
    if (std::sscanf(line.c_str(), "%*d: FLOCK %*s WRITE %d %63s", &pid, file.data()) == 2 &&
        wanted == file.data() && pid > 0)
      return pid;
  }
  return std::nullopt;
}

}  // namespace natrix::loader
