// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "userspace/daemon/daemon.h"
#include "userspace/daemon/metrics.h"

// Daemon: what SIGHUP does, and the start.
namespace natrix::daemon {
namespace {

using Addresses = compile::Table<nx_addr, nx_local>;

// A port at all addresses is at the node's own.
bool Has(const compile::UdpWays& ways, const Addresses& own, const compile::UdpWay& way) {
  return ways.contains(way) || (own.contains(way.called) && ways.contains(way.AtAll()));
}

UdpRelease::IsEnded EndedBetween(compile::UdpWays ended, Addresses own) {
  return [ended = std::move(ended), own = std::move(own)](const compile::UdpWay& way) {
    return Has(ended, own, way);
  };
}

// What ended while nobody watched: what was called at the Services that the maps have, and is no
// way of `config`.
UdpRelease::IsEnded EndedBefore(const model::Config& config, const compile::Services& before,
                                Addresses own) {
  std::set<nx_service_key, compile::ByBytes> called;
  for (const auto& [key, service] : before.AllServices())
    if (key.proto == NX_L4_UDP) called.insert(key);
  compile::UdpWays ways = compile::UdpWaysOf(config);
  compile::UdpWays straight = compile::StraightWays(ways);
  return [called = std::move(called), ways = std::move(ways), straight = std::move(straight),
          own = std::move(own)](const compile::UdpWay& way) {
    if (way.IsStraight()) return Has(straight, own, way);
    const auto was_called = [&](const nx_addr& address) {
      return called.contains(
          {.addr = address, .port = way.called_port, .proto = NX_L4_UDP, .pad = 0});
    };
    const bool at_all = own.contains(way.called) && was_called(way.AtAll().called);
    return (was_called(way.called) || at_all) && !Has(ways, own, way);
  };
}

}  // namespace

void Daemon::Reload() {
  notify_.Reloading();
  SuspectAll();
  auto loaded = config::LoadFile(options_.config_path, &config_);
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
  ReleaseUdp(config, **services, wanted);
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

void Daemon::ReleaseUdp(const model::Config& config, const compile::Services& before,
                        const compile::Wanted& wanted) {
  if (!in_force_) {
    if (before.entries().service > 0 || wanted.services->entries().service > 0)
      udp_owed_.push_back(EndedBefore(config, before, wanted.local));
  } else if (auto ended = compile::EndedUdpWays(config_, config); !ended.empty()) {
    udp_owed_.push_back(EndedBetween(std::move(ended), wanted.local));
  }
  ReleaseOwed();
}

void Daemon::ReleaseOwed() {
  if (udp_owed_.empty()) return;
  const auto ended = udp_release_->End([&](const compile::UdpWay& way) {
    return std::ranges::any_of(udp_owed_, [&](const auto& is_ended) { return is_ended(way); });
  });
  if (!ended) {
    log_.error("release {}", ended.error().ToString());
    return;
  }
  udp_owed_.clear();
  if (*ended > 0) log_.info("release udp_flows={} their endpoints are gone", *ended);
}

void Daemon::LogWarnings(const config::Loaded& loaded) {
  for (const config::Diagnostic& warning : loaded.warnings)
    log_.warn("config {}", config::OneLine(warning));
}

}  // namespace natrix::daemon
