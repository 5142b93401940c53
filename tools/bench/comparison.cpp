// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <utility>

#include "tools/bench/profile.h"

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

// What an established flow is measured for has to have gone that way: sent by the stack, packets
// arrive all the same.  Flows refresh their way by the stack now and then.
constexpr double kLeastShortened = 0.9;

std::string NotShortened(std::uint64_t shortened, const Sample& sample, LaneKind kind) {
  if (static_cast<double>(shortened) >= kLeastShortened * static_cast<double>(sample.sent))
    return {};
  return fmt::format("{} of {} {}", shortened, sample.sent,
                     kind == LaneKind::kNatrixXdp ? "were sent by XDP" : "took the short cut");
}

bool IsAmong(const std::string& name, const std::vector<std::string>& names) {
  return names.empty() || std::ranges::find(names, name) != names.end();
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

bool Options::Wants(const std::string& area) const { return IsAmong(area, only); }
bool Options::WantsCase(const std::string& id) const { return IsAmong(id, cases); }
bool Options::WantsLane(LaneKind kind) const { return IsAmong(NameOf(kind), lanes); }

// Namespaces are made side by side: the kernel takes up to a second to notice a device's carrier.
// Daemons are started by this thread, whose end they do not outlive.
void Comparison::Add(const std::string& setting, const model::Config& config,
                     const std::vector<LaneKind>& kinds, const std::string& natrix_words) {
  std::vector<std::future<std::unique_ptr<Lane>>> coming;
  for (const LaneKind kind : kinds) {
    if (!options_.WantsLane(kind)) continue;
    const LaneOptions options{.fast_path = options_.fast_path,
                              .natrix_words = natrix_words,
                              .broken = options_.break_lane == NameOf(kind)};
    coming.push_back(std::async(std::launch::async,
                                [kind, options] { return std::make_unique<Lane>(kind, options); }));
  }
  for (auto& one : coming) {
    std::unique_ptr<Lane> lane = one.get();
    lane->Apply(config);
    lanes_.emplace(std::pair(setting, lane->kind()), std::move(lane));
  }
}

Passage& Comparison::PassageOf(std::size_t number, const PacketCase& one, LaneKind kind) {
  const auto found = passages_.find({number, kind});
  if (found != passages_.end()) return found->second;
  const bool plain = !Translates(kind);
  Stream stream = one.stream;
  if (plain && !one.floors_to.empty()) stream.dst = one.floors_to;
  Passage passage{
      .from = one.from,
      .to = one.to,
      .order = lane(one.setting, kind).wires().Order(one.from, stream),
      .wanted = WantedOf(plain ? one.plain_src : one.src, plain ? one.plain_dst : one.dst),
      .back = WantedOf(one.called, one.plain_src)};
  return passages_.emplace(Key{number, kind}, passage).first->second;
}

// Every flow with an answer, twice: conntrack calls it assured then, and natrix has learnt the way
// of a flow that had expired since the last round.
void Comparison::Establish(const PacketCase& one, Lane& lane, Passage& passage,
                           LaneResult& result) {
  constexpr std::uint32_t kTimes = 2;
  const std::uint32_t flows = one.stream.flows;
  passage.order.at = 0;
  if (!one.answered) {
    gauge_->Send(lane.wires(), passage, flows);
    return;
  }
  if (IsFloor(lane.kind())) return;
  const Sample sample = gauge_->Echo(lane.wires(), passage, kTimes * flows);
  if (static_cast<double>(sample.returned) < kLeastDelivered * static_cast<double>(sample.sent))
    result.refused = fmt::format("{} of {} answers came back", sample.returned, sample.sent);
}

void Comparison::Prepare(std::size_t number, const PacketCase& one, LaneKind kind,
                         LaneResult& result) {
  Lane& node = lane(one.setting, kind);
  if (one.established)
    Establish(one, node, PassageOf(number, one, kind), result);
  else
    node.Forget();
}

Sample Comparison::Send(std::size_t number, const PacketCase& one, LaneKind kind) {
  return gauge_->Send(lane(one.setting, kind).wires(), PassageOf(number, one, kind),
                      one.packets != 0 ? one.packets : options_.packets);
}

void Comparison::Take(std::size_t number, const PacketCase& one, LaneKind kind,
                      LaneResult& result) {
  const bool short_cut = IsNatrix(kind) && one.established && one.answered &&
                         options_.fast_path != "off" && options_.break_lane != NameOf(kind);
  const auto shortened = [&] {
    const nx_reason reason = kind == LaneKind::kNatrixXdp ? NX_R_XDP_SENT : NX_R_SHORT_CUT;
    return short_cut ? lane(one.setting, kind).CountOf(reason) : 0;
  };
  Prepare(number, one, kind, result);
  const std::uint64_t before = shortened();
  const Sample sample = Send(number, one, kind);
  result.samples.push_back(sample.ns_per_packet);
  result.delivered = std::min(result.delivered, sample.delivered());
  std::string objection = Objection(sample);
  if (objection.empty() && short_cut) objection = NotShortened(shortened() - before, sample, kind);
  if (result.refused.empty()) result.refused = objection;
}

// The counts are also of the packets that flows were established with.
// Nanoseconds are those of `result`, since sampling costs time itself.
std::string Comparison::Profile(std::size_t number, const PacketCase& one, LaneKind kind,
                                const LaneResult& result) {
  const double least_ns = options_.tiny ? 2e8 : 1e9;
  LaneResult ignored;
  Sampler sampler;
  std::vector<std::uint64_t> addresses;
  const Counts before = lane(one.setting, kind).AllCounts();
  double ns = 0;
  while (ns < least_ns) {
    Prepare(number, one, kind, ignored);
    sampler.Start();
    const Sample sample = Send(number, one, kind);
    std::ranges::copy(sampler.Stop(), std::back_inserter(addresses));
    ns += sample.ns_per_packet * static_cast<double>(sample.sent);
    if (sample.sent == 0) break;
  }
  return fmt::format("{}, IPv{}, {}\n{}", one.title, one.stream.family == Family::kIpv4 ? 4 : 6,
                     NameOf(kind),
                     ProfileText(addresses, SpreadOf(result.samples)->median,
                                 Difference(before, lane(one.setting, kind).AllCounts())));
}

void Comparison::Run(const std::vector<PacketCase>& all, Results& results) {
  std::vector<PacketCase> cases;
  for (const PacketCase& one : all) {
    if (!options_.WantsCase(one.id)) continue;
    cases.push_back(one);
    std::erase_if(cases.back().lanes, [&](LaneKind kind) { return !options_.WantsLane(kind); });
  }
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
  for (std::size_t i = 0; options_.profile && i < cases.size(); ++i)
    for (const LaneKind kind : cases[i].lanes)
      if (IsNatrix(kind))
        results.profiles.push_back(
            Profile(i, cases[i], kind, results.cases[first + i].Lane(NameOf(kind))));
  gauge_.reset();
}

}  // namespace natrix::bench
