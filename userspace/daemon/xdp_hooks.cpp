// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/xdp_hooks.h"

#include <algorithm>
#include <vector>

namespace natrix::daemon {
namespace {

const char* NameOf(model::XdpMode mode) {
  return mode == model::XdpMode::kNative ? "native" : "generic";
}

}  // namespace

Result<XdpHooks> XdpHooks::Create(const loader::PinRoot& root, const loader::ProgramFds& programs,
                                  spdlog::logger& log) {
  loader::XdpAttacher attacher(root);
  if (auto adopted = attacher.Adopt(); !adopted)
    return Fail(std::move(adopted).error(), "adopt XDP links");
  return XdpHooks(std::move(attacher), programs, log);
}

void XdpHooks::AddFeatures(const model::Config& config, model::Host& host) const {
  if (config.xdp.mode == model::XdpMode::kOff) return;
  const std::vector<std::uint32_t> attached = attacher_.Attached();
  for (model::Device& device : host.devices) {
    const auto role = compile::RoleOf(config.node, device.name);
    if (!role || !(device.kind.empty() || compile::IsAmong(config.xdp.force, device.name)))
      continue;
    // Some drivers send for others only while they have a program, which this one is to lose.
    const auto plan = compile::XdpOn(config, device, *role);
    const bool leaves = std::ranges::find(attached, device.ifindex) != attached.end() &&
                        !(plan && plan->refused.empty());
    if (!leaves) device.xdp_features = loader::XdpFeatures(device.ifindex);
  }
}

void XdpHooks::Follow(const compile::Wanted& wanted) {
  DetachUnwanted(wanted);
  std::map<std::uint32_t, loader::XdpAttacher::Refusal> refusals;
  for (const auto& [ifindex, plan] : wanted.xdp) {
    const std::string why = plan.refused.empty() ? Attach(ifindex, plan) : plan.refused;
    if (!why.empty()) refusals[ifindex] = {.ifindex = ifindex, .name = plan.name, .why = why};
  }
  Record(std::move(refusals));
}

void XdpHooks::DetachUnwanted(const compile::Wanted& wanted) {
  for (const std::uint32_t ifindex : attacher_.Attached()) {
    const auto plan = wanted.xdp.find(ifindex);
    if (plan != wanted.xdp.end() && plan->second.refused.empty()) continue;
    if (auto done = attacher_.Detach(ifindex); !done)
      log_.error("detach xdp ifindex={} {}", ifindex, done.error().ToString());
    else
      log_.info("detach xdp ifindex={}", ifindex);
  }
}

std::string XdpHooks::Attach(std::uint32_t ifindex, const compile::XdpPlan& plan) {
  const bool native = plan.mode == model::XdpMode::kNative;
  auto outcome =
      attacher_.Attach({.ifindex = ifindex,
                        .name = plan.name,
                        .prog_fd = native ? native_fd_ : generic_fd_,
                        .kind = native ? loader::XdpKind::kNative : loader::XdpKind::kGeneric});
  if (!outcome) return outcome.error().ToString();
  if (outcome->created || outcome->replaced)
    log_.info("attach device={} ifindex={} xdp={} {}", plan.name, ifindex, NameOf(plan.mode),
              outcome->created ? "new" : "adopted");
  return "";
}

void XdpHooks::Record(std::map<std::uint32_t, loader::XdpAttacher::Refusal> refusals) {
  std::vector<loader::XdpAttacher::Refusal> list;
  std::map<std::uint32_t, std::string> told;
  for (auto& [ifindex, refusal] : refusals) {
    if (told_[ifindex] != refusal.why)
      log_.warn("xdp device={} ifindex={} goes without: {}", refusal.name, ifindex, refusal.why);
    told[ifindex] = refusal.why;
    list.push_back(std::move(refusal));
  }
  told_ = std::move(told);
  const auto done = attacher_.Record(list);
  const std::string error = done ? "" : done.error().ToString();
  if (!error.empty() && error != last_error_) log_.error("xdp {}", error);
  last_error_ = error;
}

}  // namespace natrix::daemon
