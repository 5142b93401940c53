// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/two_nodes.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "tests/support/network.h"

namespace natrix::oracle {

using std::chrono::milliseconds;
using support::Dissect;
using support::Layers;
using support::Word;

namespace {

// For what a timer, or another thread, has part in; patience ends before a socket of the node's
// sends its SYN-ACK again.
constexpr milliseconds kSilence{2};
constexpr milliseconds kPatience{800};

// What tells packets apart that leave through one device at about the same time.
std::string KeyOf(support::View frame) {
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers) return "unreadable";
  const auto word = [&](std::optional<std::size_t> at) { return at ? Word(frame, *at) : 0; };
  return fmt::format("{} {} {} {} {} {} {}", layers->src, layers->dst, layers->protocol,
                     word(layers->sport_at), word(layers->dport_at), word(layers->echo_id_at),
                     layers->fragment_offset);
}

}  // namespace

Side::Side(const std::string& name, EngineKind kind, const Scene::Options& options)
    : scene(name, options), engine(MakeEngine(kind, scene)) {}

TwoNodes::TwoNodes(EngineKind left, EngineKind right, const Scene::Options& options)
    : left_("left", left, options), right_("right", right, options) {
  witness_.Watch(left_.scene.node());
  witness_.Watch(right_.scene.node());
}

void TwoNodes::Apply(const model::Config& config) {
  left_.engine->Apply(config);
  right_.engine->Apply(config);
  config_ = config;
}

std::optional<std::uint32_t> TwoNodes::MarkOf(const Side& side, const Seen& seen) {
  const std::uint32_t netns = side.scene.node().inum();
  const std::string key = KeyOf(seen.frame);
  const auto found = std::ranges::find_if(sights_, [&](const support::MarkWitness::Sight& sight) {
    return sight.netns == netns && KeyOf(sight.frame) == key;
  });
  if (found == sights_.end()) return std::nullopt;
  const std::uint32_t mark = found->mark;
  sights_.erase(found);
  return mark;
}

void TwoNodes::GatherSide(Side& side, std::vector<Seen>& seen) const {
  for (const Place place : kPlaces)
    for (Bytes& frame : side.scene.tap(place).Receive())
      seen.push_back({place, std::move(frame), std::nullopt});
}

// Marks come last: whoever has a frame finds that the witness saw it before.
void TwoNodes::Gather(Outcome& outcome) {
  GatherSide(left_, outcome.left);
  GatherSide(right_, outcome.right);
  for (support::MarkWitness::Sight& sight : witness_.Take()) sights_.push_back(std::move(sight));
  for (Seen& seen : outcome.left)
    if (!seen.mark) seen.mark = MarkOf(left_, seen);
  for (Seen& seen : outcome.right)
    if (!seen.mark) seen.mark = MarkOf(right_, seen);
}

TwoNodes::Outcome TwoNodes::Happen(const std::function<std::vector<Bytes>(Side&)>& act,
                                   Aliases& aliases) {
  Outcome outcome;
  sights_.clear();
  Gather(outcome);
  if (!outcome.left.empty() || !outcome.right.empty()) {
    outcome.difference = "packets arrive after their step was over";
    return outcome;
  }
  Sent sent;
  fence_.Raise();
  sent.left = act(left_);
  sent.right = act(right_);
  fence_.Wait();
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    Gather(outcome);
    outcome.difference = Difference(outcome.left, outcome.right, sent, aliases);
    const auto waited = std::chrono::steady_clock::now() - start;
    const bool quiet = outcome.left.empty() && outcome.right.empty();
    if (!outcome.difference && (!quiet || waited >= kSilence)) return outcome;
    if (waited >= kPatience) return outcome;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

}  // namespace natrix::oracle
