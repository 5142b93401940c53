// SPDX-License-Identifier: Apache-2.0
//
// Who gets a connection to a pod that is probed.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "loader/probe.h"
#include "tests/netns/traffic_probe.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }

class Probes : public ProbeTest {
 protected:
  Probes() { node_.Start(); }
};
INSTANTIATE_TEST_SUITE_P(Families, Probes, testing::ValuesIn(kFamilies), Name);

TEST_P(Probes, AreAnsweredByTheProxyInThePodsName) {
  const UniqueFd proxy = StartProxy();
  const UniqueFd bystander = ListenOutside(80);
  const std::uint64_t counted = node_.CountOf("PROBE");

  const Conversation probe = Probe(node_.node(), proxy.get(), any(), probed());

  EXPECT_EQ(ToString(LocalOf(probe.accepted.get())), ToString(probed()));
  EXPECT_EQ(RemoteOf(probe.accepted.get()).address, node_address());
  EXPECT_EQ(RemoteOf(probe.accepted.get()), LocalOf(probe.prober.get()));
  EXPECT_EQ(MarkOf(probe.prober.get()), 0x90003U);
  EXPECT_TRUE(Speak(probe));
  EXPECT_FALSE(Waits(bystander.get(), milliseconds(0)));
  EXPECT_GT(node_.CountOf("PROBE"), counted + 3);  // NX_R_PROBE
}

TEST_P(Probes, ManyAtOnceGetToTheirOwnConnections) {
  const UniqueFd proxy = StartProxy();
  std::vector<Conversation> probes;

  for (int i = 0; i < 10; ++i) probes.push_back(Probe(node_.node(), proxy.get(), any(), probed()));

  for (const Conversation& probe : probes) {
    EXPECT_EQ(RemoteOf(probe.accepted.get()), LocalOf(probe.prober.get()));
    EXPECT_TRUE(Speak(probe));
  }
}

TEST_P(Probes, AnotherPortOfThePodIsNotTouched) {
  const UniqueFd proxy = StartProxy();
  const UniqueFd other = ListenOutside(81);

  const Conversation call = Probe(node_.node(), other.get(), any(), {pod(), 81});

  EXPECT_EQ(MarkOf(call.prober.get()), 0U);
  EXPECT_TRUE(Speak(call));
  EXPECT_FALSE(Waits(proxy.get(), milliseconds(0)));
}

TEST_P(Probes, AProcessInAPodIsNotTouched) {
  const UniqueFd proxy = StartProxy();
  const UniqueFd real = ListenOutside(80);

  const Conversation call = Probe(node_.pod(), real.get(), {CastOf(GetParam()).pod1, 0}, probed());

  EXPECT_EQ(MarkOf(call.prober.get()), 0U);
  EXPECT_TRUE(Speak(call));
  EXPECT_FALSE(Waits(proxy.get(), milliseconds(0)));
}

TEST_P(Probes, UdpIsNotTouched) {
  const UniqueFd udp = OpenUdp(node_.node(), any());

  ASSERT_TRUE(ConnectUdp(udp.get(), probed()));

  EXPECT_EQ(MarkOf(udp.get()), 0U);
}

// kubelet may use one socket for both families.
TEST_P(Probes, OfAnIpv4PodByAnIpv6SocketAreTakenOver) {
  if (GetParam() == Family::kIpv6) return;
  const UniqueFd proxy = StartProxy();

  const Conversation probe = Probe(node_.node(), proxy.get(), {"::", 0}, {"::ffff:" + pod(), 80});

  EXPECT_EQ(ToString(LocalOf(probe.accepted.get())), ToString(probed()));
  EXPECT_TRUE(Speak(probe));
}

TEST_P(Probes, LeaveTheOtherBitsOfTheSocketsMark) {
  const UniqueFd proxy = StartProxy();
  const Point to = probed();
  const UniqueFd prober = OpenTcp(node_.node(), any());
  const std::uint32_t mark = 0x1100;
  ASSERT_EQ(::setsockopt(prober.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);

  ASSERT_TRUE(ConnectTcp(prober.get(), to));

  EXPECT_EQ(MarkOf(prober.get()), 0x91103U);
  EXPECT_TRUE(Waits(proxy.get(), Scaled(milliseconds(2000))));
}

// What TPROXY does without a listener: nobody else may answer for the pod.
TEST_P(Probes, WithoutAProxyAreDroppedAndNotAnsweredByANodesOwnServer) {
  const UniqueFd server = Listen(node_.node(), {any().address, 80});
  const std::uint64_t counted = node_.CountOf("PROBE_NO_PROXY");
  const UniqueFd prober = OpenTcp(node_.node(), any());
  const timeval wait{.tv_sec = 0, .tv_usec = 300000};
  ASSERT_EQ(::setsockopt(prober.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);

  EXPECT_FALSE(ConnectTcp(prober.get(), probed()));

  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_FALSE(Waits(server.get(), milliseconds(0)));
  EXPECT_GE(node_.CountOf("PROBE_NO_PROXY"), counted + 1);  // NX_R_PROBE_NO_PROXY
}

// The kernel gives such a socket packets since 6.6, which tcx links are of, too.
TEST_P(Probes, OfAProxyWithReusePortAreTakenOverWhereTheKernelCan) {
  const UniqueFd proxy = ListenTransparent(node_.node(), {node_address(), 8102}, true);
  if (loader::HasTcxLinks().value()) {
    EXPECT_TRUE(Speak(Probe(node_.node(), proxy.get(), any(), probed())));
    return;
  }
  const UniqueFd prober = OpenTcp(node_.node(), any());
  const timeval wait{.tv_sec = 0, .tv_usec = 300000};
  ASSERT_EQ(::setsockopt(prober.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);

  EXPECT_FALSE(ConnectTcp(prober.get(), probed()));
  EXPECT_GE(node_.CountOf("PROBE_NO_PROXY"), 1U);
}

TEST_P(Probes, AreTakenOverBeforeANodesOwnServer) {
  const UniqueFd server = Listen(node_.node(), {any().address, 80});
  const UniqueFd proxy = StartProxy();

  EXPECT_TRUE(Speak(Probe(node_.node(), proxy.get(), any(), probed())));

  EXPECT_FALSE(Waits(server.get(), milliseconds(0)));
}

// That connection is what a lookup of prober and proxy finds.
TEST_P(Probes, FromAPortThatSpeaksToTheProxyItselfAreTakenOver) {
  const UniqueFd proxy = StartProxy();
  const Point from{node_address(), 41000};
  const Conversation direct = Probe(node_.node(), proxy.get(), from, {node_address(), 8102});

  const Conversation probe = Probe(node_.node(), proxy.get(), from, probed());

  EXPECT_EQ(ToString(LocalOf(probe.accepted.get())), ToString(probed()));
  EXPECT_TRUE(Speak(probe));
  EXPECT_TRUE(Speak(direct));
}

// The proxy's side is in TIME_WAIT then, and answers before the new connection can.
TEST_P(Probes, FromThePortOfOneThatTheProxyClosedGetThrough) {
  const UniqueFd proxy = StartProxy();
  const Point from{node_address(), 41001};
  {
    Conversation first = Probe(node_.node(), proxy.get(), from, probed());
    first.accepted.Reset();
    Bytes end(1);
    EXPECT_FALSE(ReadAll(first.prober.get(), end));
  }

  EXPECT_TRUE(Speak(Probe(node_.node(), proxy.get(), from, probed())));
}

}  // namespace
}  // namespace natrix::netns
