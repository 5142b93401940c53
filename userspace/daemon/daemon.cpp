// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/daemon.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "loader/clock.h"
#include "userspace/daemon/host_state.h"

namespace natrix::daemon {
namespace {

using std::chrono::milliseconds;

// Long enough for `ip link add; ip addr add` to be one reconciliation, short beside the 100 ms in
// which a new device has to be attached.
constexpr milliseconds kSettle(5);
constexpr milliseconds kTick(5000);
// `natrix status` and a natrixd that is ending hold the lock for a moment.
constexpr milliseconds kLockPatience(1000);

const char* RoleName(nx_device_role role) { return role == NX_DEVICE_UPLINK ? "uplink" : "pod"; }

StartFailure FailureOf(const Error& error) {
  const int code = error.code().value();
  const bool denied = code == EPERM || code == EACCES;
  return {denied ? StartFailure::Kind::kNotPermitted : StartFailure::Kind::kFailed,
          error.ToString()};
}

Result<UniqueFd> BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&set, signal);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return Fail(errno, "block signals");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Fail(errno, "create signalfd");
  return fd;
}

}  // namespace

Daemon::Daemon(const Options& options, spdlog::logger& log)
    : options_(options), log_(log), notify_(Notifier::FromEnvironment()), root_(options.pin_root) {}

std::expected<std::unique_ptr<Daemon>, StartFailure> Daemon::Start(const Options& options,
                                                                   spdlog::logger& log) {
  std::unique_ptr<Daemon> daemon(new Daemon(options, log));
  if (auto failure = daemon->TryStart()) return std::unexpected(*std::move(failure));
  return daemon;
}

std::optional<StartFailure> Daemon::TryStart() {
  auto loaded = Read();
  if (!loaded) return StartFailure{StartFailure::Kind::kBadConfig, loaded.Render()};
  LogWarnings(loaded);
  const model::Flows flows = loaded.config->flows;

  if (auto prepared = root_.Prepare(); !prepared) return FailureOf(prepared.error());
  auto lock = loader::PinRootLock::Acquire(root_, kLockPatience);
  if (!lock) return FailureOf(lock.error());
  if (!*lock) {
    const auto pid = loader::PinRootLock::HolderPid(root_);
    return StartFailure{StartFailure::Kind::kAlreadyRunning,
                        fmt::format("another natrixd{} has {}",
                                    pid ? fmt::format(" (pid {})", *pid) : "", root_.path())};
  }
  lock_ = *std::move(lock);

  Result<> done = OpenSources();  // before the first look at the node: no change goes unseen
  if (done) done = metrics_.Listen(loaded.config->metrics.listen);  // before anything is changed
  if (done) done = LoadDatapath(flows);
  if (done) done = Adopt(*std::move(loaded.config));
  if (!done) return FailureOf(done.error());
  return std::nullopt;
}

Result<> Daemon::LoadDatapath(const model::Flows& flows) {
  auto datapath = loader::Datapath::Load(
      root_, {.max_established = flows.max_established, .max_embryos = flows.max_embryos});
  if (!datapath) return std::unexpected(std::move(datapath).error());
  datapath_ = *std::move(datapath);
  for (const auto& warning : datapath_->warnings()) log_.warn("adopt {}", warning);
  log_.info("maps pins={} adopted={} created={}", root_.path(), datapath_->adopted_maps(),
            datapath_->created_maps());

  auto maps = maps::ConfigMaps::Open([&](const char* name) { return datapath_->MapFd(name); });
  if (!maps) return std::unexpected(std::move(maps).error());
  applier_.emplace(*std::move(maps));
  auto release = UdpRelease::Open([&](const char* name) { return datapath_->MapFd(name); });
  if (!release) return std::unexpected(std::move(release).error());
  udp_release_.emplace(*std::move(release));
  if (auto started = loader::StartClock(datapath_->clock_start_fd()); !started) return started;
  if (auto started = routes_->Start([&](const char* name) { return datapath_->MapFd(name); },
                                    datapath_->jiffies_fd(), loader::KernelHz());
      !started)
    return started;

  auto attacher = loader::MakeAttacher(root_, options_.method);
  if (!attacher) return std::unexpected(std::move(attacher).error());
  attacher_ = *std::move(attacher);
  log_.info("attach method={}", attacher_->method());
  auto processes = ProcessHooks::Create(root_, datapath_->programs(), log_);
  if (!processes) return std::unexpected(std::move(processes).error());
  processes_.emplace(*std::move(processes));
  auto probes = ProbeSteering::Create(*attacher_, datapath_->programs(), log_);
  if (!probes) return std::unexpected(std::move(probes).error());
  probes_.emplace(*std::move(probes));
  auto xdp = XdpHooks::Create(root_, datapath_->programs(), log_);
  if (!xdp) return std::unexpected(std::move(xdp).error());
  xdp_.emplace(*std::move(xdp));
  return {};
}

Result<> Daemon::OpenSources() {
  auto signals = BlockSignals();
  if (!signals) return std::unexpected(std::move(signals).error());
  signals_ = *std::move(signals);
  auto loop = EventLoop::Create();
  auto netlink =
      Netlink::Open({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_TC});
  auto routes = RouteWatch::Open(log_);
  auto settle = Timer::Create();
  auto tick = Timer::Create();
  if (!loop) return std::unexpected(std::move(loop).error());
  if (!netlink) return std::unexpected(std::move(netlink).error());
  if (!routes) return std::unexpected(std::move(routes).error());
  if (!settle) return std::unexpected(std::move(settle).error());
  if (!tick) return std::unexpected(std::move(tick).error());
  loop_ = *std::move(loop);
  netlink_ = *std::move(netlink);
  routes_.emplace(*std::move(routes));
  settle_ = *std::move(settle);
  tick_ = *std::move(tick);
  tick_->ArmEvery(kTick);
  return {};
}

Result<> Daemon::Run() {
  const auto settled = [this] {
    settle_->Acknowledge();
    auto done = Reconcile();
    const std::string error = done ? "" : done.error().ToString();
    if (!error.empty() && error != last_error_) log_.error("reconcile {}", error);
    last_error_ = error;
    notify_.Status(StatusLine());
  };
  const auto removed = [this] {
    if (probes_->OnRemoval()) settle_->ArmOnce(kSettle);
  };
  const auto routed = [this] {
    if (routes_->OnNetlink()) settle_->ArmOnce(kSettle);
  };
  const auto renewed = [this] {
    if (routes_->OnTimer()) settle_->ArmOnce(kSettle);
  };
  for (auto& watched :
       {loop_->Watch(routes_->netlink_fd(), routed), loop_->Watch(routes_->timer_fd(), renewed),
        loop_->Watch(signals_.get(), [this] { OnSignal(); }), loop_->Watch(probes_->fd(), removed),
        loop_->Watch(netlink_->fd(), [this] { OnNetlink(); }),
        loop_->Watch(tick_->fd(), [this] { OnTick(); }), loop_->Watch(settle_->fd(), settled)})
    if (!watched) return watched;
  log_.info("ready {}", StatusLine());
  notify_.Ready(StatusLine());
  auto done = loop_->Run();
  routes_->Stop();
  notify_.Stopping();
  return done;
}

void Daemon::OnSignal() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP) {
      Reload();
      continue;
    }
    log_.info("stop signal={} the datapath stays", info.ssi_signo == SIGTERM ? "TERM" : "INT");
    loop_->Stop();
  }
}

void Daemon::OnNetlink() {
  auto complete = netlink_->Drain([this](const nlmsghdr& message) { OnMessage(message); });
  if (complete && *complete) return;
  if (!complete) log_.error("netlink {}", complete.error().ToString());
  log_.warn("netlink overrun, everything is looked at anew");
  SuspectAll();
  settle_->ArmOnce(kSettle);
}

void Daemon::OnMessage(const nlmsghdr& message) {
  const void* payload = mnl_nlmsg_get_payload(&message);
  switch (message.nlmsg_type) {
    case RTM_DELLINK:
      // Its index may be given to another device before we look.
      suspects_.insert(
          static_cast<std::uint32_t>(static_cast<const ifinfomsg*>(payload)->ifi_index));
      break;
    case RTM_DELQDISC:
    case RTM_DELTFILTER:
      if (!SuspectTc(static_cast<std::uint32_t>(static_cast<const tcmsg*>(payload)->tcm_ifindex)))
        return;
      break;
    case RTM_NEWLINK:
    case RTM_NEWQDISC:  // one that limits a pod, perhaps
    case RTM_NEWADDR:
    case RTM_DELADDR:
      break;
    default:
      return;  // our own filters, mostly
  }
  settle_->ArmOnce(kSettle);
}

// Somebody removed a qdisc or a filter: perhaps ours.  false: it is no concern of ours.
bool Daemon::SuspectTc(std::uint32_t ifindex) {
  const bool ours =
      managed_.contains(ifindex) || (ifindex == loader::kLoopbackIndex && probes_->has_loopback());
  if (attacher_->method() == "tcx" || !ours) return false;
  if (brake_.Brakes(ifindex, RepairBrake::Clock::now())) return false;
  suspects_.insert(ifindex);
  return true;
}

// What no notification tells: pins that went with bpffs, sysctls, a link that was forced off.
void Daemon::OnTick() {
  tick_->Acknowledge();
  ReleaseOwed();
  SuspectAll();
  settle_->ArmOnce(kSettle);
}

void Daemon::SuspectAll() {
  RestorePins();
  for (const auto& [ifindex, device] : managed_) suspects_.insert(ifindex);
}

void Daemon::RestorePins() {
  Result<> prepared = root_.Prepare();
  if (prepared && !lock_->IsFor(root_)) {
    // Another file system is mounted there now, or the directory was removed.
    auto lock = loader::PinRootLock::Acquire(root_, milliseconds(0));
    if (lock && *lock) lock_ = *std::move(lock);
  }
  auto restored =
      prepared ? datapath_->RestorePins(root_) : Result<int>(std::unexpected(prepared.error()));
  const auto bare = restored ? bare_.RestorePins(root_) : 0;
  if (!restored || !bare)
    log_.error("pins {}", (restored ? bare : restored).error().ToString());
  else if (*restored + *bare > 0)
    log_.warn("pins restored={}", *restored + *bare);
}

Result<model::Host> Daemon::LookAtHost(const model::Config& config) const {
  auto host = ReadHost();
  if (!host) return host;
  routes_->LowerMtus(host->devices);
  xdp_->AddFeatures(config, *host);
  return host;
}

Result<> Daemon::Reconcile() {
  began_ = std::chrono::steady_clock::now();
  auto host = LookAtHost(config_);
  if (!host) return std::unexpected(std::move(host).error());
  compile::FollowHost(config_, *host, wanted_);
  return Follow(config_, wanted_);
}

Result<> Daemon::Follow(const model::Config& config, const compile::Wanted& wanted) {
  // Nobody is sent to a proxy that the map does not know, before or after.  Where Services keep the
  // hooks that mark connections for it, a mark leads nowhere for a moment; nor did its pod.
  processes_->Prepare(config);
  bool probes = config.tproxy.probes.empty() && probes_->Follow(config);
  // A device has its entry in nx_device as long as it has our programs.
  DetachUnwanted(wanted);
  const auto applying = std::chrono::steady_clock::now();
  auto report = applier_->Apply(wanted);
  if (!report) return std::unexpected(std::move(report).error());
  generation_ = report->generation;
  if (report->changed())
    log_.info("apply generation={} written={} erased={} compiled={}us in_force={}us",
              report->generation, report->written, report->erased,
              std::chrono::duration_cast<std::chrono::microseconds>(applying - began_).count(),
              std::chrono::duration_cast<std::chrono::microseconds>(report->in_force).count());
  const bool attached = AttachWanted(wanted);
  if (!config.tproxy.probes.empty()) probes = probes_->Follow(config);
  processes_->Follow(config);
  routes_->Follow(config, wanted);
  xdp_->Follow(wanted);
  if (attached && probes && !other_method_removed_) RemoveOtherMethod();
  return {};
}

void Daemon::DetachUnwanted(const compile::Wanted& wanted) {
  for (const std::uint32_t ifindex : attacher_->Attached()) {
    if (wanted.device.contains(ifindex) || ifindex == loader::kLoopbackIndex) continue;
    auto done = attacher_->Detach(ifindex);
    const auto known = managed_.find(ifindex);
    const std::string name = known == managed_.end() ? "?" : known->second.name;
    if (done)
      log_.info("detach device={} ifindex={}", name, ifindex);
    else
      log_.error("detach device={} ifindex={} {}", name, ifindex, done.error().ToString());
    managed_.erase(ifindex);
  }
  std::erase_if(managed_, [&](const auto& entry) { return !wanted.device.contains(entry.first); });
  std::erase_if(attach_errors_,
                [&](const auto& entry) { return !wanted.device.contains(entry.first); });
}

// true when every wanted device has our programs.
bool Daemon::AttachWanted(const compile::Wanted& wanted) {
  bool all = true;
  // The first bare device waits for the verifier; the others need not.
  for (const bool bare : {false, true})
    for (const auto& [ifindex, entry] : wanted.device) {
      const Managed device{
          .name = entry.name, .role = entry.role, .bare = (entry.ways & NX_DEVICE_BARE) != 0};
      if (device.bare != bare) continue;
      const auto known = managed_.find(ifindex);
      const bool settled = known != managed_.end() && known->second == device;
      if (settled && !suspects_.contains(ifindex)) continue;
      all &= AttachOne(ifindex, device);
    }
  suspects_.clear();
  return all;
}

bool Daemon::AttachOne(std::uint32_t ifindex, const Managed& device) {
  const bool uplink = device.role == NX_DEVICE_UPLINK;
  const Result<loader::DevicePrograms> programs =
      device.bare ? bare_.Load(root_, *datapath_) : datapath_->programs().ethernet;
  Result<loader::AttachOutcome> outcome =
      programs ? attacher_->Attach(
                     {.ifindex = ifindex,
                      .name = device.name,
                      .ingress_fd = uplink ? programs->uplink_ingress : programs->pod_ingress,
                      .egress_fd = programs->egress})
               : std::unexpected(programs.error());
  if (!outcome) {
    // Tried again at every tick; a device that went away meanwhile is no news.
    managed_.erase(ifindex);
    const std::string error = outcome.error().ToString();
    if (outcome.error().code().value() != ENODEV && attach_errors_[ifindex] != error)
      log_.error("attach device={} ifindex={} {}", device.name, ifindex, error);
    attach_errors_[ifindex] = error;
    return false;
  }
  attach_errors_.erase(ifindex);
  const bool repaired = managed_.contains(ifindex) && outcome->created;
  if (repaired) CountRepair(ifindex, device.name);
  managed_[ifindex] = device;
  const char* how = repaired ? "repaired" : outcome->created ? "new" : "adopted";
  if (outcome->created || outcome->replaced)
    log_.info("attach device={} ifindex={} role={} method={} {}{}", device.name, ifindex,
              RoleName(device.role), attacher_->method(), how, device.bare ? " bare" : "");
  return true;
}

void Daemon::CountRepair(std::uint32_t ifindex, const std::string& name) {
  const auto now = RepairBrake::Clock::now();
  const bool braked = brake_.Brakes(ifindex, now);
  brake_.CountRepair(ifindex, now);
  if (!braked && brake_.Brakes(ifindex, now))
    log_.warn("attach device={} is detached by somebody again and again: repaired every {} s only",
              name, kTick.count() / 1000);
}

void Daemon::RemoveOtherMethod() {
  const auto removed = attacher_->RemoveOtherMethod();
  if (!removed) {
    log_.error("attach {}", removed.error().ToString());
    return;
  }
  other_method_removed_ = true;
  if (*removed > 0)
    log_.info("attach method={} took the place of another, removed={}", attacher_->method(),
              *removed);
}

std::string Daemon::StatusLine() const {
  return fmt::format("devices={} generation={} method={} failed={}", managed_.size(), generation_,
                     attacher_->method(),
                     attach_errors_.size() + probes_->failed() + processes_->failed());
}

}  // namespace natrix::daemon
