// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <cstddef>
#include <map>
#include <string>

#include "loader/cgroup_hooks.h"
#include "loader/object.h"
#include "userspace/base/result.h"
#include "userspace/model/config.h"

namespace natrix::daemon {

// The hooks that see what processes call: for kubelet probes, for ports that no Service of IPVS
// mode has, for Services, host ports and floating IPs.  Present while the configuration has any of
// these.  A failure is logged once and tried again each time.
class ProcessHooks {
 public:
  // Takes up what an earlier process left.  All that is borrowed must outlive this.
  static Result<ProcessHooks> Create(const loader::PinRoot& root,
                                     const loader::ProgramFds& programs, spdlog::logger& log);

  // Leaves the hooks that `config` has no use for, and attaches those by which sockets hear: these
  // give back what others took, and do nothing before.  To be called before `config` is in force.
  void Prepare(const model::Config& config);
  // Attaches the others that it has a use for, once it is in force: all that were not there before,
  // or none of these and those.
  void Follow(const model::Config& config);

  std::size_t failed() const { return errors_.size(); }

 private:
  ProcessHooks(loader::CgroupHooks hooks, const loader::ProgramFds& programs, spdlog::logger& log)
      : hooks_(std::move(hooks)), programs_(programs), log_(log) {}
  void Attach(const char* step, loader::CgroupHookSet which);
  void WithdrawHearing();
  void Note(const std::string& step, const Result<>& done);

  loader::CgroupHooks hooks_;
  loader::ProgramFds programs_;
  spdlog::logger& log_;
  std::map<std::string, std::string> errors_;  // by step
  loader::AttachOutcome outcome_;              // of this round
};

}  // namespace natrix::daemon
