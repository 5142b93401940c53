// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

// The same packets through several natrix, which have more and more rules.
PacketCase Masqueraded(Family family, const std::string& what, std::uint32_t count) {
  const Names& names = NamesOf(family);
  return {.id = fmt::format("{}-{}", what, count),
          .title = fmt::format("established masquerade, 1k flows, {} {}", count, what),
          .setting = fmt::format("{}-{}", what, count),
          .lanes = {LaneKind::kNatrix},
          .stream = {.family = family, .src = names.pods, .dst = names.outside},
          .called = names.outside_net,
          .plain_src = names.pods_net,
          .plain_dst = names.outside_net,
          .src = names.node,
          .dst = names.outside_net};
}

PacketCase Served(Family family, std::uint32_t count) {
  const Names& names = NamesOf(family);
  PacketCase one = Masqueraded(family, "services", count);
  const std::string service = ServiceAddress(family, count);
  one.title = fmt::format("established call of a Service, 1k flows, {} Services", count);
  one.stream.dst = one.called = service;
  one.stream.dport = kServicePort;
  one.src = names.pods_net;
  one.dst = names.endpoints_net;
  return one;
}

// Rules as iptables has them, one after the other: those who count are for new flows.
PacketCase Ruled(Family family, std::uint32_t count, bool established) {
  PacketCase one = Masqueraded(family, "policies", count);
  one.id = fmt::format("rules-{}{}", established ? "" : "new-", count);
  one.title =
      fmt::format("{}, {} rules",
                  established ? "established masquerade, 1k flows" : "new masqueraded flow", count);
  one.lanes = {LaneKind::kLegacy, LaneKind::kIptablesNft, LaneKind::kNatrix};
  one.established = established;
  if (established) return one;
  one.stream.flows = 0;
  one.stream.destinations = 1024;
  one.packets = 4096;
  return one;
}

struct Kind {
  const char* name;
  model::Config (*config)(std::uint32_t count);
  std::uint32_t most;  // that the datapath has room for, or a configuration sense
};

model::Config ServicesOfOne(std::uint32_t count) { return ServicesConfig(count, 1); }

constexpr Kind kKinds[] = {{"prefixes", PrefixesConfig, 30000},
                           {"policies", PoliciesConfig, 10000},
                           {"services", ServicesOfOne, 30000},
                           {"subnets", SubnetsConfig, 1000}};
constexpr std::uint32_t kMostRules = 1000;  // that iptables are given

std::vector<std::uint32_t> CountsOf(const Options& options, const Kind& kind) {
  std::vector<std::uint32_t> counts{10, options.tiny ? 100U : 10000U};
  if (options.full) counts = {10, 100, 1000, 10000, 30000};
  std::erase_if(counts, [&](std::uint32_t count) { return count > kind.most; });
  // A quick run has the two ends that goals are about.
  if (counts.size() == 1) counts.clear();
  return counts;
}

void MeasureKind(const Options& options, const Kind& kind, Results& results) {
  Comparison comparison(options);
  std::vector<PacketCase> cases;
  const std::string name = kind.name;
  const std::vector<std::uint32_t> counts = CountsOf(options, kind);
  const auto has_rules = [&](std::uint32_t count) {
    return options.full && name == "policies" && count <= kMostRules;
  };
  for (const std::uint32_t count : counts) {
    options.progress(fmt::format("loading {} {}", count, name));
    std::vector<LaneKind> lanes{LaneKind::kNatrix};
    if (has_rules(count)) lanes = {LaneKind::kLegacy, LaneKind::kIptablesNft, LaneKind::kNatrix};
    comparison.Add(fmt::format("{}-{}", name, count), kind.config(count), lanes);
  }
  for (const Family family : options.families) {
    for (const std::uint32_t count : counts)
      cases.push_back(name == "services" ? Served(family, count)
                                         : Masqueraded(family, name, count));
    for (const bool established : {true, false})
      for (const std::uint32_t count : counts)
        if (has_rules(count)) cases.push_back(Ruled(family, count, established));
  }
  for (PacketCase& one : cases) one.floor = LaneKind::kNatrix;
  comparison.Run(cases, results);
}

}  // namespace

void MeasureGrowth(const Options& options, Results& results) {
  if (!options.Wants("growth")) return;
  for (const Kind& kind : kKinds) MeasureKind(options, kind, results);
}

}  // namespace natrix::bench
