// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/build.h"
#include "tests/support/checksum.h"
#include "tests/support/mark_witness.h"
#include "tests/support/namespace.h"
#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/setup_error.h"
#include "tests/support/tap.h"

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

class Wire : public testing::Test {
 protected:
  Wire() {
    MakeVeth({one_, "left0", "02:00:00:00:00:01"}, {other_, "right0", "02:00:00:00:00:02"});
    Ip(one_,
       "addr add 192.0.2.1/24 dev left0\n"
       "addr add 2001:db8::1/64 dev left0 nodad\n"
       "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev left0 nud permanent\n"
       "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev left0 nud permanent\n");
  }

  Namespace one_{"one"};
  Namespace other_{"other"};
};

TEST_F(Wire, TapReceivesWhatTheKernelSentWithRightChecksums) {
  const Tap tap(other_, "right0");

  for (const char* target : {"192.0.2.2", "2001:db8::2"}) {
    TryCommand(&one_, {"ping", "-c1", "-W0.1", "-s", "33", target});
    const std::vector<Bytes> frames = tap.Receive(milliseconds(1000));
    ASSERT_EQ(frames.size(), 1U) << target;
    EXPECT_THAT(Describe(frames[0]), HasSubstr("echo request"));
    EXPECT_FALSE(VerifyChecksums(frames[0]).AnyBad()) << Describe(frames[0]);
    EXPECT_EQ(VerifyChecksums(frames[0]).transport, Checksum::kOk);
  }
}

TEST_F(Wire, TapCompletesAChecksumLeftToTheDevice) {
  SetOffloads(one_, "left0", true);
  const Tap tap(other_, "right0");

  RunCommand(&one_, {"bash", "-c", "echo hello > /dev/udp/192.0.2.2/9"});

  const std::vector<Bytes> frames = tap.Receive(milliseconds(1000));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(VerifyChecksums(frames[0]).transport, Checksum::kOk) << Describe(frames[0]);
}

TEST_F(Wire, TapSendsAndDoesNotHearItself) {
  const Tap here(one_, "left0");
  const Tap there(other_, "right0");
  const Bytes frame = Build({.src = "192.0.2.1", .dst = "192.0.2.2", .sport = 1, .dport = 2},
                            {"02:00:00:00:00:01", "02:00:00:00:00:02"})[0];

  here.Send(frame);

  EXPECT_THAT(there.Receive(milliseconds(1000)), testing::ElementsAre(frame));
  EXPECT_THAT(here.Receive(milliseconds(20)), testing::IsEmpty());
}

TEST_F(Wire, MarkWitnessSeesTheMarkOfASocket) {
  MarkWitness witness;
  witness.Watch(one_);

  TryCommand(&one_, {"ping", "-c1", "-W0.1", "-m", "16384", "192.0.2.2"});

  const std::vector<MarkWitness::Sight> sights = witness.Take();
  ASSERT_EQ(sights.size(), 1U);
  EXPECT_EQ(sights[0].mark, 0x4000U);
  EXPECT_EQ(sights[0].ifindex, IndexOf(one_, "left0"));
  EXPECT_EQ(sights[0].netns, one_.inum());
  EXPECT_THAT(Describe(sights[0].frame), HasSubstr("192.0.2.1 > 192.0.2.2 echo request"));
}

}  // namespace
}  // namespace natrix::support
