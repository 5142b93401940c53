// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "loader/attacher.h"
#include "loader/object.h"
#include "userspace/base/netlink.h"
#include "userspace/base/result.h"
#include "userspace/daemon/repair_brake.h"
#include "userspace/model/config.h"
#include "userspace/shim/routing_table.h"

namespace natrix::daemon {

// What takes kubelet probes to their proxy, beside the map that lists them and the hooks that see
// processes connect: the hook of `lo`, rules and routes.  Present while the configuration lists
// probes.  A part that fails is logged once and tried again each time; the others work on.
class ProbeSteering {
 public:
  // Takes up what an earlier process left.  All that is borrowed must outlive this.
  static Result<ProbeSteering> Create(loader::Attacher& attacher,
                                      const loader::ProgramFds& programs, spdlog::logger& log);

  // Makes the kernel have what these probes need, none included.  To be called before the map
  // loses its last entry, after it has its first.  true: there is nothing left to mend.
  bool Follow(const model::Config& config);

  // Whether `lo` has our program, or should have.
  bool has_loopback() const { return installed_; }
  std::size_t failed() const { return errors_.size(); }

  // Wakes up when somebody removed a rule or route.
  int fd() const { return watch_.fd(); }
  // Call then.  true: a look at it is due.
  bool OnRemoval();

 private:
  ProbeSteering(Netlink watch, loader::Attacher& attacher, const loader::ProgramFds& programs,
                spdlog::logger& log);
  void Install(const model::Config& config);
  void Remove();
  Result<> FollowLoopback();
  Result<> FollowRouting(const model::Config& config);
  void Note(const std::string& part, const Result<>& done);
  void CountRepair();

  Netlink watch_;
  loader::Attacher& attacher_;
  loader::ProgramFds programs_;
  spdlog::logger& log_;
  bool installed_ = false;
  bool looked_ = false;                        // whether what an earlier process left is known
  std::optional<std::uint32_t> table_;         // where our routes are; unset: perhaps in others
  shim::Routing written_;                      // what was there after the last look
  std::map<std::string, std::string> errors_;  // by part
  RepairBrake brake_;
};

}  // namespace natrix::daemon
