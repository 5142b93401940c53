// SPDX-License-Identifier: Apache-2.0
#include "loader/pinned_link.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace natrix::loader {
namespace {

std::string PathOf(const PinRoot& root, const std::string& pin) {
  return root.LinksDir() + "/" + pin;
}

Result<> PinAs(const PinRoot& root, const PinnedLink& link, const std::string& name) {
  const std::string path = PathOf(root, name);
  if (const int err = bpf_obj_pin(link.fd.get(), path.c_str()); err != 0)
    return Fail(err, "pin " + path);
  return {};
}

}  // namespace

Result<> PinLink(const PinRoot& root, const PinnedLink& link) {
  if (auto gone = UnpinLink(root, link); !gone) return gone;
  return PinAs(root, link, link.pin);
}

Result<> KeepLinkPinned(const PinRoot& root, PinnedLink& link, const std::string& name) {
  if (access(PathOf(root, link.pin).c_str(), F_OK) != 0) {
    if (auto pinned = PinAs(root, link, name); !pinned) return pinned;
    link.pin = name;
  }
  if (link.pin == name) return {};
  if (rename(PathOf(root, link.pin).c_str(), PathOf(root, name).c_str()) != 0)
    return Fail(errno, fmt::format("rename {} to {}", link.pin, name));
  link.pin = name;
  return {};
}

Result<> UnpinLink(const PinRoot& root, const PinnedLink& link) {
  const std::string path = PathOf(root, link.pin);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Fail(errno, "remove " + path);
  return {};
}

}  // namespace natrix::loader
