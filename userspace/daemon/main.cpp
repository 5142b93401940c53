// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "maps/abi/names.h"
#include "userspace/config/load.h"
#include "userspace/daemon/daemon.h"
#include "userspace/daemon/log.h"

namespace {

using natrix::daemon::StartFailure;

// docs/exit-codes.md
constexpr int kOk = 0, kFailed = 1, kUsage = 2, kNotPermitted = 4;

struct Arguments {
  natrix::daemon::Options options;
  std::string log_level = "info";
  bool check = false;
};

int Check(const std::string& path) {
  const auto loaded = natrix::config::LoadFile(path);
  fmt::print(stderr, "{}", loaded.Render());
  return loaded ? kOk : kFailed;
}

int RunDaemon(const Arguments& arguments) {
  const auto logger = natrix::daemon::MakeLogger(arguments.log_level);
  natrix::daemon::RouteLibbpf(logger.get());
  auto started = natrix::daemon::Daemon::Start(arguments.options, *logger);
  if (!started) {
    logger->error("start failed: {}", started.error().text);
    return started.error().kind == StartFailure::Kind::kNotPermitted ? kNotPermitted : kFailed;
  }
  if (auto done = (*started)->Run(); !done) {
    logger->error("run failed: {}", done.error().ToString());
    return kFailed;
  }
  return kOk;
}

void Declare(CLI::App& app, Arguments& arguments) {
  using natrix::loader::Method;
  static const std::map<std::string, Method> methods = {
      {"auto", Method::kAuto}, {"tcx", Method::kTcx}, {"clsact", Method::kClsact}};
  app.set_version_flag("--version", "natrixd " NATRIX_VERSION);
  app.add_option("--config", arguments.options.config_path, "The configuration file (YAML)")
      ->required();
  app.add_flag("--check", arguments.check, "Check the configuration file and exit");
  app.add_option("--log-level", arguments.log_level, "trace, debug, info, warning or error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}));
  app.add_option("--attach", arguments.options.method,
                 "How to attach: tcx, clsact, or auto: tcx where the kernel has it")
      ->transform(CLI::CheckedTransformer(methods).description("auto|tcx|clsact"));
  app.add_option("--pin-root", arguments.options.pin_root,
                 "Directory on a BPF file system for everything that is pinned")
      ->default_str(NX_PIN_ROOT);
}

int Main(int argc, char** argv) {
  CLI::App app("natrixd keeps the kernel doing what the configuration asks for", "natrixd");
  Arguments arguments;
  arguments.options.pin_root = NX_PIN_ROOT;
  Declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return arguments.check ? Check(arguments.options.config_path) : RunDaemon(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    // Of a library: out of memory, mostly.
    (void)std::fprintf(stderr, "natrixd: %s\n", error.what());
    return kFailed;
  }
}
