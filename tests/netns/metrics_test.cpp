// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <csignal>

#include "tests/netns/node.h"
#include "tests/netns/scrape.h"

// Whether, where and for how long natrixd listens.
namespace natrix::netns {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;

class MetricsTest : public NodeTest {
 protected:
  void WriteListen(const std::string& listen, const std::string& name = "node1") {
    WriteFile("node: {name: " + name +
              ", uplinks: [eth0], podDevices: [ovn0]}\n"
              "subnets: [{name: ovn-default, cidrs: [10.16.0.0/16, \"fd00:10:16::/112\"]}]\n" +
              (listen.empty() ? "" : "metrics: {listen: \"" + listen + "\"}\n"));
  }
  // "127.0.0.1:9188" of everything that listens for TCP in the node.
  std::string Listeners() { return Run({"ss", "-Hltn"}); }
  int StatusAt(const std::string& address, std::uint16_t port = 9188) {
    return Get(node(), address, port).status;
  }
};

TEST_F(MetricsTest, NothingListensUnlessAsked) {
  auto daemon = Start();

  EXPECT_THAT(Listeners(), IsEmpty());
}

TEST_F(MetricsTest, APortAloneIsOnLoopbackOnly) {
  WriteListen("9188");
  auto daemon = Start();

  EXPECT_EQ(StatusAt("127.0.0.1"), 200);
  EXPECT_EQ(StatusAt("172.18.0.3"), 0);
  EXPECT_EQ(StatusAt("fd00:172:18::3"), 0);
  EXPECT_THAT(Listeners(), Not(AnyOf(HasSubstr("0.0.0.0:9188"), HasSubstr("*:9188"))));
}

TEST_F(MetricsTest, AnAddressThatIsWrittenOutIsListenedOn) {
  for (const auto& [listen, address] :
       {std::pair{"[::1]:9188", "::1"}, std::pair{"[::]:9188", "fd00:172:18::3"},
        std::pair{"0.0.0.0:9188", "172.18.0.3"}}) {
    WriteListen(listen);
    auto daemon = Start();
    EXPECT_EQ(StatusAt(address), 200) << listen;
    // All of one family is not the other one.
    EXPECT_EQ(StatusAt(std::string(listen).starts_with("[") ? "127.0.0.1" : "::1"), 0) << listen;
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.Wait(Scaled(support::milliseconds(10000))), 0) << listen;
  }
}

TEST_F(MetricsTest, OnlyMetricsAreServed) {
  WriteListen("9188");
  auto daemon = Start();

  for (const char* path : {"/", "/etc/passwd", "/../../etc/passwd", "/metric"})
    EXPECT_EQ(Get(node(), "127.0.0.1", 9188, path).status, 404) << path;
}

TEST_F(MetricsTest, ASubnetsCountersStartAtZero) {
  WriteListen("9188");
  auto daemon = Start();

  const Samples samples = Scrape(node());

  for (const char* family : {"cidr=\"10.16.0.0/16\",direction=\"egress\",protocol=\"IPv4\"",
                             "cidr=\"fd00:10:16::/112\",direction=\"egress\",protocol=\"IPv6\"",
                             "cidr=\"10.16.0.0/16\",direction=\"ingress\",protocol=\"IPv4\"",
                             "cidr=\"fd00:10:16::/112\",direction=\"ingress\",protocol=\"IPv6\""})
    EXPECT_THAT(
        samples,
        AllOf(
            Contains(Key(AllOf(HasSubstr("ovn_subnet_gateway_packets{"), HasSubstr(family)))),
            Contains(Key(AllOf(HasSubstr("ovn_subnet_gateway_packet_bytes{"), HasSubstr(family)))),
            Contains(
                Key(AllOf(HasSubstr("natrix_subnet_wire_packets_total{"), HasSubstr(family))))));
  // Kube-OVN's labels, with what it really writes into subnet_name.
  EXPECT_EQ(samples.at("ovn_subnet_gateway_packets{hostname=\"node1\","
                       "subnet_name=\"ovn-default/egress/IPv4\",cidr=\"10.16.0.0/16\","
                       "direction=\"egress\",protocol=\"IPv4\"}"),
            0);
  EXPECT_EQ(samples.at("natrix_up"), 1);
  EXPECT_EQ(samples.at("natrix_generation"), static_cast<double>(Generation()));
  EXPECT_EQ(samples.at("natrix_flows{table=\"nx_flow\"}"), 0);
  EXPECT_GT(samples.at("natrix_flow_entries_max{table=\"nx_embryo\"}"), 0);
}

TEST_F(MetricsTest, ReloadStartsMovesAndStopsListening) {
  WriteListen("");
  auto daemon = Start();

  WriteListen("9188");
  Reload(daemon);
  EXPECT_EQ(StatusAt("127.0.0.1"), 200);

  WriteListen("9189");
  Reload(daemon);
  EXPECT_EQ(StatusAt("127.0.0.1"), 0);
  EXPECT_EQ(StatusAt("127.0.0.1", 9189), 200);

  // Over the port that it has itself.
  WriteListen("0.0.0.0:9189");
  Reload(daemon);
  EXPECT_EQ(StatusAt("172.18.0.3", 9189), 200);

  WriteListen("");
  Reload(daemon);
  EXPECT_THAT(Listeners(), IsEmpty());
}

TEST_F(MetricsTest, ReloadChangesTheLabelsOfTheSameListener) {
  WriteListen("9188");
  auto daemon = Start();

  WriteListen("9188", "node2");
  Reload(daemon);

  EXPECT_THAT(Scrape(node()), AllOf(Contains(Key(HasSubstr("hostname=\"node2\""))),
                                    Not(Contains(Key(HasSubstr("hostname=\"node1\""))))));
}

TEST_F(MetricsTest, ATakenPortAtTheStartChangesNothingAndIsSaid) {
  const UniqueFd other = ListenTcp(node(), "127.0.0.1", 9188);
  WriteListen("9188");

  const auto ended = StartToEnd();

  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors,
              HasSubstr("start failed: metrics.listen 127.0.0.1:9188: Address already in use"));
  EXPECT_EQ(Natrix({"status"}).status, 3);
  EXPECT_THAT(Tree(kPins), Not(HasSubstr("nx_")));
}

TEST_F(MetricsTest, AnAddressOfSomebodyElseAtTheStartIsSaid) {
  WriteListen("203.0.113.1:9188");

  const auto ended = StartToEnd();

  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, HasSubstr("metrics.listen 203.0.113.1:9188: Cannot assign"));
}

TEST_F(MetricsTest, ATakenPortAtReloadKeepsAllThatWas) {
  const UniqueFd other = ListenTcp(node(), "127.0.0.1", 9189);
  WriteListen("9188");
  auto daemon = Start();
  const auto generation = Generation();

  WriteFile(
      "node: {name: node1, uplinks: [eth0], podDevices: [ovn0]}\nsubnets: []\n"
      "metrics: {listen: 9189}\n");
  Reload(daemon, "reload failed");
  daemon.WaitForLine("metrics.listen 127.0.0.1:9189: Address already in use");

  EXPECT_EQ(StatusAt("127.0.0.1"), 200);
  EXPECT_EQ(Generation(), generation);
  EXPECT_EQ(Natrix({"sets", "ovn40subnets", "--test", "10.16.0.1"}).status, 0);
}

TEST_F(MetricsTest, AMoveThatFailsHalfWayComesBack) {
  // 127.0.0.2 keeps 0.0.0.0 away, once natrixd itself has made room.
  const UniqueFd other = ListenTcp(node(), "127.0.0.2", 9188);
  WriteListen("9188");
  auto daemon = Start();

  WriteListen("0.0.0.0:9188");
  Reload(daemon, "reload failed");

  EXPECT_EQ(StatusAt("127.0.0.1"), 200);
  EXPECT_THAT(Scrape(node()), Contains(Key("natrix_up")));
}

TEST_F(MetricsTest, SomebodyWhoNeverAsksHoldsUpNothing) {
  WriteListen("9188");
  auto daemon = Start();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 5; ++i) silent.push_back(ConnectTcp(node(), "127.0.0.1", 9188));

  EXPECT_EQ(StatusAt("127.0.0.1"), 200);
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Wait(Scaled(support::milliseconds(10000))), 0);
}

}  // namespace
}  // namespace natrix::netns
