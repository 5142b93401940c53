// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <thread>

#include "tests/netns/traffic_everyone.h"
#include "tests/netns/traffic_flip.h"

// Connections while natrixd is killed, comes back, or takes another configuration.
namespace natrix::netns {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

void Pass(milliseconds time) { std::this_thread::sleep_for(time); }

TEST(TrafficCrash, KillingNatrixdHarmsNoPacketAndTheNextOneAdoptsEverything) {
  TrafficNode node;
  node.Start();
  const auto ids = node.PinnedIds();
  Everyone everyone(node);
  Pass(milliseconds(300));

  for (int i = 0; i < 3; ++i) {
    node.Kill();
    Pass(milliseconds(200));
    node.Start();
    EXPECT_EQ(node.PinnedIds(), ids);
    Pass(milliseconds(100));
  }

  everyone.ExpectUnharmed(50);
}

TEST(TrafficCrash, NewConnectionsAreTranslatedWithoutNatrixd) {
  TrafficNode node;
  node.Start();
  node.Kill();

  Everyone everyone(node, 5);
  Pass(Scaled(milliseconds(300)));

  everyone.ExpectUnharmed(5);
}

TEST(TrafficCrash, TheWatchOnTheUplinkSeesWhatIsNotTranslated) {
  TrafficNode node;
  node.Start();
  FrameCounter untranslated = FrameCounter::OfPodSources(node.outside(), oracle::kUplink);

  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    const UniqueFd pod3 = OpenUdp(node.at(Place::kPod3), {cast.pod3, 0});
    ASSERT_TRUE(SendTo(pod3.get(), {cast.web, 9}, Bytes(10)));
  }

  EXPECT_EQ(untranslated.Count(), 2U);
}

TEST(TrafficCrash, FlowsExpireWithoutNatrixd) {
  TrafficNode node(
      {.words = "timeouts: {udp: 1s, udpStream: 1s, icmp: 1s, tcpTimeWait: 1s, tcpClose: 1s, "
                "tcpCloseWait: 1s, tcpFinWait: 1s, tcpLastAck: 1s, tcpEstablished: 1s}\n"});
  node.Start();
  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    UdpTalk udp(PathOf(node, family), 5300, 10);
    TcpTalk tcp(PathOf(node, family), 8000, 10);
    PingTalk ping(node.pod(), cast.pod1, cast.web);
    Pass(milliseconds(50));
    EXPECT_THAT(udp.Stop().problems, IsEmpty());
    EXPECT_THAT(ping.Stop().problems, IsEmpty());
  }
  node.Kill();
  ASSERT_GE(node.EntriesOf("nx_flow"), 2U * 2 * 10);

  const auto deadline = std::chrono::steady_clock::now() + Scaled(milliseconds(15000));
  while (node.EntriesOf("nx_flow") != 0 && std::chrono::steady_clock::now() < deadline)
    Pass(milliseconds(100));

  EXPECT_EQ(node.EntriesOf("nx_flow"), 0U);
  EXPECT_THAT(node.Natrix({"flows"}).at("flows"), SizeIs(0));
  EXPECT_FALSE(node.IsRunning());
}

TEST(TrafficReload, AHundredConfigurationsHarmNoPacketOfFiftyFlows) {
  TrafficNode node;
  node.Start();
  // Of udp and tcp in each family; and one ping each.
  constexpr int kFlows = 12;
  Everyone everyone(node, kFlows);

  for (int i = 1; i <= 100; ++i) node.Reload(i % 2 == 0 ? 0 : i);

  const auto generation = node.Natrix({"status"}).at("generation").get<std::uint64_t>();
  EXPECT_GE(generation, 100U);
  everyone.ExpectUnharmed(10);
}

TEST(TrafficReload, TwoRulesThatBelongTogetherChangeTogether) { RunFlips(200); }

}  // namespace
}  // namespace natrix::netns
