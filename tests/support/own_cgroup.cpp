// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_cgroup.h"

#include <fmt/core.h>
#include <unistd.h>

#include "tests/support/process.h"

namespace natrix::support {
namespace {

Argv MoveTo(const std::string& cgroup) {
  return {"sh", "-c", fmt::format("echo {} >{}/cgroup.procs", ::getpid(), cgroup)};
}

}  // namespace

OwnCgroup::OwnCgroup()
    : outer_("cgroup"), path_(fmt::format("/sys/fs/cgroup/natrix-test-{}", ::getpid())) {
  RunCommand(&outer_, {"mkdir", "-p", path_});
  RunCommand(&outer_, MoveTo(path_));
}

// What still runs in it keeps the directory, which is empty of effects then.
OwnCgroup::~OwnCgroup() {
  TryCommand(&outer_, MoveTo("/sys/fs/cgroup"));
  TryCommand(&outer_, {"rmdir", path_});
}

}  // namespace natrix::support
