// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/oracle/compare.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/scene.h"
#include "tests/support/build.h"
#include "tests/support/fence.h"
#include "tests/support/mark_witness.h"

namespace natrix::oracle {

// One node with its engine and what has arrived around it.
struct Side {
  Side(const std::string& name, EngineKind kind, const Scene::Options& options);

  Scene scene;
  std::unique_ptr<Engine> engine;
};

// Two equal nodes: the judge on the left, the judged on the right.
class TwoNodes {
 public:
  TwoNodes(EngineKind left, EngineKind right, const Scene::Options& options = {});

  void Apply(const model::Config& config);
  const model::Config& config() const { return config_; }
  Side& left() { return left_; }
  Side& right() { return right_; }

  // Lets `act` happen on each side and gathers what arrives once all of that was worked off, and
  // longer while the two differ, until the right to be slow is used up.
  struct Outcome {
    std::vector<Seen> left;
    std::vector<Seen> right;
    std::optional<std::string> difference;
  };
  Outcome Happen(const std::function<std::vector<Bytes>(Side&)>& act, Aliases& aliases);

 private:
  void Gather(Outcome& outcome);
  void GatherSide(Side& side, std::vector<Seen>& seen) const;
  std::optional<std::uint32_t> MarkOf(const Side& side, const Seen& seen);

  Side left_;
  Side right_;
  support::MarkWitness witness_;
  support::Fence fence_;
  std::vector<support::MarkWitness::Sight> sights_;
  model::Config config_;
};

}  // namespace natrix::oracle
