// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "maps/abi/reason.h"
#include "tests/support/process.h"
#include "tools/bench/profile.h"
#include "tools/bench/wires.h"
#include "userspace/base/unique_fd.h"
#include "userspace/model/config.h"

// Who translates: one node of a comparison.
namespace natrix::bench {

// kNatrixXdp: natrixd that has ovn0 for an uplink, and XDP on both.
enum class LaneKind { kX, kT, kP, kK, kLegacy, kIptablesNft, kNft, kNatrix, kNatrixXdp };
// "X", "T", "P", "K", "legacy", "iptables-nft", "nft", "natrix", "natrix-xdp": as tables and goals
// say.
const char* NameOf(LaneKind kind);
std::optional<LaneKind> ParseLane(std::string_view name);
inline bool IsFloor(LaneKind kind) { return kind <= LaneKind::kK; }
inline bool IsNatrix(LaneKind kind) { return kind >= LaneKind::kNatrix; }

struct LaneOptions {
  bool packets = true;       // see Wires
  std::string fast_path;     // "on", "off": written to natrix' configuration; empty: not written
  std::string natrix_words;  // lines of natrix' configuration besides
  bool broken = false;       // translates nothing, to see that it is refused
};

class Lane {
 public:
  // Nothing of another lane is in its namespaces: no table, no conntrack hook, no program.
  Lane(LaneKind kind, const LaneOptions& options);

  LaneKind kind() const { return kind_; }
  const Wires& wires() const { return wires_; }

  // Puts a configuration in force, as the system in question would write it.  Floors need none.
  void Apply(const model::Config& config);
  // natrixd only; -1 otherwise.
  pid_t daemon() const { return daemon_.pid(); }
  // Connections are forgotten, where somebody can be told to.
  void Forget();
  // Packets that natrix counted under this reason so far, and under all.  natrixd only.
  std::uint64_t CountOf(nx_reason reason) const;
  Counts AllCounts() const;
  // natrixd with this file: started, or told to take it over, until it has.  What it logged
  // meanwhile.
  std::string ApplyNatrix(const std::string& text);
  // Of natrixd: resident memory, and what its maps take of the kernel's.
  struct Memory {
    double resident_mb = 0;
    double maps_mb = 0;
  };
  Memory MemoryOf() const;
  // `natrix check` of the file in force: reading it, and nothing else.
  void Check() const;

 private:
  std::string File() const;
  void ApplyIptables(const model::Config& config);

  LaneKind kind_;
  LaneOptions options_;
  Wires wires_;
  UniqueFd file_;  // natrix' configuration
  support::Process daemon_;
};

}  // namespace natrix::bench
