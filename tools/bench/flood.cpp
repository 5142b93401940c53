// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <thread>

#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kEstablished = 1000;      // flows
constexpr std::uint32_t kTalk = 1024;             // of their packets, in each step
constexpr std::uint32_t kNewInStep = 128;         // flows
constexpr std::chrono::microseconds kStep{1280};  // so that 100,000 a second are new
constexpr std::uint32_t kFill = 300000;           // more flows than either table holds

struct Talk {
  double ns = 0;  // of all established packets
  std::uint64_t sent = 0;
  std::uint64_t right = 0;
  double new_per_second = 0;
};

class Flood {
 public:
  Flood(const Options& options, Lane& lane, Family family)
      : gauge_(options.cpu), wires_(lane.wires()), steps_(options.tiny ? 20 : 200) {
    const Names& names = NamesOf(family);
    const Stream old{
        .family = family, .src = names.pods, .dst = names.outside, .flows = kEstablished};
    Stream fresh = old;
    fresh.destinations = 1024;
    fresh.dport = 9090;
    fresh.flows = 0;
    for (auto [passage, stream] : {std::pair(&old_, old), std::pair(&fresh_, fresh)})
      *passage = {.order = wires_.Order(BENCH_NEAR, stream),
                  .wanted = WantedOf(names.node, names.outside_net),
                  .back = WantedOf(names.outside_net, names.pods_net)};
  }

  void Establish() { gauge_.Echo(wires_, old_, 2 * kEstablished); }
  void Fill() { gauge_.Send(wires_, fresh_, kFill); }

  // Established flows talk, with or without new ones between.
  Talk Run(bool flooded) {
    Talk talk;
    const auto start = Clock::now();
    for (std::uint32_t step = 0; step < steps_; ++step) {
      if (flooded) {
        gauge_.Send(wires_, fresh_, kNewInStep);
        std::this_thread::sleep_until(start + step * kStep);
      }
      const Sample sample = gauge_.Send(wires_, old_, kTalk);
      talk.ns += sample.ns_per_packet * static_cast<double>(sample.sent);
      talk.sent += sample.sent;
      talk.right += sample.right;
    }
    const std::chrono::duration<double> passed = Clock::now() - start;
    if (flooded) talk.new_per_second = steps_ * kNewInStep / passed.count();
    return talk;
  }

 private:
  Gauge gauge_;
  const Wires& wires_;
  std::uint32_t steps_;
  Passage old_;
  Passage fresh_;
};

struct Cases {
  Measured unloaded, full, delivered, rate;

  explicit Cases(int family) {
    const std::string what = "established masquerade in steps of 1024 packets";
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
  void Take(const std::string& lane, const Talk& calm, const Talk& flooded) {
    const auto share = [](const Talk& talk) {
      return static_cast<double>(talk.right) / static_cast<double>(talk.sent);
    };
    const auto cost = [](const Talk& talk) { return talk.ns / static_cast<double>(talk.sent); };
    unloaded.Lane(lane).samples.push_back(cost(calm));
    full.Lane(lane).samples.push_back(cost(flooded));
    delivered.Lane(lane).samples.push_back(share(flooded));
    rate.Lane(lane).samples.push_back(flooded.new_per_second);
    if (share(calm) < kLeastDelivered) unloaded.Lane(lane).refused = "packets were lost";
    full.Lane(lane).delivered = share(flooded);
  }
};

}  // namespace

void MeasureFlood(const Options& options, Results& results) {
  if (!options.Wants("flood")) return;
  Comparison comparison(options);
  const std::vector<LaneKind> kinds{LaneKind::kLegacy, LaneKind::kNatrix};
  comparison.Add("", KubeOvnConfig(), kinds);
  const std::uint32_t rounds = options.full ? options.rounds : std::min(options.rounds, 3U);
  for (const Family family : options.families) {
    Cases cases(family == Family::kIpv4 ? 4 : 6);
    for (std::uint32_t round = 0; round < rounds; ++round) {
      options.progress(fmt::format("round {} of {}: flow table full, IPv{}", round + 1, rounds,
                                   cases.full.family));
      for (const LaneKind kind : kinds) {
        Lane& lane = comparison.lane("", kind);
        lane.Forget();
        Flood flood(options, lane, family);
        flood.Establish();
        const Talk calm = flood.Run(false);
        flood.Fill();
        const Talk flooded = flood.Run(true);
        cases.Take(NameOf(kind), calm, flooded);
      }
    }
    for (Measured* one : {&cases.unloaded, &cases.full, &cases.delivered, &cases.rate})
      results.cases.push_back(std::move(*one));
  }
}

}  // namespace natrix::bench
