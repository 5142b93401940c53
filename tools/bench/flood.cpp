// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

constexpr std::uint32_t kEstablished = 1000;  // flows
constexpr std::uint32_t kFill = 300000;       // more new flows than either lane's table holds
constexpr std::uint32_t kEvery = 10;          // packets, of which one is a new flow

struct Costs {
  double calm = 0;       // ns of an established packet
  double flooded = 0;    // the same amid new flows
  double delivered = 0;  // share of these that arrived
  double new_rate = 0;   // flows in a second of the CPU
  bool lost_when_calm = false;
};

// One round of one lane.  What an established packet costs amid new flows is what all cost, less
// what as many new flows cost alone, under the same full table.
class Flood {
 public:
  Flood(const Options& options, Lane& lane, Family family)
      : gauge_(options.cpu),
        wires_(lane.wires()),
        packets_(options.packets),
        fill_(options.tiny ? options.packets : kFill) {
    const Names& names = NamesOf(family);
    const Stream stream{
        .family = family, .src = names.pods, .dst = names.outside, .flows = kEstablished};
    const std::string old = names.outside + (family == Family::kIpv4 ? "/17" : "/113");
    passage_ = {.order = wires_.Order(BENCH_NEAR, stream),
                .wanted = WantedOf(names.node, old),
                .back = WantedOf(old, names.pods_net)};
  }

  // Once full, a table stays so: nothing is old enough to go within a run.
  Costs Measure(bool fill) {
    gauge_.Echo(wires_, passage_, 2 * kEstablished);
    const Sample calm = Send(0, packets_);
    if (fill) Send(1, fill_);
    const Sample fresh = Send(1, packets_);
    const Sample mixed = Send(kEvery, packets_);
    const double sent = static_cast<double>(mixed.sent);
    const double few = sent / kEvery;
    const double all_ns = mixed.ns_per_packet * sent;
    return {.calm = calm.ns_per_packet,
            .flooded = (all_ns - few * fresh.ns_per_packet) / (sent - few),
            .delivered = static_cast<double>(mixed.right) / (sent - few),
            .new_rate = 1e9 * few / all_ns,
            .lost_when_calm = calm.delivered() < kLeastDelivered};
  }

 private:
  Sample Send(std::uint32_t every, std::uint32_t packets) {
    passage_.order.every = every;
    return gauge_.Send(wires_, passage_, packets);
  }

  Gauge gauge_;
  const Wires& wires_;
  std::uint32_t packets_;
  std::uint32_t fill_;
  Passage passage_;
};

struct Cases {
  Measured unloaded, full, delivered, rate;

  explicit Cases(int family) {
    const std::string what = "established masquerade, 1k flows";
    unloaded = {.id = "flood-unloaded", .title = what, .family = family, .unit = "ns/packet"};
    full = {.id = "flood-full",
            .title = what + ", table full, new flows",
            .family = family,
            .unit = "ns/packet"};
    delivered = {.id = "flood-delivered",
                 .title = "share of these that arrived",
                 .family = family,
                 .unit = "share"};
    rate = {.id = "flood-rate", .title = "new flows meanwhile", .family = family, .unit = "1/s"};
  }
  void Take(const std::string& lane, const Costs& costs) {
    unloaded.Lane(lane).samples.push_back(costs.calm);
    full.Lane(lane).samples.push_back(costs.flooded);
    delivered.Lane(lane).samples.push_back(costs.delivered);
    rate.Lane(lane).samples.push_back(costs.new_rate);
    if (costs.lost_when_calm) unloaded.Lane(lane).refused = "packets were lost";
    LaneResult& flooded = full.Lane(lane);
    flooded.delivered = std::min(flooded.delivered, costs.delivered);
    if (costs.delivered < kLeastDelivered)
      flooded.refused =
          fmt::format("{:.2f} % of the established packets arrived", 100 * costs.delivered);
  }
};

}  // namespace

void MeasureFlood(const Options& options, Results& results) {
  if (!options.Wants("flood")) return;
  Comparison comparison(options);
  const std::vector<LaneKind> kinds{LaneKind::kLegacy, LaneKind::kNatrix};
  comparison.Add("", KubeOvnConfig(), kinds);
  const std::uint32_t rounds = options.rounds;
  for (const Family family : options.families) {
    Cases cases(family == Family::kIpv4 ? 4 : 6);
    for (std::uint32_t round = 0; round < rounds; ++round) {
      options.progress(fmt::format("round {} of {}: flow table full, IPv{}", round + 1, rounds,
                                   cases.full.family));
      for (const LaneKind kind : kinds) {
        Lane& lane = comparison.lane("", kind);
        cases.Take(NameOf(kind), Flood(options, lane, family).Measure(round == 0));
      }
    }
    for (Measured* one : {&cases.unloaded, &cases.full, &cases.delivered, &cases.rate})
      results.cases.push_back(std::move(*one));
  }
}

}  // namespace natrix::bench
