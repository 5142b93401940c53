// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "userspace/daemon/daemon.h"

// Daemon: what SIGHUP does.
namespace natrix::daemon {
namespace {

// What was called while nobody watched, at the Services that the maps have, and is no way of
// `config`.
UdpRelease::IsEnded EndedBefore(const model::Config& config, const compile::Services& before) {
  std::set<nx_service_key, compile::ByBytes> called;
  for (const auto& [key, service] : before.AllServices())
    if (key.proto == NX_L4_UDP) called.insert(key);
  return
      [called = std::move(called), ways = compile::UdpWaysOf(config)](const compile::UdpWay& way) {
        const compile::UdpWay by_node_port = way.ByNodePort();
        const auto is_called = [&](const nx_addr& address) {
          return called.contains(
              {.addr = address, .port = way.called_port, .proto = NX_L4_UDP, .pad = 0});
        };
        return (is_called(way.called) || is_called(by_node_port.called)) && !ways.contains(way) &&
               !ways.contains(by_node_port);
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

void Daemon::ReleaseUdp(const model::Config& config, const compile::Services& before) {
  Result<std::size_t> ended = 0;
  if (!in_force_) {
    if (before.entries().service > 0) ended = udp_release_->End(EndedBefore(config, before));
  } else if (const auto gone = compile::EndedUdpWays(config_, config); !gone.empty()) {
    ended = udp_release_->End([&](const compile::UdpWay& way) {
      return gone.contains(way) || gone.contains(way.ByNodePort());
    });
  }
  if (!ended)
    log_.error("release {}", ended.error().ToString());
  else if (*ended > 0)
    log_.info("release udp_flows={} their endpoints are gone", *ended);
}

void Daemon::LogWarnings(const config::Loaded& loaded) {
  for (const config::Diagnostic& warning : loaded.warnings)
    log_.warn("config {}", config::OneLine(warning));
}

}  // namespace natrix::daemon
