// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/netns/traffic_node.h"
#include "tests/oracle/engine.h"

namespace natrix::netns {

// A node of its own with one way to translate, or none (plain forwarding), for iperf3.  Devices
// have their default offloads.
class Lane {
 public:
  explicit Lane(std::optional<oracle::EngineKind> kind);

  const std::string& name() const { return name_; }
  // One TCP stream from pod1 to the web for so long: bits a second, as the receiver counts them.
  double Run(Family family, int seconds);
  std::uint64_t Errors() const { return ChecksumErrors(scene_); }
  const oracle::Scene& scene() const { return scene_; }

 private:
  std::string name_;
  oracle::Scene scene_;
  std::unique_ptr<oracle::Engine> engine_;
  support::Process server_;
};

// Plain forwarding, both iptables and natrix, taking turns for `rounds` of `seconds` each in both
// families; prints every figure and the medians.  GoogleTest expectations: something arrived
// each time, and no checksum error was counted anywhere.
void RunRace(int seconds, int rounds);

}  // namespace natrix::netns
