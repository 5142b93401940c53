// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/probe_steering.h"

#include <algorithm>
#include <utility>

namespace natrix::daemon {

using loader::kLoopbackIndex;

Result<ProbeSteering> ProbeSteering::Create(loader::Attacher& attacher,
                                            const loader::ProgramFds& programs,
                                            spdlog::logger& log) {
  auto watch = shim::WatchRouting();
  if (!watch) return std::unexpected(std::move(watch).error());
  return ProbeSteering(*std::move(watch), attacher, programs, log);
}

ProbeSteering::ProbeSteering(Netlink watch, loader::Attacher& attacher,
                             const loader::ProgramFds& programs, spdlog::logger& log)
    : watch_(std::move(watch)), attacher_(attacher), programs_(programs), log_(log) {}

bool ProbeSteering::Follow(const model::Config& config) {
  if (config.tproxy.table != table_) table_.reset();
  if (!config.tproxy.probes.empty())
    Install(config);
  else if (installed_ || !looked_ || !errors_.empty())
    Remove();
  looked_ = true;
  return errors_.empty();
}

void ProbeSteering::Install(const model::Config& config) {
  installed_ = true;
  Note("loopback", FollowLoopback());
  Note("routing", FollowRouting(config));
}

void ProbeSteering::Remove() {
  const auto removed = shim::RemoveRouting();
  Note("routing", removed ? Result<>() : std::unexpected(removed.error()));
  written_ = {};
  const auto attached = attacher_.Attached();
  const bool had = std::ranges::find(attached, kLoopbackIndex) != attached.end();
  const auto done = had ? attacher_.Detach(kLoopbackIndex) : Result<>();
  Note("loopback", done);
  if ((removed && *removed > 0) || (had && done))
    log_.info("probes steering removed, rules and routes={}", removed.value_or(0));
  installed_ = !errors_.empty();
}

Result<> ProbeSteering::FollowLoopback() {
  const bool repair = written_.size() > 0;  // it was there after an earlier look
  auto outcome = attacher_.Attach(
      {.ifindex = kLoopbackIndex, .name = "lo", .ingress_fd = programs_.loopback_ingress});
  if (!outcome) return Fail(std::move(outcome).error(), "attach device=lo");
  if (outcome->created)
    log_.info("attach device=lo ifindex={} method={} {}", kLoopbackIndex, attacher_.method(),
              repair ? "repaired" : "new");
  else if (outcome->replaced)
    log_.info("attach device=lo ifindex={} method={} adopted", kLoopbackIndex, attacher_.method());
  return {};
}

Result<> ProbeSteering::FollowRouting(const model::Config& config) {
  const shim::Routing wanted = shim::WantedRouting(config);
  const auto live = shim::ReadRouting(table_);
  if (!live) return std::unexpected(live.error());
  const shim::RoutingEdits edits = shim::Diff(*live, wanted);
  if (edits.size() > 0) {
    const bool repair = written_ == wanted;
    if (repair) CountRepair();
    if (auto done = shim::ApplyEdits(edits); !done) return done;
    const char* how = repair ? "repair" : "add";
    for (const auto& route : edits.add_routes) log_.info("routing {} `{}`", how, route.ToString());
    for (const auto& rule : edits.add_rules) log_.info("routing {} `{}`", how, rule.ToString());
  }
  written_ = wanted;
  table_ = config.tproxy.table;
  return {};
}

void ProbeSteering::Note(const std::string& part, const Result<>& done) {
  if (done) {
    errors_.erase(part);
    return;
  }
  const std::string error = done.error().ToString();
  if (errors_[part] != error) log_.error("probes {}: {}", part, error);
  errors_[part] = error;
}

bool ProbeSteering::OnRemoval() {
  const auto complete = watch_.Drain([](const nlmsghdr&) {});
  if (!complete) log_.error("probes netlink {}", complete.error().ToString());
  return installed_ && !brake_.Brakes(kLoopbackIndex, RepairBrake::Clock::now());
}

void ProbeSteering::CountRepair() {
  const auto now = RepairBrake::Clock::now();
  const bool braked = brake_.Brakes(kLoopbackIndex, now);
  brake_.CountRepair(kLoopbackIndex, now);
  if (!braked && brake_.Brakes(kLoopbackIndex, now))
    log_.warn("routing is changed by somebody again and again: repaired every few seconds only");
}

}  // namespace natrix::daemon
