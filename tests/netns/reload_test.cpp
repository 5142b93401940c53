// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <csignal>

#include "tests/netns/node.h"

namespace natrix::netns {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class ReloadTest : public NodeTest {
 protected:
  int TestSet(const std::string& set, const std::string& address) {
    return Natrix({"sets", set, "--test", address}).status;
  }
};

TEST_F(ReloadTest, ChangesTheSetsOfBothFamilies) {
  auto daemon = Start();
  ASSERT_EQ(TestSet("ovn40subnets", "10.16.0.10"), 0);
  ASSERT_EQ(TestSet("ovn60subnets", "fd00:10:16::10"), 0);
  const auto generation = Generation();

  WriteConfig("10.20.0.0/16", "fd00:10:20::/112");
  Reload(daemon);

  EXPECT_EQ(Generation(), generation + 1);
  EXPECT_EQ(TestSet("ovn40subnets", "10.16.0.10"), 1);
  EXPECT_EQ(TestSet("ovn40subnets", "10.20.0.10"), 0);
  EXPECT_EQ(TestSet("ovn60subnets", "fd00:10:16::10"), 1);
  EXPECT_EQ(TestSet("ovn60subnets", "fd00:10:20::10"), 0);
}

TEST_F(ReloadTest, LeavesBothSidesAlike) {
  auto daemon = Start();
  const auto dump = [&](const std::string& map) {
    return Bpftool({"map", "dump", "pinned", std::string(kPins) + "/maps/" + map});
  };

  WriteConfig("10.20.0.0/16", "fd00:10:20::/112");
  Reload(daemon);

  EXPECT_FALSE(dump("nx_net_left").empty());
  EXPECT_EQ(dump("nx_net_left"), dump("nx_net_right"));
  const Json config = dump("nx_config");
  EXPECT_EQ(config[0]["value"], config[1]["value"]);
  // In one go, not by a later repair.
  const std::string log = daemon.Output();
  const std::size_t first = log.find("info apply generation=2 ");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("info apply generation=2 ", first + 1), std::string::npos);
}

TEST_F(ReloadTest, OfTheSameFileWritesNothing) {
  auto daemon = Start();
  const auto generation = Generation();
  const std::size_t from = daemon.Output().size();

  Reload(daemon);

  EXPECT_EQ(Generation(), generation);
  EXPECT_THAT(daemon.Output().substr(from), Not(HasSubstr("info apply ")));
}

TEST_F(ReloadTest, OfABrokenFileKeepsWhatIsInForceAndSaysWhere) {
  auto daemon = Start();
  const auto generation = Generation();

  WriteFile("node:\n  name: node1\n  addresses: [172.18.0.33.4]\n");
  Reload(daemon, "reload failed");
  daemon.WaitForLine("node.yaml:3:");

  EXPECT_EQ(Generation(), generation);
  EXPECT_EQ(TestSet("ovn40subnets", "10.16.0.10"), 0);
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
  WriteConfig("10.20.0.0/16", "fd00:10:20::/112");
  Reload(daemon);
  EXPECT_EQ(TestSet("ovn40subnets", "10.20.0.10"), 0);
}

TEST_F(ReloadTest, TakesAndReleasesDevices) {
  AddDevice("eth1");
  auto daemon = Start();
  const auto config = [](const std::string& uplinks) {
    return "node:\n  name: node1\n  addresses: [172.18.0.3]\n  uplinks: [" + uplinks +
           "]\n  podDevices: [ovn0]\nsubnets:\n  - name: a\n    cidrs: [10.16.0.0/16]\n"
           "    natOutgoing: true\n";
  };

  WriteFile(config("eth0, eth1"));
  Reload(daemon);
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "eth1", "ovn0"));

  WriteFile(config("eth1"));
  Reload(daemon);
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth1", "ovn0"));
  EXPECT_THAT(Tree(kPins), Not(HasSubstr("links/eth0-")));
}

TEST_F(ReloadTest, ChangesTheRoleOfADeviceInPlace) {
  auto daemon = Start();
  const auto before = LinkIds();

  WriteFile(
      "node:\n  name: node1\n  addresses: [172.18.0.3]\n  uplinks: [ovn0]\n  podDevices: [eth0]\n"
      "subnets:\n  - name: a\n    cidrs: [10.16.0.0/16]\n    natOutgoing: true\n");
  Reload(daemon);

  EXPECT_EQ(LinkIds(), before);
  const Json status = NatrixJson({"status"});
  for (const Json& device : status.at("devices")) {
    EXPECT_EQ(device.at("role"), device.at("name") == "ovn0" ? "uplink" : "pod");
    const Json program =
        Bpftool({"prog", "show", "id", std::to_string(device.at("ingressProgram").get<int>())});
    EXPECT_EQ(program.at("name"), device.at("name") == "ovn0" ? "nx_uplink_in" : "nx_pod_in");
  }
}

}  // namespace
}  // namespace natrix::netns
