// SPDX-License-Identifier: Apache-2.0
//
// Processes that call Services: what their sockets reach, hear and see.
#include <gmock/gmock.h>

#include <set>

#include "tests/netns/traffic_calls.h"

namespace natrix::netns {
namespace {

using testing::HasSubstr;

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }
INSTANTIATE_TEST_SUITE_P(Families, Calls, testing::ValuesIn(kFamilies), Name);
class MappedCalls : public Calls {};
INSTANTIATE_TEST_SUITE_P(Families, MappedCalls, testing::Values(Family::kIpv4), Name);

TEST_P(Calls, ConnectReachesAnEndpointAndThePeerIsTheService) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), Web(80), http.get());
  Talks({cast().node, 0}, Web(80), http.get());
}

TEST_P(MappedCalls, AnIpv6SocketCallsIpv4) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);
  const UniqueFd dns = DnsAt(Place::kPod1);

  Talks({"::", 0}, {"::ffff:10.96.0.10", 80}, http.get());
  const UniqueFd client = OpenUdp(node_.node(), {"::", 0});
  Asks(client.get(), {"::ffff:10.96.0.10", 53}, dns.get());
}

TEST_P(Calls, NodePortsAreCalledAtTheNodesAddresses) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), {cast().node, 30080}, http.get());
  Talks(any(), {cast().join, 30080}, http.get());
}

TEST_P(Calls, LocalhostHasNodePortsOfIpv4) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  if (v6())
    EXPECT_EQ(Call({"::1", 30080}), ECONNREFUSED);
  else
    for (const char* address : {"127.0.0.1", "127.1.2.3"})
      Talks(any(), {address, 30080}, http.get());
}

// The kernel takes it for 127.0.0.1.
TEST_P(MappedCalls, NobodysAddressIsLocalhost) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks({"0.0.0.0", 0}, {"0.0.0.0", 30080}, http.get());
}

TEST_P(Calls, LocalhostHasNoNodePortsWhenItShallNot) {
  Start({.second = "", .proxy = "iptables: {localhostNodePorts: false}"});
  const UniqueFd http = HttpAt(Place::kPod1);

  EXPECT_EQ(Call({v6() ? "::1" : "127.0.0.1", 30080}), ECONNREFUSED);
}

TEST_P(Calls, WithoutAnEndpointIsRefusedAtOnce) {
  Start();
  const std::uint64_t before = node_.CountOf("NO_ENDPOINT");

  EXPECT_EQ(Call(Empty(80)), ECONNREFUSED);
  const UniqueFd udp = OpenUdp(node_.node(), any());
  EXPECT_FALSE(SendTo(udp.get(), Empty(53), kHello));
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(Call({cast().node, 30081}), ECONNREFUSED);
  EXPECT_EQ(node_.CountOf("NO_ENDPOINT"), before + 3);
}

// KUBE-EXTERNAL-SERVICES is not asked in OUTPUT.
TEST_P(Calls, WithoutAnEndpointAnExternalAddressIsWhoeverHasIt) {
  Start();
  const UniqueFd outside = Listen(node_.outside(), {cast().web2, 80});

  Talks(any(), {cast().web2, 80}, outside.get());
}

TEST_P(Calls, WithLocalPolicyAndEndpointsElsewhereIsDropped) {
  Start({.policy = "Local"});

  EXPECT_EQ(Call(Web(80)), EPERM);
  EXPECT_EQ(node_.CountOf("NO_LOCAL_ENDPOINT"), 1U);
}

TEST_P(Calls, SourceRangesAreAskedForTheNode) {
  Start({.second = "", .ranges = "203.0.113.0/24, \"2001:db8:113::/64\""});
  const UniqueFd http = HttpAt(Place::kPod1);

  EXPECT_EQ(Call(Balancer()), EPERM);
  EXPECT_EQ(node_.CountOf("SOURCE_RANGE"), 1U);
  Talks(any(), Web(80), http.get());  // its other addresses know no ranges

  node_.SetWords(Words{.second = "", .ranges = "172.18.0.0/24, \"fd00:172:18::/64\""}.Text());
  Talks(any(), Balancer(), http.get());
}

TEST_P(Calls, EveryEndpointIsReached) {
  Start();
  const UniqueFd one = HttpAt(Place::kPod1);
  const UniqueFd other = HttpAt(Place::kPod2);

  std::set<int> heard;
  for (int i = 0; i < 40; ++i) {  // all to one: 1 in 2^39
    const UniqueFd client = OpenTcp(node_.node(), any());
    ASSERT_EQ(Call(client.get(), Web(80)), 0);
    for (const int server : {one.get(), other.get()}) {
      if (!Waits(server, milliseconds(0))) continue;
      Accept(server);
      heard.insert(server);
    }
  }
  EXPECT_EQ(heard.size(), 2U);
}

TEST_P(Calls, WithAffinityTheNodeIsOneClient) {
  Start({.affinity = "ClientIP"});
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);

  std::set<std::optional<int>> heard;
  for (int i = 0; i < 30; ++i) {
    const UniqueFd client = OpenUdp(node_.node(), any());
    ASSERT_TRUE(SendTo(client.get(), Web(53), kHello));
    heard.insert(WhoHears(one.get(), other.get()));
  }
  EXPECT_EQ(heard.size(), 1U);
  EXPECT_TRUE(heard.begin()->has_value());
}

TEST_P(Calls, PodsAreLeftToTheWireUnlessAllAreMeant) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);
  const auto call = [&] {
    const UniqueFd client = OpenTcp(node_.at(Place::kPod2), any());
    ASSERT_EQ(Call(client.get(), Web(80)), 0);
    ASSERT_TRUE(Waits(http.get(), Scaled(milliseconds(2000))));
    // Kube-OVN masquerades what goes from pod to pod through the node.
    EXPECT_EQ(RemoteOf(Accept(http.get()).get()).address, cast().join);
  };

  call();
  EXPECT_GT(node_.EntriesOf("nx_flow") + node_.EntriesOf("nx_embryo"), 0U);
  const std::uint64_t on_the_wire = node_.CountOf("SERVICE");
  EXPECT_GT(on_the_wire, 0U);

  node_.SetWords(Words{.second = "", .proxy = "socketLB: all"}.Text());
  call();
  EXPECT_EQ(node_.CountOf("SERVICE"), on_the_wire);
}

TEST_P(Calls, OffLeavesTheSocketsAlone) {
  Start({.second = ""});
  EXPECT_EQ(node_.Natrix({"status"}).at("processes").size(), 8U);

  node_.SetWords(Words{.second = "", .proxy = "socketLB: off"}.Text());

  EXPECT_EQ(node_.Natrix({"status"}).at("processes").size(), 0U);
  // Nothing translates what the node itself sends: it meets whoever has the address outside.
  const UniqueFd outside = Listen(node_.outside(), Web(80));
  Talks(any(), Web(80), outside.get());
}

TEST_P(Calls, WithoutCgroupsSaysSo) {
  support::RunCommand(&node_.node(), {"umount", "/sys/fs/cgroup"});
  Start();

  EXPECT_THAT(node_.Log(), HasSubstr("error processes: recvmsg4: no cgroup v2 file system is "
                                     "mounted"));
  const Json status = node_.Natrix({"status"});
  EXPECT_EQ(status.at("degraded"), true);
  EXPECT_THAT(status.at("processes").dump(),
              HasSubstr("MISSING: no cgroup v2 file system is mounted"));
}

}  // namespace
}  // namespace natrix::netns
