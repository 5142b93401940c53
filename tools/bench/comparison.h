// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/gauge.h"
#include "tools/bench/lane.h"
#include "tools/bench/results.h"

// Lanes side by side: the same packets through each of them in turn, round after round.
namespace natrix::bench {

struct Options {
  int cpu = 0;
  std::uint32_t rounds = 5;
  std::uint32_t packets = 65536;  // of one sample
  bool full = false;
  bool tiny = false;  // a test of the tool: as little as shows that it works
  std::vector<Family> families{Family::kIpv4, Family::kIpv6};
  std::string fast_path;
  std::string break_lane;          // this one translates nothing
  std::vector<std::string> only;   // areas; empty: all
  std::vector<std::string> cases;  // of these ids; empty: all.  Those of packets
  std::vector<std::string> lanes;  // likewise
  bool profile = false;            // say where natrix' time goes, case by case
  std::function<void(const std::string&)> progress;

  bool Wants(const std::string& area) const;
  bool WantsCase(const std::string& id) const;
  bool WantsLane(LaneKind kind) const;
};

struct PacketCase {
  std::string id;
  std::string title;
  std::string setting;  // whose configuration; see Comparison::Add
  LaneKind floor = LaneKind::kK;
  std::vector<LaneKind> lanes;
  bench_place from = BENCH_NEAR;
  bench_place to = BENCH_FAR;
  Stream stream;
  std::string floors_to;      // where floors' packets go instead of stream.dst, unless empty
  std::string called;         // the prefix that senders call, and are answered from
  std::uint32_t packets = 0;  // of one sample; 0: as the options say
  // Prefixes of what arrives: as it was sent, where nothing translates; and translated.
  std::string plain_src;
  std::string plain_dst;
  std::string src;
  std::string dst;
  bool established = true;  // seen in both directions before; else every packet is new
  bool answered = true;     // the far side answers while a flow is established
};

class Comparison {
 public:
  explicit Comparison(const Options& options) : options_(options) {}

  // Lanes under one configuration.  Cases name it by `setting`.  `natrix_words` stand in natrix'
  // file besides.
  void Add(const std::string& setting, const model::Config& config,
           const std::vector<LaneKind>& kinds, const std::string& natrix_words = {});

  // Runs all of them, interleaved: round by round, in each round case by case, in each case lane by
  // lane, beginning with another one each time.
  void Run(const std::vector<PacketCase>& cases, Results& results);
  Lane& lane(const std::string& setting, LaneKind kind) { return *lanes_.at({setting, kind}); }

 private:
  using Key = std::pair<std::size_t, LaneKind>;  // of cases

  Passage& PassageOf(std::size_t number, const PacketCase& one, LaneKind kind);
  void Establish(const PacketCase& one, Lane& lane, Passage& passage, LaneResult& result);
  void Prepare(std::size_t number, const PacketCase& one, LaneKind kind, LaneResult& result);
  Sample Send(std::size_t number, const PacketCase& one, LaneKind kind);
  std::string Profile(std::size_t number, const PacketCase& one, LaneKind kind,
                      const LaneResult& result);
  void Take(std::size_t number, const PacketCase& one, LaneKind kind, LaneResult& result);

  const Options& options_;
  std::optional<Gauge> gauge_;  // only while packets are sent: daemons are not held on its CPU
  std::map<std::pair<std::string, LaneKind>, std::unique_ptr<Lane>> lanes_;
  std::map<Key, Passage> passages_;
};

}  // namespace natrix::bench
