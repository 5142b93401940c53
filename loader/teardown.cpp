// SPDX-License-Identifier: Apache-2.0
#include "loader/teardown.h"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <vector>

#include "loader/cgroup_hooks.h"
#include "loader/clsact_attacher.h"
#include "loader/link_pins.h"
#include "loader/tc_filter.h"

namespace natrix::loader {
namespace {

namespace fs = std::filesystem;

// Unlinks all files of a directory of ours, then the directory.  Returns how many files.
Result<int> Clear(const std::string& dir) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(dir, error), end; !error && entry != end;
       entry.increment(error))
    files.push_back(entry->path());
  if (error == std::errc::no_such_file_or_directory) return 0;
  if (error) return std::unexpected(Error(error, "list " + dir));
  for (const auto& file : files)
    if (unlink(file.c_str()) != 0) return Fail(errno, "remove " + file.string());
  if (rmdir(dir.c_str()) != 0) return Fail(errno, "remove " + dir);
  return static_cast<int>(files.size());
}

// Our filters wherever they are: the pins that tell where may have gone with bpffs.
Result<int> RemoveFilters(const PinRoot& root, const std::vector<LinkPin>& pins) {
  std::map<std::uint32_t, bool> made;
  std::error_code ignored;
  for (const auto& pin : pins)
    if (pin.what == "clsact")
      made[pin.ifindex] = fs::read_symlink(root.LinksDir() + "/" + pin.file, ignored) == "created";
  auto devices = ListClsactDevices();
  if (!devices) return std::unexpected(std::move(devices).error());
  int removed = 0;
  for (const std::uint32_t ifindex : *devices) {
    auto filters = RemoveClsact(ifindex, made[ifindex]);
    if (!filters) return Fail(std::move(filters).error(), "device " + std::to_string(ifindex));
    removed += *filters;
  }
  return removed;
}

}  // namespace

Result<Removed> RemoveAll(const PinRoot& root) {
  Removed removed;
  auto pins = ListLinkPins(root);
  if (!pins) return std::unexpected(std::move(pins).error());
  auto filters = RemoveFilters(root, *pins);
  if (!filters) return std::unexpected(std::move(filters).error());
  removed.filters = *filters;
  auto xdp = ListLinkPins(root, {"xdp"});
  if (!xdp) return std::unexpected(std::move(xdp).error());
  removed.links = static_cast<int>(xdp->size());
  for (const auto& pin : *pins) removed.links += pin.what == "clsact" ? 0 : 1;
  for (const CgroupHook& hook : kCgroupHooks)
    removed.links += access(CgroupPinPath(root, hook).c_str(), F_OK) == 0 ? 1 : 0;

  for (const auto& [dir, count] :
       {std::pair{root.LinksDir(), static_cast<int*>(nullptr)},
        std::pair{root.ProgsDir(), &removed.programs}, std::pair{root.MapsDir(), &removed.maps}}) {
    auto cleared = Clear(dir);
    if (!cleared) return std::unexpected(std::move(cleared).error());
    if (count != nullptr) *count = *cleared;
  }
  const std::string layout = root.path() + "/layout";
  if (unlink(layout.c_str()) != 0 && errno != ENOENT) return Fail(errno, "remove " + layout);
  // A file of somebody else in our directory keeps the directory; that is theirs to decide.
  if (rmdir(root.path().c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY)
    return Fail(errno, "remove " + root.path());
  return removed;
}

}  // namespace natrix::loader
