// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

using enum LaneKind;

// A pod of another node calls the Service, so that nobody asks for masquerade.
PacketCase ToPod(Family family, std::uint32_t flows) {
  const Names& names = NamesOf(family);
  const std::string service = ServiceAddress(family, 1);
  return {.id = fmt::format("pod-{}k", flows / 1000),
          .title = fmt::format("established DNAT to a local pod, {}k flows", flows / 1000),
          .floor = kP,
          .lanes = {kP, kK, kLegacy, kIptablesNft, kNft, kNatrix},
          .from = BENCH_FAR,
          .to = BENCH_POD,
          .stream = {.family = family,
                     .src = names.remote,
                     .dst = service,
                     .dport = kServicePort,
                     .flows = flows},
          .floors_to = names.pod,
          .called = service,
          .plain_src = names.remote_net,
          .plain_dst = names.pod,
          .src = names.remote_net,
          .dst = names.pod};
}

struct Position {
  const char* name;
  std::uint32_t number;
};

// A pod of this node calls one of `count` Services for the first time.
PacketCase FirstPacket(Family family, std::uint32_t count, const Position& position) {
  const Names& names = NamesOf(family);
  const std::string service = ServiceAddress(family, position.number);
  return {.id = fmt::format("service-{}-{}", count, position.name),
          .title = fmt::format("first packet to the {} of {} Services", position.name, count),
          .setting = std::to_string(count),
          .floor = kNatrix,
          .stream = {.family = family,
                     .src = names.pods,
                     .dst = service,
                     .dport = kServicePort,
                     .flows = 0},
          .called = service,
          .packets = 4096,
          .plain_src = names.pods_net,
          .plain_dst = service,
          .src = names.pods_net,
          .dst = names.endpoints_net,
          .established = false};
}

struct Scale {
  std::uint32_t count;
  std::vector<LaneKind> lanes;
  bool slow_nft = false;  // nft takes 15 s for 10,000 Services of a family: IPv4 only
};

// Loading and searching so many rules takes the other lanes too long.
std::vector<Scale> ScalesOf(const Options& options) {
  const std::vector<LaneKind> all{kLegacy, kIptablesNft, kNft, kNatrix};
  if (options.tiny) return {{10, all}};
  if (!options.full)
    return {{100, all}, {10000, {kLegacy, kNft, kNatrix}, true}, {30000, {kNatrix}}};
  return {{10, all},
          {100, all},
          {1000, all},
          {10000, {kLegacy, kNft, kNatrix}, true},
          {30000, {kLegacy, kNatrix}}};
}

std::vector<Position> PositionsOf(const Options& options, std::uint32_t count) {
  if (options.full) return {{"first", 1}, {"middle", count / 2}, {"last", count}};
  if (count == 10000) return {{"first", 1}, {"last", count}};
  return {{"last", count}};
}

}  // namespace

void MeasurePod(const Options& options, Results& results) {
  if (!options.Wants("pod")) return;
  std::vector<PacketCase> cases;
  for (const Family family : options.families) {
    cases.push_back(ToPod(family, 1000));
    if (!options.tiny) cases.push_back(ToPod(family, 32000));
  }
  Comparison comparison(options);
  comparison.Add("", PodServiceConfig(), cases.front().lanes);
  comparison.Run(cases, results);
}

void MeasureServices(const Options& options, Results& results) {
  if (!options.Wants("services")) return;
  Comparison comparison(options);
  std::vector<PacketCase> cases;
  for (const Scale& scale : ScalesOf(options)) {
    options.progress(fmt::format("loading {} Services", scale.count));
    const model::Config config = ServicesConfig(scale.count, 1);
    const std::string setting = std::to_string(scale.count);
    std::vector<LaneKind> lanes = scale.lanes;
    if (scale.slow_nft) {
      std::erase(lanes, kNft);
      comparison.Add(setting, OnlyServicesOf(config, Family::kIpv4), {kNft});
    }
    comparison.Add(setting, config, lanes);
    for (const Family family : options.families) {
      for (const Position& position : PositionsOf(options, scale.count)) {
        cases.push_back(FirstPacket(family, scale.count, position));
        cases.back().lanes = family == Family::kIpv4 ? scale.lanes : lanes;
      }
    }
  }
  comparison.Run(cases, results);
}

}  // namespace natrix::bench
