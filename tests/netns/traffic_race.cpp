// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_race.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <list>
#include <map>

#include "tests/netns/traffic_sockets.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using oracle::EngineKind;

namespace {

std::string NameOfLane(std::optional<EngineKind> kind) {
  if (!kind) return "forwarding";
  return *kind == EngineKind::kNatrix   ? "natrix"
         : *kind == EngineKind::kLegacy ? "iptables-legacy"
                                        : "iptables-nft";
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

Lane::Lane(std::optional<EngineKind> kind)
    : name_(NameOfLane(kind)), scene_(name_, {.live = true, .offloads = true}) {
  if (kind) {
    engine_ = oracle::MakeEngine(*kind, scene_);
    engine_->Apply(oracle::LoadConfig(oracle::ExamplePath()));
  }
  server_ = support::Process(&scene_.at(Place::kOutside), {"iperf3", "-s", "--forceflush"});
  server_.WaitForLine("Server listening", Scaled(milliseconds(10000)));
}

double Lane::Run(Family family, int seconds) {
  const std::size_t so_far = server_.Output().size();
  const support::Finished done =
      support::TryCommand(&scene_.at(Place::kPod1),
                          {"iperf3", "-c", CastOf(family).web, "-t", std::to_string(seconds), "-J"},
                          {}, milliseconds(1000 * seconds) + Scaled(milliseconds(20000)));
  const Json report = Json::parse(done.output, nullptr, false);
  if (done.status != 0 || report.is_discarded())
    throw support::SetupError(name_ + ": iperf3: " + done.output + done.errors);
  // Ready for the next client.
  server_.WaitForLine("Server listening", Scaled(milliseconds(10000)), so_far);
  return report.at("end").at("sum_received").at("bits_per_second");
}

void RunRace(int seconds, int rounds) {
  std::list<Lane> lanes;
  lanes.emplace_back(std::nullopt);
  for (const EngineKind kind : {EngineKind::kLegacy, EngineKind::kNft, EngineKind::kNatrix})
    lanes.emplace_back(kind);
  std::map<std::pair<std::string, Family>, std::vector<double>> figures;
  for (int round = 1; round <= rounds; ++round) {
    for (const Family family : kFamilies) {
      for (Lane& lane : lanes) {
        const double rate = lane.Run(family, seconds) / 1e9;
        EXPECT_GT(rate, 0) << lane.name() << ' ' << NameOf(family);
        figures[{lane.name(), family}].push_back(rate);
        fmt::print("race: round {} {} {:<15} {:6.2f} Gbit/s\n", round, NameOf(family), lane.name(),
                   rate);
        std::fflush(stdout);
      }
    }
  }
  fmt::print("race: medians of {} rounds of {} s\n", rounds, seconds);
  for (const Family family : kFamilies)
    for (const Lane& lane : lanes)
      fmt::print("race: {} {:<15} {:6.2f} Gbit/s\n", NameOf(family), lane.name(),
                 Median(figures[{lane.name(), family}]));
  for (const Lane& lane : lanes) {
    EXPECT_EQ(lane.Errors(), 0U) << lane.name();
    fmt::print("race: {:<15} {} checksum errors\n", lane.name(), lane.Errors());
  }
}

}  // namespace natrix::netns
