// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/namespace.h"
#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Namespaces, SeeOnlyTheirOwnDevices) {
  const Namespace one("one");
  const Namespace other("other");
  MakeVeth({one, "left0", "02:00:00:00:00:01"}, {other, "right0", "02:00:00:00:00:02"});

  EXPECT_THAT(RunCommand(&one, {"ls", "/sys/class/net"}), HasSubstr("left0"));
  EXPECT_THAT(RunCommand(&one, {"ls", "/sys/class/net"}), Not(HasSubstr("right0")));
  EXPECT_THAT(RunCommand(&other, {"ip", "link", "show", "right0"}), HasSubstr("02:00:00:00:00:02"));
  EXPECT_NE(one.inum(), other.inum());
}

TEST(Namespaces, HaveABpffsOfTheirOwn) {
  const Namespace one("one");
  const Namespace other("other");

  RunCommand(&one, {"mkdir", "/sys/fs/bpf/here"});

  EXPECT_THAT(RunCommand(&one, {"ls", "/sys/fs/bpf"}), HasSubstr("here"));
  EXPECT_THAT(RunCommand(&other, {"ls", "/sys/fs/bpf"}), Not(HasSubstr("here")));
}

TEST(Namespaces, AreGoneWithTheProcessThatMadeThem) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Namespace ns("doomed");
    const Process sleeper(&ns, {"sleep", "1000"});
    const std::string text = std::to_string(sleeper.pid());
    if (::write(fds[1], text.data(), text.size()) < 0) ::_exit(1);
    ::pause();
  }
  char text[32] = {};
  ASSERT_GT(::read(fds[0], text, sizeof(text) - 1), 0);
  const pid_t sleeper = std::stoi(text);
  ASSERT_EQ(::kill(sleeper, 0), 0);

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);

  // Nobody here reaps the orphan, so dead means gone or a zombie.
  const auto dead = [&] {
    const Finished ps = TryCommand(nullptr, {"ps", "-o", "stat=", "-p", text});
    return ps.status != 0 || ps.output.starts_with("Z");
  };
  for (int i = 0; i < 100 && !dead(); ++i) ::usleep(10000);
  EXPECT_TRUE(dead()) << "process " << sleeper << " outlived its parent";
}

TEST(Commands, SayWhatFailedAndWhy) {
  const Namespace ns("loud");

  try {
    Ip(ns, "link set nothing up\n");
    FAIL() << "ip accepted a device that is not there";
  } catch (const SetupError& error) {
    EXPECT_THAT(error.what(), HasSubstr("loud: ip -batch -: exit status 1"));
    EXPECT_THAT(error.what(), HasSubstr("nothing"));
  }
}

TEST(Commands, AreKilledWhenTheyOutliveTheirLimit) {
  EXPECT_THROW(TryCommand(nullptr, {"sleep", "100"}, {}, milliseconds(50)), SetupError);
}

TEST(Processes, WaitForALineAndTellItsEnd) {
  Process process(nullptr,
                  {"sh", "-c", "echo one; sleep 0.05; echo ready >&2; sleep 0.05; exit 3"});

  process.WaitForLine("ready");
  EXPECT_EQ(process.Wait(milliseconds(5000)), 3);
  EXPECT_EQ(process.Output(), "one\nready\n");
  EXPECT_THROW(process.WaitForLine("never"), SetupError);
}

TEST(Processes, DieWithTheirOwner) {
  pid_t pid = 0;
  {
    const Process process(nullptr, {"sleep", "1000"});
    pid = process.pid();
    ASSERT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Networks, SysctlsBelongToTheNamespace) {
  const Namespace one("one");
  const Namespace other("other");

  Sysctl(one, "net/ipv4/ip_forward", "1");
  Sysctl(other, "net/ipv4/ip_forward", "0");

  EXPECT_EQ(RunCommand(&one, {"cat", "/proc/sys/net/ipv4/ip_forward"}), "1\n");
  EXPECT_EQ(RunCommand(&other, {"cat", "/proc/sys/net/ipv4/ip_forward"}), "0\n");
  EXPECT_THROW(Sysctl(one, "net/ipv4/no_such_setting", "1"), SetupError);
}

TEST(Networks, OffloadsFollowTheSwitch) {
  const Namespace one("one");
  const Namespace other("other");
  MakeVeth({one, "left0", "02:00:00:00:00:01"}, {other, "right0", "02:00:00:00:00:02"});

  SetOffloads(one, "left0", false);
  EXPECT_THAT(RunCommand(&one, {"ethtool", "-k", "left0"}), HasSubstr("tx-checksumming: off"));
  SetOffloads(one, "left0", true);
  EXPECT_THAT(RunCommand(&one, {"ethtool", "-k", "left0"}), HasSubstr("tx-checksumming: on"));
}

}  // namespace
}  // namespace natrix::support
