// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "tests/netns/node.h"

namespace natrix::netns {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class Attach : public NodeTest {};

TEST_F(Attach, TakesDevicesByNameAndByGlobAndNoOthers) {
  AddDevice("pod1");
  AddDevice("other0");

  const auto daemon = Start();

  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0", "pod1"));
  EXPECT_THAT(daemon.Output(), HasSubstr("attach method=" + Method()));
}

TEST_F(Attach, TakesANewDeviceWithin100Milliseconds) {
  auto daemon = Start();
  std::vector<milliseconds> delays;

  for (int i = 0; i < 5; ++i) {
    const std::string name = fmt::format("pod{}", i);
    AddDevice(name);
    const auto appeared = steady_clock::now();
    const std::string line = fmt::format("attach device={} ", name);
    while (daemon.Output().find(line) == std::string::npos &&
           steady_clock::now() - appeared < milliseconds(5000))
      std::this_thread::sleep_for(milliseconds(1));
    delays.push_back(std::chrono::duration_cast<milliseconds>(steady_clock::now() - appeared));
  }

  // The middle one: the machine may have been busy with something else once.
  std::ranges::sort(delays);
  EXPECT_LT(delays[2], Scaled(milliseconds(100)));
  EXPECT_THAT(Attached(), Contains("pod4"));
}

TEST_F(Attach, FollowsADeviceThatIsRenamed) {
  AddDevice("other0");
  auto daemon = Start();
  ASSERT_THAT(Attached(), Not(Contains("other0")));

  Ip("link set other0 down\nlink set other0 name pod7\nlink set pod7 up");
  daemon.WaitForLine("attach device=pod7 ");
  EXPECT_THAT(Attached(), Contains("pod7"));

  Ip("link set pod7 down\nlink set pod7 name pod8\nlink set pod8 up");
  daemon.WaitForLine("apply ", milliseconds(10000), daemon.Output().find("attach device=pod7 "));
  Reload(daemon);
  EXPECT_THAT(Attached(), Contains("pod8"));
  EXPECT_THAT(Tree(kPins), AllOf(HasSubstr("links/pod8-"), Not(HasSubstr("links/pod7-"))));

  Ip("link set pod8 down\nlink set pod8 name other0\nlink set other0 up");
  daemon.WaitForLine("detach device=pod8 ");
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
  EXPECT_THAT(Tree(kPins), Not(HasSubstr("links/pod")));
}

TEST_F(Attach, ForgetsADeviceThatIsGone) {
  AddDevice("pod1");
  auto daemon = Start();
  ASSERT_THAT(Tree(kPins), HasSubstr("links/pod1-"));

  Ip("link del pod1");
  daemon.WaitForLine("detach device=pod1 ");

  EXPECT_THAT(Tree(kPins), Not(HasSubstr("links/pod1-")));
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
}

TEST_F(Attach, TakesADeviceThatComesBackUnderTheSameIndex) {
  auto daemon = Start();
  Ip("link add pod1 index 4711 type veth peer name wire_pod1\nlink set pod1 up");
  daemon.WaitForLine("attach device=pod1 ifindex=4711 ");
  const std::size_t from = daemon.Output().size();

  // Both changes are there when natrixd next looks: by name and index nothing has changed.
  daemon.Signal(SIGSTOP);
  Ip("link del pod1\nlink add pod1 index 4711 type veth peer name wire_pod1\nlink set pod1 up");
  daemon.Signal(SIGCONT);
  daemon.WaitForLine("attach device=pod1 ifindex=4711 ", Scaled(milliseconds(1000)), from);

  EXPECT_THAT(Attached(), Contains("pod1"));
}

TEST_F(Attach, WritesTheAddressesOfADeviceAsTheyChange) {
  auto daemon = Start();
  const auto apply = [&](std::string_view lines) {
    const std::size_t from = daemon.Output().size();
    Ip(lines);
    daemon.WaitForLine("info apply ", milliseconds(10000), from);
    return Bpftool({"map", "dump", "pinned", std::string(kPins) + "/maps/nx_device"}).dump();
  };
  // 172.18.0.9 as the map holds it.
  const std::string address = "[0,0,0,0,0,0,0,0,0,0,255,255,172,19,0,9]";

  EXPECT_THAT(apply("addr add 172.19.0.9/24 dev eth0"), HasSubstr(address));
  EXPECT_THAT(apply("addr del 172.19.0.9/24 dev eth0"), Not(HasSubstr(address)));
}

TEST_F(Attach, TakesAHundredDevicesAtOnce) {
  auto daemon = Start();
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines +=
        fmt::format("link add pod{0} type veth peer name wire_pod{0}\nlink set pod{0} up\n", i);

  Ip(lines);
  daemon.WaitForLine("attach device=pod99 ", milliseconds(30000));

  EXPECT_EQ(Attached().size(), 102U);
}

TEST_F(Attach, RepairsFiltersWhoseQdiscIsDeleted) {
  auto daemon = Start({"--attach", "clsact"});
  ASSERT_EQ(Method(), "clsact");

  // Sooner than the regular look, which comes every 5 s.
  for (int i = 0; i < 3; ++i) {
    const std::size_t from = daemon.Output().size();
    Run({"tc", "qdisc", "del", "dev", "eth0", "clsact"});
    daemon.WaitForLine("attach device=eth0 ", Scaled(milliseconds(1000)), from);
  }

  EXPECT_THAT(Run({"tc", "filter", "show", "dev", "eth0", "ingress"}), HasSubstr("nx_uplink_in"));
  EXPECT_THAT(Run({"tc", "filter", "show", "dev", "eth0", "egress"}), HasSubstr("nx_out"));
  EXPECT_EQ(Natrix({"status"}).status, 0);
}

TEST_F(Attach, SaysWhyADeviceCannotBeTakenAndGoesOnWithTheOthers) {
  // An ingress qdisc stands where clsact would, and has no egress hook.
  Run({"tc", "qdisc", "add", "dev", "eth0", "ingress"});

  const auto daemon = Start({"--attach", "clsact"});

  EXPECT_THAT(daemon.Output(), AllOf(HasSubstr("attach device=eth0 "), HasSubstr("`ingress`")));
  EXPECT_THAT(Attached(), ElementsAre("ovn0"));
  EXPECT_EQ(Natrix({"status"}).status, 5);
}

}  // namespace
}  // namespace natrix::netns
