// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/process_hooks.h"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

namespace natrix::daemon {
namespace {

loader::CgroupHookSet NeededBy(const model::Config& config) {
  loader::CgroupHookSet needed;
  if (!config.tproxy.probes.empty() || config.ipvs) needed |= loader::kConnectHooks;
  if (model::TranslatesCalls(config)) needed |= loader::kAllCgroupHooks;
  return needed;
}

std::string NamesOf(loader::CgroupHookSet hooks) {
  std::vector<const char*> names;
  for (std::size_t i = 0; i < hooks.size(); ++i)
    if (hooks[i]) names.push_back(loader::kCgroupHooks[i].name);
  return fmt::format("{}", fmt::join(names, ","));
}

}  // namespace

Result<ProcessHooks> ProcessHooks::Create(const loader::PinRoot& root,
                                          const loader::ProgramFds& programs, spdlog::logger& log) {
  loader::CgroupHooks hooks(root);
  if (auto adopted = hooks.Adopt(); !adopted)
    return Fail(std::move(adopted).error(), "adopt what is attached");
  return ProcessHooks(std::move(hooks), programs, log);
}

void ProcessHooks::Leave(const model::Config& config) {
  const loader::CgroupHookSet unneeded = ~NeededBy(config);
  const auto detached = hooks_.Detach(unneeded);
  if (detached && *detached) log_.info("detach hooks={}", NamesOf(unneeded));
  if (!detached) Note(std::unexpected(detached.error()));
}

void ProcessHooks::Follow(const model::Config& config) {
  const loader::CgroupHookSet needed = NeededBy(config);
  const auto outcome = hooks_.Attach(needed, programs_.cgroup);
  Note(outcome ? Result<>() : std::unexpected(outcome.error()));
  if (!outcome) return;
  if (outcome->created)
    log_.info("attach cgroup={} hooks={} new", hooks_.path(), NamesOf(needed));
  else if (outcome->replaced)
    log_.info("attach hooks={} adopted", NamesOf(needed));
}

void ProcessHooks::Note(const Result<>& done) {
  const std::string error = done ? std::string() : done.error().ToString();
  if (!done && error != error_) log_.error("processes: {}", error);
  error_ = error;
}

}  // namespace natrix::daemon
