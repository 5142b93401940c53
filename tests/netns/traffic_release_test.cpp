// SPDX-License-Identifier: Apache-2.0
//
// A client that talks on from one UDP port while its Service's endpoint goes away.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"

namespace natrix::netns {
namespace {

constexpr std::uint16_t kNodePort = 30053;
constexpr milliseconds kPatience(5000);

class UdpRelease : public testing::TestWithParam<Family> {
 protected:
  UdpRelease() {
    node_.SetWords(Words("pod2"));
    node_.Start();
    for (const Place place : {Place::kPod2, Place::kPod3})
      endpoints_[place == Place::kPod3] = OpenUdp(node_.at(place), {AddressOf(place), 5353});
  }

  const Cast& cast() const { return CastOf(GetParam()); }
  std::string Other() const {
    return GetParam() == Family::kIpv4 ? "10.96.0.99" : "fd00:10:96::99";
  }
  std::string AddressOf(Place place) const {
    return place == Place::kPod2 ? cast().pod2 : cast().pod3;
  }
  Point service() const { return {cast().service, 53}; }
  Point node_port() const { return {cast().node, kNodePort}; }

  // A Service whose endpoint is that one; with a condition pod2 is one, too, under it.
  std::string Words(const std::string& endpoint, const std::string& condition = "") const {
    const std::string address = endpoint == "pod2" ? cast().pod2 : cast().pod3;
    const std::string more =
        condition.empty()
            ? ""
            : fmt::format("  - {{addresses: [\"{}\"], port: 5353, {}}}\n", cast().pod2, condition);
    return fmt::format(
        "services:\n"
        "- name: dns\n"
        "  clusterIPs: [\"{}\"]\n"
        "  ports: [{{protocol: UDP, port: 53, nodePort: {}}}]\n"
        "  endpoints:\n"
        "  - {{addresses: [\"{}\"], port: 5353}}\n{}",
        cast().service, kNodePort, address, more);
  }

  // Who gets a datagram that the client sends: "pod2", "pod3", or "" for nobody.  It is answered
  // when `answered`, and the answer comes from where the client sent it.
  std::string Ask(int client, const Point& called, bool answered) const {
    if (!SendTo(client, called, Bytes{1, 2, 3})) return "";
    const auto end = std::chrono::steady_clock::now() + Scaled(kPatience);
    while (std::chrono::steady_clock::now() < end)
      for (const bool third : {false, true}) {
        const auto got = ReceiveFrom(endpoints_[third].get(), milliseconds(20));
        if (!got) continue;
        if (answered) Answer(endpoints_[third].get(), client, got->from, called);
        return third ? "pod3" : "pod2";
      }
    return "";
  }

  TrafficNode node_;

 private:
  static void Answer(int endpoint, int client, const Point& to, const Point& called) {
    EXPECT_TRUE(SendTo(endpoint, to, Bytes{4, 5}));
    const auto answer = ReceiveFrom(client, Scaled(kPatience));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->from, called);
  }

  UniqueFd endpoints_[2];
};
INSTANTIATE_TEST_SUITE_P(Families, UdpRelease, testing::ValuesIn(kFamilies),
                         [](const auto& now) { return NameOf(now.param); });

TEST_P(UdpRelease, AClientThatTalksOnGetsTheEndpointThatIsThereNow) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40000});
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");

  node_.SetWords(Words("pod3"));

  EXPECT_EQ(Ask(client.get(), service(), true), "pod3");
}

TEST_P(UdpRelease, SoDoesOneThatNobodyAnswered) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40001});
  ASSERT_EQ(Ask(client.get(), service(), false), "pod2");

  node_.SetWords(Words("pod3"));

  EXPECT_EQ(Ask(client.get(), service(), false), "pod3");
}

TEST_P(UdpRelease, SoDoesOneThatCallsANodePort) {
  const UniqueFd client = OpenUdp(node_.outside(), {cast().client, 40002});
  ASSERT_EQ(Ask(client.get(), node_port(), true), "pod2");

  node_.SetWords(Words("pod3"));

  EXPECT_EQ(Ask(client.get(), node_port(), true), "pod3");
}

TEST_P(UdpRelease, WhatEndedWhileNatrixdDidNotRunIsEndedAtItsStart) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40003});
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");

  node_.Kill();
  node_.SetWords(Words("pod3"));
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");
  node_.Start();

  EXPECT_EQ(Ask(client.get(), service(), true), "pod3");
}

// Killed between the flip and the release, natrixd leaves maps that know the Service no more.
TEST_P(UdpRelease, WhatEndedWithAServiceThatTheMapsHaveForgottenIsEndedAtItsStart) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40008});
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");
  ASSERT_GT(node_.EntriesOf("nx_flow"), 0U);

  node_.Kill();
  for (const char* map : {"nx_service_left", "nx_service_right"}) node_.EraseAll(map);
  node_.SetWords("");
  node_.Start();

  EXPECT_EQ(node_.EntriesOf("nx_flow"), 0U);
}

TEST_P(UdpRelease, ATerminatingEndpointKeepsItsFlowsAsLongAsItServes) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40004});
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");

  node_.SetWords(Words("pod3", "ready: false, serving: true, terminating: true"));
  EXPECT_EQ(Ask(client.get(), service(), true), "pod2");

  node_.SetWords(Words("pod3", "ready: false, serving: false, terminating: true"));
  EXPECT_EQ(Ask(client.get(), service(), true), "pod3");
}

TEST_P(UdpRelease, WhoTalkedToTheNodeItselfGetsTheServiceThatIsThereNow) {
  const std::string without =
      "services:\n- {name: other, clusterIPs: [\"" + Other() + "\"], ports: [{port: 80}]}\n";
  node_.SetWords(without);
  const UniqueFd client = OpenUdp(node_.outside(), {cast().client, 40007});
  const UniqueFd old = OpenUdp(node_.node(), node_port());
  ASSERT_TRUE(SendTo(client.get(), node_port(), Bytes{1, 2, 3}));
  ASSERT_TRUE(ReceiveFrom(old.get(), Scaled(kPatience))) << "the flow is remembered";

  node_.SetWords(Words("pod3"));

  EXPECT_EQ(Ask(client.get(), node_port(), true), "pod3");
}

TEST_P(UdpRelease, OtherFlowsStayAndOfThoseNothingIsLeft) {
  const UniqueFd client = OpenUdp(node_.pod(), {cast().pod1, 40005});
  const UniqueFd direct = OpenUdp(node_.pod(), {cast().pod1, 40006});
  const Point endpoint{cast().pod2, 5353};
  ASSERT_EQ(Ask(direct.get(), endpoint, true), "pod2");
  const auto others = node_.EntriesOf("nx_flow");
  ASSERT_EQ(Ask(client.get(), service(), true), "pod2");
  ASSERT_GT(node_.EntriesOf("nx_flow"), others);

  node_.SetWords(Words("pod3"));

  EXPECT_EQ(node_.EntriesOf("nx_flow"), others);
  EXPECT_EQ(Ask(direct.get(), endpoint, true), "pod2");
}

}  // namespace
}  // namespace natrix::netns
