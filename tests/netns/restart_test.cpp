// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstddef>

#include "tests/netns/node.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

using support::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class Restart : public NodeTest {};

TEST_F(Restart, SigtermEndsWellAndLeavesTheDatapath) {
  auto daemon = Start();

  daemon.Signal(SIGTERM);

  EXPECT_EQ(daemon.Wait(milliseconds(10000)), 0);
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
  const auto status = Natrix({"status"});
  EXPECT_EQ(status.status, 3);
  EXPECT_THAT(status.output, HasSubstr("not running"));
}

TEST_F(Restart, AfterACrashAdoptsEverythingAndWritesNothing) {
  auto first = Start();
  const auto maps = MapIds();
  const auto links = LinkIds();
  const auto generation = Generation();
  ASSERT_GE(maps.size(), 16U);

  first.Kill();
  ASSERT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
  const auto second = Start();

  EXPECT_EQ(MapIds(), maps);
  EXPECT_EQ(LinkIds(), links);
  EXPECT_EQ(Generation(), generation);
  EXPECT_THAT(second.Output(), HasSubstr(" created=0"));
  EXPECT_THAT(second.Output(), Not(HasSubstr("info apply ")));
}

TEST_F(Restart, AppliesWhatChangedWhileNobodyLooked) {
  Start().Kill();
  WriteConfig("10.20.0.0/16", "fd00:10:20::/112");
  Ip("link del ovn0");
  AddDevice("pod1");

  const auto daemon = Start();

  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "pod1"));
  EXPECT_EQ(Natrix({"sets", "ovn40subnets", "--test", "10.20.0.1"}).status, 0);
  EXPECT_EQ(Natrix({"sets", "ovn40subnets", "--test", "10.16.0.1"}).status, 1);
  EXPECT_THAT(Tree(kPins), Not(HasSubstr("links/ovn0-")));
}

TEST_F(Restart, KeepsTheSizeOfTheFlowTablesAndSaysSo) {
  Start().Kill();
  const Json before =
      Bpftool({"map", "show", "pinned", std::string(kPins) + "/maps/nx_flow"}).at("max_entries");
  WriteFile(
      "node:\n  name: node1\n  addresses: [172.18.0.3]\n  uplinks: [eth0]\n  podDevices: [ovn0]\n"
      "subnets:\n  - name: a\n    cidrs: [10.16.0.0/16]\nflows:\n  maxEstablished: 4096\n");

  const auto daemon = Start();

  EXPECT_THAT(daemon.Output(), HasSubstr("map nx_flow keeps its"));
  EXPECT_EQ(
      Bpftool({"map", "show", "pinned", std::string(kPins) + "/maps/nx_flow"}).at("max_entries"),
      before);
}

TEST_F(Restart, ChangesTheAttachMethodWithoutLeavingTheOtherBehind) {
  Start().Kill();

  const auto daemon = Start({"--attach", "clsact"});

  EXPECT_EQ(Method(), "clsact");
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
  EXPECT_THAT(Tree(kPins), AllOf(Not(HasSubstr("-ingress")), Not(HasSubstr("-egress"))));
}

TEST_F(Restart, ASecondNatrixdIsRefused) {
  const auto first = Start();

  const auto second = StartToEnd();

  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.errors, HasSubstr("another natrixd (pid " + std::to_string(first.pid())));
}

TEST_F(Restart, ABrokenConfigurationLoadsNothing) {
  WriteFile("node: {nmae: node1}\n");

  const auto daemon = StartToEnd();

  EXPECT_EQ(daemon.status, 1);
  EXPECT_THAT(daemon.errors, HasSubstr("node.yaml:1:8: error: "));
  EXPECT_THAT(Tree("/sys/fs/bpf"), Not(HasSubstr("natrix")));
}

TEST_F(Restart, TellsSystemdWhenItIsReady) {
  const support::InNetwork here(node());  // an abstract name belongs to a network namespace
  const UniqueFd listener(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  constexpr std::string_view kName = "natrix-notify";
  kName.copy(address.sun_path + 1, kName.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);

  ::setenv("NOTIFY_SOCKET", "@natrix-notify", 1);
  auto daemon = Start();
  ::unsetenv("NOTIFY_SOCKET");
  Reload(daemon);

  // The last message follows the log line that Reload() waits for.
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  // Between them, whenever a device shows up a little later, may be news that is only a STATUS.
  const auto next = [&] {
    std::string message;
    do {
      char text[512] = {};
      (void)::recv(listener.get(), text, sizeof(text) - 1, 0);
      message = text;
    } while (message.starts_with("STATUS="));
    return message;
  };
  EXPECT_THAT(next(), HasSubstr("READY=1\nSTATUS=devices=2"));
  EXPECT_THAT(next(), HasSubstr("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_THAT(next(), HasSubstr("READY=1\n"));
}

}  // namespace
}  // namespace natrix::netns
