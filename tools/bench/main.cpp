// SPDX-License-Identifier: Apache-2.0
//
// natrix_bench: what a packet costs under natrix, iptables, nft and nothing, side by side in one
// run.  Exit status: 0; 1 when a lane was refused; 2 for a bad command line; 3 when the machine
// refused something.
#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <exception>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/own_cgroup.h"
#include "tools/bench/areas.h"
#include "tools/bench/document.h"
#include "tools/bench/report.h"

namespace natrix::bench {
namespace {

struct Arguments {
  Options options;
  int family = 0;
  bool quick = false;
  std::string json;
  std::string docs;
  Circumstances circumstances;
};

std::string LineWith(const std::string& path, const std::string& begin) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(begin)) return line.substr(line.find(':') + 2);
  return {};
}

Circumstances Look(const Options& options, const std::string& command) {
  utsname name{};
  ::uname(&name);
  Circumstances found{.kernel = name.release,
                      .processor = LineWith("/proc/cpuinfo", "model name"),
                      .cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)),
                      .rounds = options.rounds,
                      .packets = options.packets,
                      .command = command};
  std::ifstream load("/proc/loadavg");
  std::getline(load, found.load);
  return found;
}

void AddOptions(CLI::App& app, Arguments& arguments) {
  Options& options = arguments.options;
  app.add_flag("--quick", arguments.quick, "5 rounds, under 3 minutes (what happens anyway)");
  app.add_flag("--full", options.full, "7 rounds, longer sweeps");
  app.add_flag("--tiny", options.tiny, "a test of this tool: its figures mean nothing");
  app.add_option("--json", arguments.json, "write everything measured to this file");
  app.add_option("--docs", arguments.docs,
                 "write charts/ and the measured part of benchmarks.md here");
  app.add_option("--family", arguments.family, "4 or 6; both without")
      ->check(CLI::IsMember({4, 6}));
  app.add_option("--only", options.only,
                 "areas: masquerade, pod, services, growth, loads, changes, flood, tcp")
      ->delimiter(',');
  app.add_option("--cases", options.cases, "of masquerade, pod, services, growth: these only")
      ->delimiter(',');
  app.add_option("--lanes", options.lanes, "likewise: these lanes only")->delimiter(',');
  app.add_flag("--profile", options.profile,
               "after these: where natrix' time goes, by file of its programs and by the kernel's "
               "function");
  app.add_option("--cpu", options.cpu, "the CPU that packets are sent and worked on");
  app.add_option("--rounds", options.rounds, "rounds of each case")->check(CLI::Range(1, 1000));
  app.add_option("--packets", options.packets, "packets of each sample")
      ->check(CLI::Range(64, 100'000'000));
  app.add_option("--fast-path", options.fast_path, "written to natrix' configuration")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--break", options.break_lane, "let this lane translate nothing (a test)");
}

void Settle(Arguments& arguments, const CLI::App& app) {
  Options& options = arguments.options;
  if (arguments.family == 4) options.families = {Family::kIpv4};
  if (arguments.family == 6) options.families = {Family::kIpv6};
  if (app.count("--rounds") == 0) options.rounds = options.full ? 7 : options.tiny ? 2 : 5;
  if (app.count("--packets") == 0)
    options.packets = options.full ? 131072 : options.tiny ? 4096 : 32768;
  const auto start = std::chrono::steady_clock::now();
  options.progress = [start](const std::string& line) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "bench: {:6.1f} s  {}\n", passed.count(), line);
  };
}

// Charts, and the measured part of benchmarks.md.
bool WriteDocuments(const std::string& folder, const std::string& markdown,
                    const Results& results) {
  for (const auto& [name, svg] : Charts(results))
    if (!(std::ofstream(folder + "/charts/" + name) << svg).flush()) return false;
  const std::string path = folder + "/benchmarks.md";
  std::stringstream before;
  before << std::ifstream(path).rdbuf();
  const std::optional<std::string> after = Replaced(before.str(), markdown);
  return after && (std::ofstream(path) << *after).flush();
}

int Report(const Arguments& arguments, const Results& results) {
  std::vector<int> families;
  for (const Family family : arguments.options.families)
    families.push_back(family == Family::kIpv4 ? 4 : 6);
  const std::vector<Judgement> judgements = JudgeAll(results, families);
  fmt::print("{}{}", TableText(results), GoalText(judgements));
  for (const std::string& profile : results.profiles) fmt::print("\n{}", profile);
  const Circumstances& circumstances = arguments.circumstances;
  if (!arguments.docs.empty() &&
      !WriteDocuments(arguments.docs, MarkdownText(circumstances, results, judgements), results)) {
    fmt::print(stderr, "bench: cannot write {0}/benchmarks.md or {0}/charts\n", arguments.docs);
    return 3;
  }
  if (!arguments.json.empty()) {
    std::ofstream file(arguments.json);
    file << JsonText(circumstances, results, judgements);
    if (!file.flush()) {
      fmt::print(stderr, "bench: cannot write {}\n", arguments.json);
      return 3;
    }
  }
  return results.HasRefused() ? 1 : 0;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  arguments.options.cpu = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  CLI::App app("What a packet costs under natrix, iptables, nft and nothing, side by side.");
  AddOptions(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  Settle(arguments, app);
  std::string command = "tools/bench/run";
  // Where the figures were written is nobody's concern who reads them.
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--json")
      ++i;
    else
      command += fmt::format(" {}", argv[i]);
  arguments.circumstances = Look(arguments.options, command);
  // natrixd must not see the machine's own processes call Services.
  const support::OwnCgroup cgroup;
  Results results;
  for (const auto& measure : {MeasureMasquerade, MeasurePod, MeasureServices, MeasureGrowth,
                              MeasureLoads, MeasureChanges, MeasureFlood, MeasureTcp})
    measure(arguments.options, results);
  return Report(arguments, results);
}

}  // namespace
}  // namespace natrix::bench

int main(int argc, char** argv) {
  try {
    return natrix::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 3;
  }
}
