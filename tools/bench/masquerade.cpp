// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

const std::vector<LaneKind> kLanes{LaneKind::kX,      LaneKind::kT,           LaneKind::kK,
                                   LaneKind::kLegacy, LaneKind::kIptablesNft, LaneKind::kNft,
                                   LaneKind::kNatrix, LaneKind::kNatrixXdp};

std::string Thousands(std::uint32_t flows) {
  return flows % 1000 == 0 ? fmt::format("{}k", flows / 1000) : fmt::format("{}", flows);
}

PacketCase Established(Family family, std::uint32_t flows) {
  const Names& names = NamesOf(family);
  std::uint32_t destinations = 1;
  while (destinations << kFlowBits < flows) destinations *= 2;
  return {.id = "masquerade-" + Thousands(flows),
          .title = fmt::format("established masquerade, {} flows", Thousands(flows)),
          .floor = LaneKind::kT,
          .lanes = kLanes,
          .stream = {.family = family,
                     .src = names.pods,
                     .dst = names.outside,
                     .destinations = destinations,
                     .flows = flows},
          .called = names.outside_net,
          .plain_src = names.pods_net,
          .plain_dst = names.outside_net,
          .src = names.node,
          .dst = names.outside_net};
}

PacketCase New(const Options& options, Family family) {
  PacketCase one = Established(family, 0);
  one.id = "masquerade-new";
  one.title = "new masqueraded flow";
  one.floor = LaneKind::kK;
  one.lanes = {LaneKind::kK, LaneKind::kLegacy, LaneKind::kIptablesNft, LaneKind::kNft,
               LaneKind::kNatrix};
  one.stream.destinations = 1024;
  one.packets = std::min<std::uint32_t>(options.packets, 50000);  // fewer than maxEmbryos
  one.established = false;
  return one;
}

PacketCase PassThrough(const Options& options, Family family) {
  const Names& names = NamesOf(family);
  PacketCase one = Established(family, 1000);
  one.id = "pass-through";
  one.title = "none of ours, 1k flows";
  one.floor = LaneKind::kK;
  one.lanes = New(options, family).lanes;
  one.stream.src = names.strangers;
  one.plain_src = one.src = names.strangers_net;
  one.answered = false;
  return one;
}

// Flows beyond what tables hold without being told.  Establishing them takes longer than the rest.
void MeasureMany(const Options& all, Results& results) {
  Options options = all;
  options.rounds = std::min<std::uint32_t>(all.rounds, 5);
  std::vector<PacketCase> cases;
  for (const Family family : options.families) {
    cases.push_back(Established(family, 256000));
    cases.back().lanes = {LaneKind::kT, LaneKind::kK, LaneKind::kLegacy, LaneKind::kNft,
                          LaneKind::kNatrix};
  }
  Comparison comparison(options);
  comparison.Add("", KubeOvnConfig(), cases.front().lanes,
                 "flows: {maxEstablished: 524288, maxEmbryos: 524288}\n");
  comparison.Run(cases, results);
}

}  // namespace

void MeasureMasquerade(const Options& options, Results& results) {
  if (!options.Wants("masquerade")) return;
  std::vector<PacketCase> cases;
  for (const Family family : options.families) {
    cases.push_back(Established(family, 1000));
    if (options.tiny) continue;
    if (options.full) cases.push_back(Established(family, 1));
    cases.push_back(Established(family, 32000));
    cases.push_back(New(options, family));
    cases.push_back(PassThrough(options, family));
  }
  std::vector<LaneKind> lanes = kLanes;
  if (options.fast_path == "off") {
    // XDP takes nothing but the short cut.
    std::erase(lanes, LaneKind::kNatrixXdp);
    for (PacketCase& one : cases) std::erase(one.lanes, LaneKind::kNatrixXdp);
  }
  Comparison comparison(options);
  comparison.Add("", KubeOvnConfig(), lanes);
  comparison.Run(cases, results);
  if (options.full) MeasureMany(options, results);
}

}  // namespace natrix::bench
