// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <ranges>
#include <thread>

#include "tests/netns/traffic_broken.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/two_nodes.h"
#include "tests/support/checksum.h"

// Broken frames on the wire, from pods and from outside, through natrix and through a node with
// iptables.  The two do not treat all of them alike: iptables' connection tracking puts fragments
// together and drops what does not fit, natrix passes each on.  So what natrix lets through must
// be either what iptables lets through, to the byte, or translated as its sender would have it.
namespace natrix::netns {
namespace {

using oracle::Side;
using support::Dissect;
using support::Layers;
using support::PutWord;

// A frame without what a translation and a router may change: link-layer addresses, one end's
// address and port, checksums, TTL, the contents of IPv4 options.
Bytes WithoutWhatMayChange(Bytes frame, bool source) {
  std::fill_n(frame.begin(), 12, 0);
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers) return frame;
  frame.resize(layers->end);  // a router takes no padding with it
  const auto clear = [&](std::size_t at, std::size_t length) {
    for (std::size_t i = at; i < at + length && i < frame.size(); ++i) frame[i] = 0;
  };
  if (layers->checksum_at) clear(*layers->checksum_at, 2);
  if (layers->echo_id_at) clear(*layers->echo_id_at, 2);
  const auto& port_at = source ? layers->sport_at : layers->dport_at;
  if (port_at) clear(*port_at, 2);
  if (layers->v6) {
    clear(layers->ip + 7, 1);
    clear(layers->ip + (source ? 8 : 24), 16);
  } else {
    clear(layers->ip + 8, 1);
    clear(layers->ip + 10, 2);
    clear(layers->ip + (source ? 12 : 16), 4);
    clear(layers->ip + 20, layers->l4 - layers->ip - 20);
  }
  return frame;
}

// What a frame must be if it is no frame of the other node.
struct Translated {
  bool source;          // which end
  std::string address;  // what that end must be now
  bool own = false;     // or the node itself, whom the frame was for, may have answered
};

class Malformed : public testing::TestWithParam<Family> {
 protected:
  Malformed() : nodes_(oracle::EngineKind::kLegacy, oracle::EngineKind::kNatrix) {
    nodes_.Apply(oracle::LoadConfig(oracle::ExamplePath()));
  }

  const Cast& cast() const { return CastOf(GetParam()); }
  support::Macs MacsFrom(Place place) const {
    return {oracle::MacOf(place), oracle::GatewayMacOf(place)};
  }

  struct Seen {
    Place place;
    Bytes frame;
  };
  static std::vector<Seen> Gather(Side& side) {
    std::vector<Seen> seen;
    for (const Place place : oracle::kPlaces)
      for (Bytes& frame : side.scene.tap(place).Receive())
        seen.push_back({place, std::move(frame)});
    return seen;
  }

  // Sends through both nodes, and complains of what natrix should not have let through so.
  void Judge(Place from, const BrokenFrames& broken, const Translated& pods,
             const Translated& outside) {
    for (const Bytes& frame : broken.frames) {
      nodes_.left().scene.tap(from).Send(frame);
      nodes_.right().scene.tap(from).Send(frame);
    }
    sent_.push_back(broken);
    JudgeArrived(pods, outside);
  }

  // On a machine that stands still a frame may arrive steps after it was sent: what arrives is held
  // against all that was sent and all that the other node let through.
  void JudgeArrived(const Translated& pods, const Translated& outside) {
    GatherLeft();
    for (const Seen& seen : Gather(nodes_.right())) {
      ++arrived_;
      if (LeftHas(seen)) continue;
      const Translated& wanted = seen.place == Place::kOutside ? outside : pods;
      const std::string trouble = Trouble(seen.frame, wanted);
      if (trouble.empty()) {
        ++translated_;
        continue;
      }
      if (LeftWillHave(seen)) continue;
      ADD_FAILURE() << sent_.back().what << ", or before: " << trouble << "\n  arrives at "
                    << oracle::NameOf(seen.place) << ": " << support::Describe(seen.frame)
                    << "\n  sent: " << support::Describe(sent_.back().frames[0]) << "\n  iptables: "
                    << (left_.empty() ? "nothing" : support::Describe(left_.back().frame));
    }
  }

  void GatherLeft() {
    for (Seen& seen : Gather(nodes_.left())) left_.push_back(std::move(seen));
  }
  bool LeftHas(const Seen& seen) const {
    return std::ranges::any_of(left_, [&](const Seen& other) {
      return other.place == seen.place && other.frame == seen.frame;
    });
  }
  bool LeftWillHave(const Seen& seen) {
    const auto deadline = std::chrono::steady_clock::now() + Scaled(milliseconds(200));
    while (!LeftHas(seen) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
      GatherLeft();
    }
    return LeftHas(seen);
  }

  // Empty when a sent frame was translated rightly, or the node itself had something to say.
  std::string Trouble(const Bytes& frame, const Translated& wanted) const {
    const std::optional<Layers> layers = Dissect(frame);
    if (!layers) return "unreadable";
    const bool bad = support::VerifyChecksums(frame).AnyBad();
    if (bad && WasRight(sent_.back()) && (layers->inner || wanted.own)) return "wrong checksums";
    // The node reports as itself, or as the floating address that was called.
    if (layers->inner)
      return layers->src == cast().node || layers->src == cast().join ||
                     layers->src == wanted.address
                 ? ""
                 : "error of a stranger";
    const std::string& end = wanted.source ? layers->src : layers->dst;
    if (end != wanted.address) return "not translated to " + wanted.address;
    if (wanted.own) return "";
    const Bytes kept = WithoutWhatMayChange(frame, wanted.source);
    const auto is_ours = [&](const BrokenFrames& broken) {
      return std::ranges::any_of(broken.frames, [&](const Bytes& sent) {
        return WithoutWhatMayChange(sent, wanted.source) == kept;
      });
    };
    bool ours = false;
    for (const BrokenFrames& broken : sent_ | std::views::reverse) {  // mostly the last
      if (!is_ours(broken)) continue;
      if (!bad || !WasRight(broken)) return "";
      ours = true;
    }
    return ours ? "wrong checksums" : "more than an address and a port changed";
  }
  static bool WasRight(const BrokenFrames& broken) {
    return std::ranges::none_of(
        broken.frames, [](const Bytes& sent) { return support::VerifyChecksums(sent).AnyBad(); });
  }

  void ExpectGoodTrafficWorks() {
    support::PacketSpec spec{.src = cast().pod1,
                             .dst = cast().web2,
                             .protocol = support::kUdp,
                             .sport = 777,
                             .dport = 7,
                             .payload = 30};
    oracle::Scene& scene = nodes_.right().scene;
    std::this_thread::sleep_for(Scaled(milliseconds(20)));
    Gather(nodes_.right());  // what is late even now
    scene.tap(Place::kPod1).Send(support::Build(spec, MacsFrom(Place::kPod1)).front());
    const auto out = scene.tap(Place::kOutside).Receive(Scaled(milliseconds(500)));
    ASSERT_EQ(out.size(), 1U);
    const Layers layers = *Dissect(out[0]);
    EXPECT_EQ(layers.src, cast().node);
    EXPECT_FALSE(support::VerifyChecksums(out[0]).AnyBad());
    std::swap(spec.src, spec.dst);
    spec.dst = cast().node;
    spec.dport = support::Word(out[0], *layers.sport_at);
    spec.sport = 7;
    scene.tap(Place::kOutside).Send(support::Build(spec, MacsFrom(Place::kOutside)).front());
    const auto back = scene.tap(Place::kPod1).Receive(Scaled(milliseconds(500)));
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(Dissect(back[0])->dst, cast().pod1);
    EXPECT_EQ(support::RunCommand(&scene.node(), {oracle::ProgramPath("natrix"), "status"})
                  .find("not running"),
              std::string::npos);
  }

  oracle::TwoNodes nodes_;
  std::vector<BrokenFrames> sent_;
  std::vector<Seen> left_;
  std::uint64_t arrived_ = 0;
  std::uint64_t translated_ = 0;
};

TEST_P(Malformed, FramesOfPodsAreTranslatedRightlyOrNotAtAll) {
  const support::PacketSpec good{
      .src = cast().pod2, .dst = cast().web, .sport = 20000, .dport = 53, .payload = 24};

  for (const BrokenFrames& broken : BreakEverything(good, MacsFrom(Place::kPod2)))
    Judge(Place::kPod2, broken, {false, cast().pod2}, {true, cast().node});

  EXPECT_GT(arrived_, 50U);
  EXPECT_GT(translated_, 20U);
  ExpectGoodTrafficWorks();
}

TEST_P(Malformed, FramesToAFloatingIpReachItsPodRightlyOrNotAtAll) {
  const support::PacketSpec good{
      .src = cast().client, .dst = cast().floating, .sport = 20000, .dport = 53, .payload = 24};

  for (const BrokenFrames& broken : BreakEverything(good, MacsFrom(Place::kOutside)))
    Judge(Place::kOutside, broken, {false, cast().pod1}, {true, cast().floating});

  EXPECT_GT(arrived_, 50U);
  EXPECT_GT(translated_, 20U);
  ExpectGoodTrafficWorks();
}

TEST_P(Malformed, AnswersToAMasqueradedFlowReachItsPodRightlyOrNotAtAll) {
  support::PacketSpec request{.src = cast().pod2,
                              .dst = cast().web,
                              .protocol = support::kUdp,
                              .sport = 20000,
                              .dport = 53,
                              .payload = 24};
  // Each node has a port of its own for the flow; natrix is the one that is judged.
  oracle::Scene& scene = nodes_.right().scene;
  scene.tap(Place::kPod2).Send(support::Build(request, MacsFrom(Place::kPod2)).front());
  const auto out = scene.tap(Place::kOutside).Receive(Scaled(milliseconds(500)));
  ASSERT_EQ(out.size(), 1U);
  const support::PacketSpec answer{.src = cast().web,
                                   .dst = cast().node,
                                   .sport = 53,
                                   .dport = support::Word(out[0], *Dissect(out[0])->sport_at),
                                   .payload = 24};

  for (const BrokenFrames& broken : BreakAnswers(answer, MacsFrom(Place::kOutside)))
    Judge(Place::kOutside, broken, {false, cast().pod2}, {true, cast().node, true});

  EXPECT_GT(translated_, 20U);
  ExpectGoodTrafficWorks();
}

INSTANTIATE_TEST_SUITE_P(Traffic, Malformed, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& now) { return std::string(NameOf(now.param)); });

}  // namespace
}  // namespace natrix::netns
