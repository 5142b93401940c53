// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "loader/peers.h"
#include "userspace/daemon/daemon.h"
#include "userspace/daemon/metrics.h"
#include "userspace/daemon/socket_release.h"

// Daemon: what SIGHUP does, and the start.
namespace natrix::daemon {
namespace {

using Addresses = compile::Table<nx_addr, nx_local>;

// A port at all addresses is at the node's own.
bool Has(const compile::UdpWays& ways, const Addresses& own, const compile::UdpWay& way) {
  const bool is_own = own.contains(way.called) || model::Address{way.called}.IsLoopback();
  return ways.contains(way) || (is_own && ways.contains(way.AtAll()));
}

UdpRelease::IsEnded EndedBetween(compile::UdpWays ended, Addresses own) {
  return [ended = std::move(ended), own = std::move(own)](const compile::UdpWay& way) {
    return Has(ended, own, way);
  };
}

// What ended while nobody watched, or before natrixd that had to end it was killed: every way that
// is not of `wanted`, whoever had it.  Floating IPs have no endpoints that come and go.
UdpRelease::IsEnded EndedBefore(const model::Config& config, const compile::Wanted& wanted) {
  compile::UdpWays ways = compile::UdpWaysOf(config);
  compile::UdpWays straight = compile::StraightWays(ways);
  return [ways = std::move(ways), straight = std::move(straight), own = wanted.local,
          floating = wanted.fip](const compile::UdpWay& way) {
    if (Has(ways, own, way)) return false;
    if (way.IsStraight()) return Has(straight, own, way);
    return !floating.contains({.addr = way.called, .side = NX_FIP_EXTERNAL, .pad = {}});
  };
}

// Of a kernel that cannot list or end UDP sockets, whom nobody should ask at every tick.
bool IsLackOfSupport(const Error& error) {
  const int err = error.code().value();
  return err == ENOENT || err == EOPNOTSUPP || err == EPROTONOSUPPORT || err == EPERM;
}

// What was read of a large file was hundreds of thousands of small pieces, freed by now.  glibc
// joins and sorts them only when somebody asks for a larger one, and that would be who asks the
// node for its devices: 2.4 ms between a file that is read and packets that see it.  It belongs to
// the reading, as does the memory, which natrixd need not keep until the next file.
void TidyUpAfterReading() {
  (void)::malloc_trim(0);           // joins, gives back whole pages, and leaves the rest unsorted
  std::vector<char> larger(32768);  // sorts; what netlink's answers take
  __asm__ volatile("" : : "r"(larger.data()) : "memory");  // or nobody allocates it
}

}  // namespace

config::Loaded Daemon::Read() const {
  auto loaded = config::LoadFile(options_.config_path, in_force_ ? &config_ : nullptr);
  TidyUpAfterReading();
  return loaded;
}

void Daemon::Reload() {
  notify_.Reloading();
  SuspectAll();
  auto loaded = Read();
  std::string error;
  if (!loaded) {
    error = loaded.Render();
  } else {
    LogWarnings(loaded);
    const model::Flows before = config_.flows;
    if (auto done = Replace(*std::move(loaded.config)); !done) error = done.error().ToString();
    if (before.max_established != config_.flows.max_established ||
        before.max_embryos != config_.flows.max_embryos)
      log_.warn("reload the flow tables keep their size: `natrix detach`, then start natrixd");
  }
  if (error.empty())
    log_.info("reload ok {}", StatusLine());
  else
    log_.error("reload failed, the configuration before stays in force:\n{}", error);
  notify_.Ready(error.empty() ? StatusLine() : "the last reload failed; " + StatusLine());
}

Result<> Daemon::Adopt(model::Config config) {
  began_ = std::chrono::steady_clock::now();
  auto host = LookAtHost(config);
  if (!host) return std::unexpected(std::move(host).error());
  auto previous = applier_->Subnets();
  if (!previous) return std::unexpected(std::move(previous).error());
  auto services = applier_->Services();
  if (!services) return std::unexpected(std::move(services).error());
  auto metrics =
      MakeMetrics([&](const char* name) { return datapath_->MapFd(name); }, config.node.name);
  if (!metrics) return std::unexpected(std::move(metrics).error());
  compile::Wanted wanted = compile::Compile(config, *host, {*previous, wanted_.made, *services});
  if (auto done = Follow(config, wanted); !done) return done;
  ReleaseUdp(config, wanted);
  metrics_.Answer(*std::move(metrics));
  config_ = std::move(config);
  in_force_ = true;
  wanted_ = std::move(wanted);
  return {};
}

Result<> Daemon::Replace(model::Config config) {
  const std::optional<model::Endpoint> before = config_.metrics.listen;
  if (auto done = metrics_.Listen(config.metrics.listen); !done) return done;
  auto done = Adopt(std::move(config));
  if (done) return done;
  // The maps may be half-way: bring back what the configuration in force asks for.
  if (auto back = Reconcile(); !back) log_.error("reload {}", back.error().ToString());
  if (auto back = metrics_.Listen(before); !back) log_.error("reload {}", back.error().ToString());
  return done;
}

void Daemon::ReleaseUdp(const model::Config& config, const compile::Wanted& wanted) {
  if (!in_force_ || !udp_owed_.empty()) {
    // What was owed is judged by the newest configuration.
    udp_owed_ = {EndedBefore(config, wanted)};
  } else if (auto ended = compile::EndedUdpWays(config_, config); !ended.empty()) {
    udp_owed_.push_back(EndedBetween(std::move(ended), wanted.local));
  }
  ReleaseOwed();
}

Result<std::size_t> Daemon::EndSocketsOf(const UdpRelease::IsEnded& is_ended) const {
  const auto map = datapath_->MapFd("nx_peer");
  if (!map) return std::unexpected(map.error());
  // A socket may be under way to its peer, or be skipped because the one before it was closed.
  std::size_t ended = 0;
  for (int look = 0; look < 5; ++look) {
    const auto peers = loader::ListPeers(datapath_->peers_fd(), *map);
    if (!peers) return std::unexpected(peers.error());
    const auto found = EndSockets(*peers, is_ended);
    if (!found) return found;
    ended += *found;
    if (*found == 0 && look > 0) break;
  }
  return ended;
}

void Daemon::ReleaseOwed() {
  if (udp_owed_.empty()) return;
  const auto is_ended = [&](const compile::UdpWay& way) {
    return std::ranges::any_of(udp_owed_, [&](const auto& one) { return one(way); });
  };
  const auto flows = udp_release_->End(is_ended);
  if (!flows) {
    log_.error("release {}", flows.error().ToString());
    return;
  }
  const auto sockets = EndSocketsOf(is_ended);
  if (!sockets) {
    log_.warn("release sockets of the node may keep endpoints that are gone: {}",
              sockets.error().ToString());
    if (!IsLackOfSupport(sockets.error())) return;
  }
  udp_owed_.clear();
  if (const std::size_t ended = sockets.value_or(0); *flows > 0 || ended > 0)
    log_.info("release udp_flows={} udp_sockets={} their endpoints are gone", *flows, ended);
}

void Daemon::LogWarnings(const config::Loaded& loaded) {
  for (const config::Diagnostic& warning : loaded.warnings)
    log_.warn("config {}", config::OneLine(warning));
}

}  // namespace natrix::daemon
