// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/support/namespace.h"

namespace natrix::support {

// While it lives, this process, what it starts and the sockets it opens are in a cgroup of their
// own, which a Namespace made meanwhile has as the root of /sys/fs/cgroup: a natrixd in there sees
// nobody else on the machine call.  One at a time; throws SetupError.
class [[nodiscard]] OwnCgroup {
 public:
  OwnCgroup();
  ~OwnCgroup();
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;

 private:
  Namespace outer_;  // whose root is where we were before
  std::string path_;
};

}  // namespace natrix::support
