// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <string>

#include "loader/cgroup_hooks.h"
#include "loader/object.h"
#include "userspace/base/result.h"
#include "userspace/model/config.h"

namespace natrix::daemon {

// The hooks that see what processes call: for kubelet probes, for ports that no Service of IPVS
// mode has, for Services.  Present while the configuration has any of these.  A failure is logged
// once and tried again each time.
class ProcessHooks {
 public:
  // Takes up what an earlier process left.  All that is borrowed must outlive this.
  static Result<ProcessHooks> Create(const loader::PinRoot& root,
                                     const loader::ProgramFds& programs, spdlog::logger& log);

  // Leaves the hooks that `config` has no use for.  To be called before what they act on is gone.
  void Leave(const model::Config& config);
  // Attaches those that it has, once all they act on is there.
  void Follow(const model::Config& config);

  bool failed() const { return !error_.empty(); }

 private:
  ProcessHooks(loader::CgroupHooks hooks, const loader::ProgramFds& programs, spdlog::logger& log)
      : hooks_(std::move(hooks)), programs_(programs), log_(log) {}
  void Note(const Result<>& done);

  loader::CgroupHooks hooks_;
  loader::ProgramFds programs_;
  spdlog::logger& log_;
  std::string error_;
};

}  // namespace natrix::daemon
