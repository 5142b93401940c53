// SPDX-License-Identifier: Apache-2.0
//
// No packet is lost or misrouted by a change of Services: questions are asked all the time, on
// standing flows and on new ones, by a pod and by processes of the node, while endpoints and
// Services come and go.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_prober.h"
#include "tests/support/own_cgroup.h"

namespace natrix::netns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kServices = 300;         // beside the two that are asked
constexpr int kRounds = 10;            // of four changes each
constexpr std::uint64_t kBetween = 8;  // questions of each between two changes

class UnderChange : public testing::TestWithParam<Family> {
 protected:
  UnderChange() {
    node_.SetWords(Words(0, ""));
    node_.Start();
  }

  bool v4() const { return GetParam() == Family::kIpv4; }
  const Cast& cast() const { return CastOf(GetParam()); }
  Point Steady() const { return {v4() ? "10.96.100.1" : "fd00:10:96::f001", 53}; }
  Point Changing() const { return {v4() ? "10.96.100.2" : "fd00:10:96::f002", 53}; }

  // pod2 answers for both; `third` is what else is written of pod3 as an endpoint of the one that
  // changes, "": it is none.
  std::string Words(int step, const std::string& third) const {
    const std::string second = Endpoint(cast().pod2, "ready: true");
    std::string text = "services:\n" + Service("steady", Steady().address, second) +
                       Service("changing", Changing().address,
                               (step % 2 ? Endpoint(Nobody(step), "ready: false, serving: false")
                                         : std::string()) +
                                   second + (third.empty() ? "" : Endpoint(cast().pod3, third)));
    // One of thirty is not there, one of five has an endpoint more than before.
    for (int i = 0; i < kServices; ++i)
      if ((i + step) % 30 != 0) text += Other(i, 1 + ((i + step) % 5 == 0));
    return text;
  }

  // Puts it in force, and waits until each asked some questions under it alone.
  void Change(const Serving::Names& names, const std::string& third) {
    changing_.Become(names, [&] { node_.SetWords(Words(++step_, third)); });
    std::vector<std::uint64_t> until;
    for (const auto& prober : probers_) until.push_back(prober->answered() + kBetween);
    for (std::size_t i = 0; i < probers_.size(); ++i)
      while (probers_[i]->answered() < until[i] && !probers_[i]->failed())
        std::this_thread::sleep_for(milliseconds(1));
  }
  bool failed() const {
    return std::ranges::any_of(probers_, [](const auto& prober) { return prober->failed(); });
  }

  void StartProbers() {
    const std::string any = v4() ? "0.0.0.0" : "::";
    for (const bool pod : {true, false})
      for (const bool standing : {true, false})
        for (const bool steady : {true, false})
          probers_.push_back(std::make_unique<Prober>(Probing{
              .what = fmt::format("{} flow of {} to {}", standing ? "a standing" : "a new",
                                  pod ? "a pod" : "the node", steady ? "steady" : "changing"),
              .from = pod ? node_.pod() : node_.node(),
              .local = pod ? cast().pod1 : any,
              .called = steady ? Steady() : Changing(),
              .first_port = static_cast<std::uint16_t>(standing ? 0
                                                       : steady ? 10000
                                                                : 20000),
              .serving = steady ? steady_ : changing_}));
  }

  support::OwnCgroup cgroup_;
  TrafficNode node_;
  Serving steady_{{"pod2"}};
  Serving changing_{{"pod2"}};
  std::vector<std::unique_ptr<Prober>> probers_;

 private:
  static std::string Endpoint(const std::string& address, const std::string& state) {
    return fmt::format("  - {{addresses: [\"{}\"], port: 5353, {}}}\n", address, state);
  }
  static std::string Service(const char* name, const std::string& address,
                             const std::string& endpoints) {
    return fmt::format(
        "- name: {}\n  clusterIPs: [\"{}\"]\n  ports: [{{protocol: UDP, port: 53}}]\n"
        "  endpoints:\n{}",
        name, address, endpoints);
  }
  std::string Nobody(int n) const {
    return v4() ? fmt::format("10.16.{}.{}", 1 + n / 200, 1 + n % 200)
                : fmt::format("fd00:10:16::1:{:x}", n);
  }
  std::string Other(int i, int endpoints) const {
    std::string text;
    for (int k = 0; k < endpoints; ++k) text += Endpoint(Nobody(2 * i + k), "ready: true");
    return Service(fmt::format("other-{}", i).c_str(),
                   v4() ? fmt::format("10.96.{}.{}", 1 + i / 200, 1 + i % 200)
                        : fmt::format("fd00:10:96::{:x}", 0x1000 + i),
                   text);
  }

  int step_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Families, UnderChange, testing::ValuesIn(kFamilies),
                         [](const auto& now) { return NameOf(now.param); });

// An endpoint leaves as Kubernetes has it: terminating, then gone.  So that the one that stays is
// the standing flows', they begin while it is alone.
TEST_P(UnderChange, EveryQuestionIsAnsweredByWhoServes) {
  const Answerer second(node_.at(Place::kPod2), {cast().pod2, 5353}, "pod2");
  const Answerer third(node_.at(Place::kPod3), {cast().pod3, 5353}, "pod3");
  StartProbers();

  for (int round = 0; round < kRounds && !failed(); ++round) {
    Change({"pod2"}, "");
    Change({"pod2", "pod3"}, "ready: true");
    Change({"pod2"}, "ready: false, serving: true, terminating: true");
    Change({"pod2"}, "");
  }

  std::uint64_t answered = 0;
  for (const auto& prober : probers_) {
    prober->Stop();
    EXPECT_THAT(prober->failures(), IsEmpty());
    answered += prober->answered();
  }
  RecordProperty("questions", static_cast<int>(answered));
  // Those that could be answered by both were.
  for (const std::size_t fresh : {3U, 7U})
    EXPECT_THAT(probers_[fresh]->answerers(), ElementsAre("pod2", "pod3"));
}

}  // namespace
}  // namespace natrix::netns
