// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/process_hooks.h"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

namespace natrix::daemon {
namespace {

// Steps that may fail.
constexpr char kHear[] = "hear";
constexpr char kCall[] = "call";

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

void ProcessHooks::Prepare(const model::Config& config) {
  const loader::CgroupHookSet needed = NeededBy(config);
  const auto left = hooks_.Detach(~needed);
  Note("detach", left ? Result<>() : std::unexpected(left.error()));
  if (left && left->any()) log_.info("detach hooks={}", NamesOf(*left));
  outcome_ = {};
  if (auto free = hooks_.AreFree(needed); !free) return Note(kHear, free);
  Attach(kHear, needed & loader::kHearHooks);
}

void ProcessHooks::Follow(const model::Config& config) {
  const loader::CgroupHookSet needed = NeededBy(config);
  // Nobody calls by another address who would not hear by it.
  if (errors_.contains(kHear)) return;
  Attach(kCall, needed & ~loader::kHearHooks);
  if (errors_.contains(kCall))
    WithdrawHearing();
  else if (outcome_.created)
    log_.info("attach cgroup={} hooks={} new", hooks_.path(), NamesOf(needed));
  else if (outcome_.replaced)
    log_.info("attach hooks={} adopted", NamesOf(needed));
}

// All or none: while nobody calls, there is nothing to give back.
void ProcessHooks::WithdrawHearing() {
  if ((hooks_.Attached() & ~loader::kHearHooks).any()) return;
  const auto left = hooks_.Detach(loader::kHearHooks);
  if (!left) Note(kCall, std::unexpected(left.error()));
}

void ProcessHooks::Attach(const char* step, loader::CgroupHookSet which) {
  const auto outcome = hooks_.Attach(which, programs_.cgroup);
  Note(step, outcome ? Result<>() : std::unexpected(outcome.error()));
  if (!outcome) return;
  outcome_.created |= outcome->created;
  outcome_.replaced |= outcome->replaced;
}

void ProcessHooks::Note(const std::string& step, const Result<>& done) {
  if (done) {
    errors_.erase(step);
    return;
  }
  const std::string error = done.error().ToString();
  if (errors_[step] != error) log_.error("processes: {}", error);
  errors_[step] = error;
}

}  // namespace natrix::daemon
