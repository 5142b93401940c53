// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/comparison.h"

#include <fmt/core.h>

#include <algorithm>

namespace natrix::bench {
namespace {

// Rounds are what natrix' expiry and other people's timers fall into; a sample that lost packets
// says why.
std::string Objection(const Sample& sample) {
  if (sample.sent == 0) return "nothing was sent";
  if (sample.delivered() < kLeastDelivered)
    return fmt::format("{:.2f} % arrived as they should, {} of {} with other addresses or checksum",
                       100 * sample.delivered(), sample.wrong, sample.sent);
  if (sample.astray * 100 > sample.sent)
    return fmt::format("{} of {} were worked on by another CPU", sample.astray, sample.sent);
  return {};
}

bool Translates(LaneKind kind) { return !IsFloor(kind); }

Measured BeginningOf(const PacketCase& one) {
  Measured measured{.id = one.id,
                    .title = one.title,
                    .family = one.stream.family == Family::kIpv4 ? 4 : 6,
                    .unit = "ns/packet",
                    .floor = NameOf(one.floor)};
  for (const LaneKind kind : one.lanes) measured.Lane(NameOf(kind));
  return measured;
}

}  // namespace

bool Options::Wants(const std::string& area) const {
  return only.empty() || std::ranges::find(only, area) != only.end();
}

Comparison::Comparison(const Options& options, const model::Config& config,
                       std::vector<LaneKind> lanes)
    : options_(options) {
  for (const LaneKind kind : lanes) {
    const bool broken = options.break_lane == NameOf(kind);
    auto lane =
        std::make_unique<Lane>(kind, LaneOptions{.fast_path = options.fast_path, .broken = broken});
    lane->Apply(config);
    lanes_.emplace(kind, std::move(lane));
  }
}

Passage& Comparison::PassageOf(std::size_t number, const PacketCase& one, LaneKind kind) {
  const auto found = passages_.find({number, kind});
  if (found != passages_.end()) return found->second;
  const bool plain = !Translates(kind);
  Passage passage{
      .from = one.from,
      .to = one.to,
      .order = lane(kind).wires().Order(one.from, one.stream),
      .wanted = WantedOf(plain ? one.plain_src : one.src, plain ? one.plain_dst : one.dst),
      .back = WantedOf(one.plain_dst, one.plain_src)};
  return passages_.emplace(Key{number, kind}, passage).first->second;
}

// Every flow once with an answer, and once more: conntrack calls it assured then.
void Comparison::Establish(const PacketCase& one, Lane& lane, Passage& passage,
                           LaneResult& result) {
  const std::uint32_t flows = one.stream.flows;
  passage.order.at = 0;
  if (!one.answered) {
    gauge_->Send(lane.wires(), passage, flows);
    return;
  }
  if (IsFloor(lane.kind())) return;
  const Sample sample = gauge_->Echo(lane.wires(), passage, 2 * flows);
  if (static_cast<double>(sample.returned) < kLeastDelivered * static_cast<double>(sample.sent))
    result.refused = fmt::format("{} of {} answers came back", sample.returned, sample.sent);
}

void Comparison::Take(std::size_t number, const PacketCase& one, LaneKind kind,
                      LaneResult& result) {
  Passage& passage = PassageOf(number, one, kind);
  Lane& node = lane(kind);
  if (one.established)
    Establish(one, node, passage, result);
  else
    node.Forget();
  const Sample sample = gauge_->Send(node.wires(), passage, options_.packets);
  result.samples.push_back(sample.ns_per_packet);
  result.delivered = std::min(result.delivered, sample.delivered());
  if (const std::string objection = Objection(sample); result.refused.empty() && !objection.empty())
    result.refused = objection;
}

void Comparison::Run(const std::vector<PacketCase>& cases, Results& results) {
  const std::size_t first = results.cases.size();
  for (const PacketCase& one : cases) results.cases.push_back(BeginningOf(one));
  passages_.clear();
  gauge_.emplace(options_.cpu);
  for (std::uint32_t round = 0; round < options_.rounds; ++round) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const PacketCase& one = cases[i];
      options_.progress(fmt::format("round {} of {}: {}, IPv{}", round + 1, options_.rounds,
                                    one.title, results.cases[first + i].family));
      for (std::size_t k = 0; k < one.lanes.size(); ++k) {
        const LaneKind kind = one.lanes[(k + round) % one.lanes.size()];
        Take(i, one, kind, results.cases[first + i].Lane(NameOf(kind)));
      }
    }
  }
  gauge_.reset();
}

}  // namespace natrix::bench
