// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <sstream>
#include <thread>

#include "tests/oracle/rules.h"
#include "tests/support/setup_error.h"
#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kEndpoints = 10;

// The same Services twice; one endpoint of one of them differs.
struct Versions {
  std::uint32_t number = 0;  // of the Service that changes
  std::string endpoints;     // the prefix that has its own in both, and of neighbours at most five
  std::array<model::Config, 2> config;
};

// Its endpoints' numbers follow on each other, and the next Service's on them.
std::uint32_t FirstEndpointOf(std::uint32_t number) { return (number - 1) * kEndpoints + 1; }

Versions VersionsOf(std::uint32_t count, Family family) {
  constexpr std::uint32_t kBlock = 16;
  Versions versions{.number = count / 2};
  while (FirstEndpointOf(versions.number) % kBlock + kEndpoints >= kBlock) ++versions.number;
  const std::uint32_t first = FirstEndpointOf(versions.number);
  versions.endpoints =
      EndpointAddress(family, first - first % kBlock) + (family == Family::kIpv4 ? "/28" : "/124");
  for (std::size_t i = 0; i < 2; ++i) {
    model::Config config = OnlyServicesOf(ServicesConfig(count, kEndpoints), family);
    if (i == 1)
      config.services[versions.number - 1].Edit().endpoints[0].back().addresses = {
          *model::Address::Parse(EndpointAddress(family, first + kEndpoints))};
    versions.config[i] = std::move(config);
  }
  return versions;
}

// What kube-proxy gives to iptables-restore --noflush when one Service has other endpoints: its
// chains and those of its endpoints.
std::string ChainsOf(const model::Config& all, std::uint32_t number, Family family) {
  model::Config config = all;
  config.services = {all.services[number - 1]};
  std::istringstream rules(oracle::IptablesText(config, family));
  std::string text = "*nat\n";
  for (std::string line; std::getline(rules, line);)
    for (const char* chain : {":KUBE-SVC-", ":KUBE-SEP-", "-A KUBE-SVC-", "-A KUBE-SEP-"})
      if (line.starts_with(chain)) text += line + "\n";
  return text + "COMMIT\n";
}

// "compiled=83us" -> 0.083.
double MillisecondsAfter(const std::string& log, const std::string& word) {
  const std::size_t at = log.rfind(" " + word + "=");
  if (at == log.npos) throw support::SetupError("natrixd did not say " + word + ": " + log);
  return std::stod(log.substr(at + word.size() + 2)) / 1000;
}

double Milliseconds(const std::function<void()>& act) {
  const auto start = Clock::now();
  act();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double Percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

// First packets of connections to the Service, all the time, until it is destroyed.
class Calls {
 public:
  Calls(const Options& options, Lane& lane, Family family, const Versions& called)
      : thread_([this, &options, &lane, family, &called](const std::stop_token& stop) {
          try {
            Send(options, lane, family, called, stop);
          } catch (const std::exception& error) {
            trouble_ = error.what();
          }
        }) {}

  Sample End() {
    thread_.request_stop();
    thread_.join();
    if (!trouble_.empty()) throw support::SetupError(trouble_);
    return sum_;
  }

 private:
  void Send(const Options& options, Lane& lane, Family family, const Versions& called,
            const std::stop_token& stop) {
    constexpr std::uint32_t kAtOnce = 65536;  // between two of them the kernel takes a break
    const Names& names = NamesOf(family);
    const Gauge gauge(options.cpu);
    const Stream stream{.family = family,
                        .src = names.pods,
                        .dst = ServiceAddress(family, called.number),
                        .dport = kServicePort,
                        .flows = 0};
    Passage passage{.order = lane.wires().Order(BENCH_NEAR, stream),
                    .wanted = WantedOf(names.pods_net, called.endpoints)};
    while (!stop.stop_requested()) {
      const Sample sample = gauge.Send(lane.wires(), passage, kAtOnce);
      sum_.sent += sample.sent;
      sum_.right += sample.right;
      sum_.wrong += sample.wrong;
    }
  }

  Sample sum_;
  std::string trouble_;
  std::jthread thread_;  // last: it uses the others
};

struct Times {
  std::vector<double> natrix;    // ms of natrixd's work until a packet sees it, the file being read
  std::vector<double> compiled;  // of these: looking at the node, and compiling
  std::vector<double> whole;     // ms from SIGHUP until settled, reading included
  std::vector<double> legacy;
};

class Changes {
 public:
  Changes(const Options& options, Family family)
      : options_(options),
        family_(family),
        versions_(VersionsOf(options.tiny ? 100 : 10000, family)),
        comparison_(options) {
    for (std::size_t i = 0; i < 2; ++i) yaml_[i] = oracle::YamlText(versions_.config[i]);
  }

  // A quick run has no time for the seven seconds that iptables takes to load all of it.
  void Run(Results& results) {
    const bool rival = options_.full || options_.tiny;
    std::vector<LaneKind> kinds{LaneKind::kNatrix};
    if (rival) kinds.push_back(LaneKind::kLegacy);
    comparison_.Add("", versions_.config[0], kinds);
    const int times = options_.full ? 50 : options_.tiny ? 4 : 10;
    for (int i = 0; i < times; ++i) ChangeNatrix();
    if (rival) ChangeLegacy(options_.full ? 10 : 2);
    Calls calls(options_, comparison_.lane("", LaneKind::kNatrix), family_, versions_);
    Times ignored = times_;
    for (int i = 0; i < (options_.full ? 10 : 2); ++i) ChangeNatrix();
    times_ = std::move(ignored);
    Report(calls.End(), results);
  }

 private:
  void ChangeNatrix() {
    options_.progress(fmt::format("one endpoint of {} Services changes, IPv{}: {}",
                                  versions_.config[0].services.size(), Number(), version_));
    Lane& lane = comparison_.lane("", LaneKind::kNatrix);
    std::string log;
    times_.whole.push_back(Milliseconds([&] { log = lane.ApplyNatrix(yaml_[++version_ % 2]); }));
    times_.compiled.push_back(MillisecondsAfter(log, "compiled"));
    times_.natrix.push_back(times_.compiled.back() + MillisecondsAfter(log, "in_force"));
  }

  void ChangeLegacy(int times) {
    const support::Namespace& node = comparison_.lane("", LaneKind::kLegacy).wires().node();
    const std::string program =
        family_ == Family::kIpv4 ? "iptables-legacy-restore" : "ip6tables-legacy-restore";
    for (int i = 1; i <= times; ++i) {
      const std::string text =
          ChainsOf(versions_.config[static_cast<std::size_t>(i % 2)], versions_.number, family_);
      times_.legacy.push_back(Milliseconds([&] {
        const support::Finished done =
            support::TryCommand(&node, {program, "--noflush"}, text, support::milliseconds(600000));
        if (done.status != 0) throw support::SetupError(program + " --noflush: " + done.errors);
      }));
    }
  }

  void Report(const Sample& calls, Results& results) {
    const std::string what = fmt::format("one endpoint changed among {} Services x {} endpoints",
                                         versions_.config[0].services.size(), kEndpoints);
    const auto add = [&](const char* id, const std::string& words, const char* unit) -> Measured& {
      return results.cases.emplace_back(
          Measured{.id = id, .title = what + words, .family = Number(), .unit = unit});
    };
    const std::string slowest = fmt::format(", slowest of {}", times_.natrix.size());
    for (const auto& [id, words, share] :
         {std::tuple<const char*, std::string, double>("change-p50", ", half within", 0.5),
          {"change-p99", slowest, 0.99}}) {
      Measured& measured = add(id, words, "ms");
      measured.Lane("natrix").samples = {Percentile(times_.natrix, share)};
      measured.Lane("natrix, compiled").samples = {Percentile(times_.compiled, share)};
      measured.Lane("natrix, whole file read").samples = {Percentile(times_.whole, share)};
      if (!times_.legacy.empty())
        measured.Lane("legacy").samples = {Percentile(times_.legacy, share)};
    }
    Measured& arrived = add("change-delivered", ", its callers' packets that arrived", "share");
    LaneResult& lane = arrived.Lane("natrix");
    lane.samples = {calls.delivered()};
    lane.delivered = calls.delivered();
    if (calls.sent == 0) lane.refused = "nothing was sent";
    options_.progress(fmt::format("{} calls while it changed: {} lost, {} misrouted", calls.sent,
                                  calls.sent - calls.right - calls.wrong, calls.wrong));
  }

  int Number() const { return family_ == Family::kIpv4 ? 4 : 6; }

  const Options& options_;
  Family family_;
  Versions versions_;
  std::array<std::string, 2> yaml_;
  Comparison comparison_;
  std::size_t version_ = 0;
  Times times_;
};

}  // namespace

void MeasureChanges(const Options& options, Results& results) {
  if (!options.Wants("changes")) return;
  for (const Family family : options.families)
    if (options.full || family == options.families.front()) Changes(options, family).Run(results);
}

}  // namespace natrix::bench
