// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/support/setup_error.h"
#include "tools/bench/areas.h"
#include "tools/bench/setting.h"
#include "tools/bench/tcp_sockets.h"

namespace natrix::bench {
namespace {

using enum LaneKind;

int NumberOf(Family family) { return family == Family::kIpv4 ? 4 : 6; }
std::string ServerOf(Family family) { return family == Family::kIpv4 ? "198.18.0.1" : "2001:2::1"; }

struct Hosts {
  LaneKind kind;
  std::unique_ptr<Lane> lane;
};

std::vector<Hosts> MakeHosts(const Options& options, const std::vector<LaneKind>& kinds) {
  std::vector<Hosts> hosts;
  for (const LaneKind kind : kinds) {
    const LaneOptions with{.packets = false,
                           .fast_path = options.fast_path,
                           .broken = options.break_lane == NameOf(kind)};
    hosts.push_back({kind, std::make_unique<Lane>(kind, with)});
    hosts.back().lane->Apply(KubeOvnConfig());
  }
  return hosts;
}

// iperf3's receiver, in Gbit/s.
double Bulk(const Lane& lane, Family family, int streams, const char* bytes) {
  support::Process server(&lane.wires().far(), {"iperf3", "-s", "-1", "--forceflush"});
  server.WaitForLine("Server listening");
  const std::string output = support::RunCommand(
      &lane.wires().near(),
      {"iperf3", "-J", "-c", ServerOf(family), "-P", std::to_string(streams), "-n", bytes});
  const auto json = nlohmann::json::parse(output, nullptr, false);
  if (json.is_discarded() || !json.contains("end"))
    throw support::SetupError("iperf3: " + output.substr(0, 300));
  return json["end"]["sum_received"]["bits_per_second"].get<double>() / 1e9;
}

class Run {
 public:
  Run(const Options& options, std::vector<Hosts>& hosts, Family family, Results& results)
      : options_(options), hosts_(hosts), family_(family), results_(results) {}

  void All() {
    const std::uint32_t rounds = std::min(options_.rounds, 5U);
    for (std::uint32_t round = 0; round < rounds; ++round) {
      options_.progress(
          fmt::format("round {} of {}: TCP, IPv{}", round + 1, rounds, NumberOf(family_)));
      for (std::size_t k = 0; k < hosts_.size(); ++k) Small(hosts_[(k + round) % hosts_.size()]);
      for (const int streams : options_.full ? std::vector{1, 8} : std::vector{1})
        for (std::size_t k = 0; k < hosts_.size(); ++k)
          OneBulk(hosts_[(k + round) % hosts_.size()], streams);
    }
  }

 private:
  LaneResult& At(const char* id, const std::string& title, const char* unit, LaneKind kind) {
    for (Measured& measured : results_.cases)
      if (measured.id == id && measured.family == NumberOf(family_))
        return measured.Lane(NameOf(kind));
    results_.cases.push_back(
        {.id = id, .title = title, .family = NumberOf(family_), .unit = unit, .floor = "K"});
    return results_.cases.back().Lane(NameOf(kind));
  }

  void Small(const Hosts& host) {
    const Wires& wires = host.lane->wires();
    const std::uint32_t connections = options_.tiny ? 50 : 2000;
    const double ns = ConnectClose(wires, options_.cpu, ServerOf(family_), connections);
    At("connect-close", "TCP connections opened and closed, by one CPU", "1/s", host.kind)
        .samples.push_back(1e9 / ns);
    const std::uint32_t requests = options_.tiny ? 100 : 20000;
    const Latency latency = Requests(wires, options_.cpu, ServerOf(family_), requests);
    At("latency-p50", "request and answer on a connection, half within", "us", host.kind)
        .samples.push_back(latency.p50_us);
    At("latency-p99", "request and answer on a connection, 99 of 100 within", "us", host.kind)
        .samples.push_back(latency.p99_us);
  }

  void OneBulk(const Hosts& host, int streams) {
    const double rate = Bulk(*host.lane, family_, streams,
                             options_.full   ? "2G"
                             : options_.tiny ? "10M"
                                             : "300M");
    At(streams == 1 ? "bulk-1" : "bulk-8",
       fmt::format("iperf3, GSO, {} stream{}", streams, streams == 1 ? "" : "s"), "Gbit/s",
       host.kind)
        .samples.push_back(rate);
  }

  const Options& options_;
  std::vector<Hosts>& hosts_;
  Family family_;
  Results& results_;
};

}  // namespace

void MeasureTcp(const Options& options, Results& results) {
  if (!options.Wants("tcp")) return;
  std::vector<Hosts> hosts = MakeHosts(options, {kK, kLegacy, kIptablesNft, kNft, kNatrix});
  for (const Family family : options.families) Run(options, hosts, family, results).All();
}

}  // namespace natrix::bench
