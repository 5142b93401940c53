// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "loader/object.h"
#include "loader/xdp_attacher.h"
#include "userspace/compile/compile.h"
#include "userspace/model/host.h"

namespace natrix::daemon {

// Keeps our XDP program on the uplinks that the configuration wants it on.  An uplink that cannot
// have it works without, and `natrix status` says why.
class XdpHooks {
 public:
  static Result<XdpHooks> Create(const loader::PinRoot& root, const loader::ProgramFds& programs,
                                 spdlog::logger& log);
  // Fills xdp_features, of which rtnetlink knows nothing, of the devices that could make use of it.
  void AddFeatures(const model::Config& config, model::Host& host) const;
  // Makes the devices be as planned.  Idempotent; to be called again and again.
  void Follow(const compile::Wanted& wanted);

 private:
  XdpHooks(loader::XdpAttacher attacher, const loader::ProgramFds& programs, spdlog::logger& log)
      : log_(log),
        attacher_(std::move(attacher)),
        native_fd_(programs.uplink_xdp),
        generic_fd_(programs.uplink_generic_xdp) {}
  void DetachUnwanted(const compile::Wanted& wanted);
  // Why it has not; empty when it has.
  std::string Attach(std::uint32_t ifindex, const compile::XdpPlan& plan);
  void Record(std::map<std::uint32_t, loader::XdpAttacher::Refusal> refusals);

  spdlog::logger& log_;
  loader::XdpAttacher attacher_;
  int native_fd_;
  int generic_fd_;
  std::map<std::uint32_t, std::string> told_;  // why, by ifindex: logged once, not every tick
  std::string last_error_;
};

}  // namespace natrix::daemon
