// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include "userspace/daemon/daemon.h"

// Daemon: what SIGHUP does.
namespace natrix::daemon {

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

void Daemon::LogWarnings(const config::Loaded& loaded) {
  for (const config::Diagnostic& warning : loaded.warnings)
    log_.warn("config {}", config::OneLine(warning));
}

}  // namespace natrix::daemon
