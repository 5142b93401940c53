// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/base/unique_fd.h"

namespace natrix::support {

// A network namespace with a mount namespace of its own: /sys shows its devices, /sys/fs/bpf is
// an empty bpffs, /run an empty tmpfs.  So several nodes with natrixd, pins and xtables locks run
// side by side.  The root of /sys/fs/cgroup is the cgroup that the test is in (own_cgroup.h).
//
// Held by file descriptors only: it has no name under /run/netns and is gone with the last of
// this object, its processes and its sockets, however this process ends.  Movable, not copyable.
class Namespace {
 public:
  // `name` is for messages only.  Throws SetupError.
  explicit Namespace(std::string name);

  const std::string& name() const { return name_; }
  int net_fd() const { return net_.get(); }
  int mount_fd() const { return mount_.get(); }
  // What the kernel calls it: the number in `ip netns`, /proc/self/ns/net, net->ns.inum.
  unsigned int inum() const { return inum_; }

  // setns(2) into both; for a forked child on its way to exec, and nothing else: a process cannot
  // come back from it.  False with errno set when it failed.
  bool EnterForExec() const;

 private:
  std::string name_;
  UniqueFd net_;
  UniqueFd mount_;
  unsigned int inum_ = 0;
};

// The calling thread works in `ns` (its network only) until this is destroyed: sockets opened
// meanwhile belong to `ns` for ever.
class [[nodiscard]] InNetwork {
 public:
  explicit InNetwork(const Namespace& ns);
  ~InNetwork();
  InNetwork(const InNetwork&) = delete;
  InNetwork& operator=(const InNetwork&) = delete;

 private:
  UniqueFd home_;
};

}  // namespace natrix::support
