// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/attacher.h"
#include "loader/bare_programs.h"
#include "loader/object.h"
#include "loader/pin_root.h"
#include "userspace/base/netlink.h"
#include "userspace/base/result.h"
#include "userspace/compile/compile.h"
#include "userspace/config/load.h"
#include "userspace/daemon/applier.h"
#include "userspace/daemon/event_loop.h"
#include "userspace/daemon/metrics_server.h"
#include "userspace/daemon/notify.h"
#include "userspace/daemon/probe_steering.h"
#include "userspace/daemon/process_hooks.h"
#include "userspace/daemon/repair_brake.h"
#include "userspace/daemon/route_watch.h"
#include "userspace/daemon/udp_release.h"
#include "userspace/daemon/xdp_hooks.h"
#include "userspace/model/config.h"

namespace natrix::daemon {

struct Options {
  std::string config_path;
  std::string pin_root;
  loader::Method method = loader::Method::kAuto;
};

// Why natrixd could not start; main() makes an exit code of it.
struct StartFailure {
  enum class Kind { kFailed, kBadConfig, kAlreadyRunning, kNotPermitted } kind;
  std::string text;
};

// The reconciler: what the configuration and the node ask for, minus what the kernel has, is what
// it does.  Its end leaves the datapath running.
class Daemon {
 public:
  // Loads, applies and attaches; what it returns is in force.
  static std::expected<std::unique_ptr<Daemon>, StartFailure> Start(const Options& options,
                                                                    spdlog::logger& log);
  // Until SIGTERM or SIGINT.  SIGHUP reads the configuration anew.
  Result<> Run();

 private:
  // A device that has our programs.
  struct Managed {
    std::string name;
    nx_device_role role{};
    bool bare = false;  // no link-layer header
    friend bool operator==(const Managed&, const Managed&) = default;
  };

  Daemon(const Options& options, spdlog::logger& log);
  std::optional<StartFailure> TryStart();
  Result<> LoadDatapath(const model::Flows& flows);
  Result<> OpenSources();

  void Reload();
  // The file as it is now; what is in it as in config_ is shared with that.
  config::Loaded Read() const;
  // On an error what was in force before still is.
  Result<> Replace(model::Config config);
  void LogWarnings(const config::Loaded& loaded);
  void OnNetlink();
  void OnMessage(const nlmsghdr& message);
  bool SuspectTc(std::uint32_t ifindex);
  void OnTick();
  void OnSignal();

  // What it looks like, as far as `config` makes use of it.
  Result<model::Host> LookAtHost(const model::Config& config) const;
  // Asks the node anew and makes everything follow.
  Result<> Reconcile();
  // Puts another configuration in force; on an error the one before is still config_.
  Result<> Adopt(model::Config config);
  Result<> Follow(const model::Config& config, const compile::Wanted& wanted);
  // UDP flows do not outlive the endpoints that `config` takes away from config_; when that is not
  // in force yet, or flows of an earlier one are still to be ended, no flow does that `config` has
  // no endpoint for.  What fails is tried again at every tick.
  void ReleaseUdp(const model::Config& config, const compile::Wanted& wanted);
  void ReleaseOwed();
  Result<std::size_t> EndSocketsOf(const UdpRelease::IsEnded& is_ended) const;
  void DetachUnwanted(const compile::Wanted& wanted);
  bool AttachWanted(const compile::Wanted& wanted);
  bool AttachOne(std::uint32_t ifindex, const Managed& device);
  void CountRepair(std::uint32_t ifindex, const std::string& name);
  void RemoveOtherMethod();
  // Pins and attachments are looked at anew, not only believed.
  void SuspectAll();
  void RestorePins();
  std::string StatusLine() const;

  Options options_;
  spdlog::logger& log_;
  Notifier notify_;
  loader::PinRoot root_;
  std::optional<loader::PinRootLock> lock_;
  model::Config config_;
  bool in_force_ = false;   // config_ is; false until the first one
  compile::Wanted wanted_;  // of config_ and the host as it was last asked
  std::optional<loader::Datapath> datapath_;
  loader::BarePrograms bare_;
  std::optional<Applier> applier_;
  std::optional<UdpRelease> udp_release_;
  std::vector<UdpRelease::IsEnded> udp_owed_;  // what has still to be ended
  MetricsServer metrics_;                      // behind datapath_: it borrows fds
  std::unique_ptr<loader::Attacher> attacher_;
  std::optional<ProcessHooks> processes_;
  std::optional<ProbeSteering> probes_;
  std::optional<XdpHooks> xdp_;
  std::map<std::uint32_t, Managed> managed_;            // by ifindex
  std::set<std::uint32_t> suspects_;                    // devices whose attachment may be lost
  std::map<std::uint32_t, std::string> attach_errors_;  // logged once, not every tick
  RepairBrake brake_;
  bool other_method_removed_ = false;
  std::string last_error_;
  std::uint32_t generation_ = 0;
  std::chrono::steady_clock::time_point began_;  // to follow what was read or heard

  std::optional<EventLoop> loop_;
  std::optional<Netlink> netlink_;
  std::optional<RouteWatch> routes_;
  std::optional<Timer> settle_;  // gathers a burst of notifications
  std::optional<Timer> tick_;    // looks after what nobody tells us
  UniqueFd signals_;
};

}  // namespace natrix::daemon
