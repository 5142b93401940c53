// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <string>

#include "maps/abi/names.h"
#include "userspace/cli/command.h"

namespace {

namespace cli = natrix::cli;

struct Arguments {
  std::string pin_root = NX_PIN_ROOT;
  bool json = false;
  std::string file;
  std::optional<std::string> set;
  std::optional<std::string> test;
  std::optional<std::string> service;
  cli::FlowFilter flows;
  cli::SetFormat format = cli::SetFormat::kTable;
  bool all = false;
  bool only_reasons = false;
  bool only_subnets = false;
};

void DeclareSets(CLI::App& app, Arguments& arguments) {
  CLI::App* sets = app.add_subcommand("sets", "List the named sets, or one of them");
  sets->add_option("NAME", arguments.set, "A set, by its ipset name: ovn40subnets, ...");
  sets->add_option("--test", arguments.test, "Exit 0 if this member is in the set, 1 if not");
  static const std::map<std::string, cli::SetFormat> formats = {{"table", cli::SetFormat::kTable},
                                                                {"ipset", cli::SetFormat::kIpset}};
  sets->add_option("--format", arguments.format, "table, or ipset: what `ipset restore` takes")
      ->transform(CLI::CheckedTransformer(formats).description("table|ipset"));
}

void DeclareServices(CLI::App& app, Arguments& arguments) {
  app.add_subcommand("services", "List Services, where they are called and who answers")
      ->add_option("NAME", arguments.service, "NAME or NAMESPACE/NAME: its endpoints, too");
}

void DeclareFlows(CLI::App& app, Arguments& arguments) {
  CLI::App* flows = app.add_subcommand("flows", "List the live flows and what becomes of them");
  flows->add_option("--src", arguments.flows.src, "Only from this address or prefix");
  flows->add_option("--dst", arguments.flows.dst, "Only to this address or prefix");
  flows->add_option("--proto", arguments.flows.proto, "Only this protocol: tcp, udp, icmp, 132");
}

void DeclareCounters(CLI::App& app, Arguments& arguments) {
  CLI::App* counters =
      app.add_subcommand("counters", "Show packets and bytes by reason, and by subnet");
  counters->add_flag("--all", arguments.all, "Those that counted nothing, too");
  auto* reasons = counters->add_flag("--reasons", arguments.only_reasons, "Only those of reasons");
  counters->add_flag("--subnets", arguments.only_subnets, "Only those of subnets")
      ->excludes(reasons);
}

void Declare(CLI::App& app, Arguments& arguments) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", arguments.json, "One JSON document instead of a table");
  app.add_option("--pin-root", arguments.pin_root, "Where natrixd pinned the datapath")
      ->capture_default_str();
  app.add_subcommand("check", "Say what is wrong with a configuration file")
      ->add_option("FILE", arguments.file, "The file (YAML)")
      ->required();
  app.add_subcommand("status", "Show natrixd, devices and tables");
  DeclareSets(app, arguments);
  DeclareServices(app, arguments);
  DeclareFlows(app, arguments);
  DeclareCounters(app, arguments);
  app.add_subcommand("detach", "Take everything of natrix out of the kernel");
  app.add_subcommand("version", "Show the version");
}

int Run(const CLI::App& app, const Arguments& arguments) {
  const cli::Context context{.root = natrix::loader::PinRoot(arguments.pin_root),
                             .json = arguments.json};
  const std::string command = app.get_subcommands().front()->get_name();
  if (command == "check") return cli::Check(context, arguments.file);
  if (command == "status") return cli::Status(context);
  if (command == "sets") return cli::Sets(context, arguments.set, arguments.test, arguments.format);
  if (command == "services") return cli::Services(context, arguments.service);
  if (command == "flows") return cli::Flows(context, arguments.flows);
  if (command == "counters")
    return cli::Counters(context, {.all = arguments.all,
                                   .reasons = !arguments.only_subnets,
                                   .subnets = !arguments.only_reasons});
  if (command == "detach") return cli::Detach(context);
  return cli::Version(context, NATRIX_VERSION);
}

int Main(int argc, char** argv) {
  libbpf_set_print(nullptr);  // every failure comes back as an error, and is told once
  CLI::App app("natrix shows what the datapath does, and takes it away", "natrix");
  Arguments arguments;
  Declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  return Run(app, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    // Of a library: out of memory, mostly.
    (void)std::fprintf(stderr, "natrix: %s\n", error.what());
    return cli::kFailed;
  }
}
