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

}  // namespace

void MeasureGrowth(const Options& options, Results& results) {
  if (!options.Wants("growth")) return;
  Comparison comparison(options);
  std::vector<PacketCase> cases;
  const std::vector<std::uint32_t> counts =
      options.full ? std::vector<std::uint32_t>{10, 100, 1000, 10000}
                   : std::vector<std::uint32_t>{10, options.tiny ? 100U : 10000U};
  for (const std::uint32_t count : counts) {
    options.progress(fmt::format("loading {} prefixes, policies and Services", count));
    const auto add = [&](const std::string& what, const model::Config& config) {
      comparison.Add(fmt::format("{}-{}", what, count), config, {LaneKind::kNatrix});
    };
    add("prefixes", PrefixesConfig(count));
    add("policies", PoliciesConfig(count));
    add("services", ServicesConfig(count, 1));
  }
  for (const Family family : options.families) {
    for (const char* what : {"prefixes", "policies"})
      for (const std::uint32_t count : counts) cases.push_back(Masqueraded(family, what, count));
    for (const std::uint32_t count : counts) cases.push_back(Served(family, count));
  }
  for (PacketCase& one : cases) one.floor = LaneKind::kNatrix;
  comparison.Run(cases, results);
}

}  // namespace natrix::bench
