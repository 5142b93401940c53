// SPDX-License-Identifier: Apache-2.0
//
// Policies, ranges, affinity and nodePortAddresses where processes call; and what becomes of calls
// when not every hook can be attached.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/netns/traffic_calls.h"

namespace natrix::netns {
namespace {

using testing::ContainsRegex;

constexpr char kPins[] = "/sys/fs/bpf/natrix";

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }

class CallRules : public Calls {
 protected:
  // A datagram of a new socket of `ns`.
  UniqueFd Says(const support::Namespace& ns, const Point& to) const {
    UniqueFd client = OpenUdp(ns, any());
    EXPECT_TRUE(SendTo(client.get(), to, kHello)) << ToString(to);
    return client;
  }
  // Until natrix has counted that many packets under a reason.
  testing::AssertionResult Counts(const std::string& reason, std::uint64_t packets) const {
    std::uint64_t counted = 0;
    for (int round = 0; round < 50; ++round) {
      counted = node_.CountOf(reason);
      if (counted >= packets) break;
      std::this_thread::sleep_for(milliseconds(20));
    }
    if (counted == packets) return testing::AssertionSuccess();
    return testing::AssertionFailure() << reason << " counted " << counted << " times";
  }
  std::uint64_t Translated() const { return node_.CountOf("SERVICE"); }
  std::string chosen() const {
    return "nodePortAddresses: [172.18.0.3/32, \"fd00:172:18::3/128\"]";
  }
};
INSTANTIATE_TEST_SUITE_P(Families, CallRules, testing::ValuesIn(kFamilies), Name);

// KUBE-EXT: "route LOCAL traffic" to any endpoint.
TEST_P(CallRules, TheLocalPolicyOfOutsideIsNotTheNodes) {
  Start({.second = "", .external = "Local"});  // endpoints without a node are elsewhere
  const UniqueFd http = HttpAt(Place::kPod1);
  const UniqueFd dns = DnsAt(Place::kPod1);

  Talks(any(), {cast().node, 30080}, http.get());
  Talks(any(), Balancer(), http.get());
  const UniqueFd client = OpenUdp(node_.node(), any());
  Asks(client.get(), {cast().node, 30053}, dns.get());

  Says(node_.outside(), {cast().node, 30053});
  EXPECT_TRUE(Counts("NO_LOCAL_ENDPOINT", 1));
}

TEST_P(CallRules, NodePortsAreAtTheAddressesThatAreChosen) {
  Start({.second = "", .proxy = chosen()});
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), {cast().node, 30080}, http.get());
  for (const std::string& address : {cast().join, std::string(v6() ? "::1" : "127.0.0.1")}) {
    const UniqueFd own = Listen(node_.node(), {address, 30080});
    Talks(any(), {address, 30080}, own.get());
  }
}

// KUBE-EXTERNAL-SERVICES asks for any address of the node, of loopback too.
TEST_P(CallRules, WithoutAnEndpointNodePortsAreRefusedAtAllAddresses) {
  const std::string localhost = v6() ? "::1" : "127.0.0.1";
  std::vector<UniqueFd> own;
  for (const std::string& address : {cast().node, cast().join, localhost})
    own.push_back(Listen(node_.node(), {address, 30081}));
  for (const std::string& proxy : {std::string(),
                                   std::string("iptables: {localhostNodePorts: "
                                               "false}"),
                                   chosen()}) {
    node_.SetWords(Words{.proxy = proxy}.Text());
    if (!node_.IsRunning()) node_.Start();
    for (const std::string& address : {cast().node, cast().join, localhost})
      EXPECT_EQ(Call({address, 30081}), ECONNREFUSED) << address << " " << proxy;
  }
}

TEST_P(CallRules, UnderAllTheRangesAreAskedForThePod) {
  Start(
      {.second = "", .ranges = "10.16.0.11/32, \"fd00:10:16::11/128\"", .proxy = "socketLB: all"});
  const UniqueFd dns = DnsAt(Place::kPod1);
  const Point balancer{Balancer().address, 53};

  const UniqueFd admitted = Says(node_.at(Place::kPod2), balancer);
  ASSERT_TRUE(ReceiveFrom(dns.get(), Scaled(milliseconds(2000))));
  EXPECT_TRUE(Counts("SOURCE_RANGE", 0));

  Says(node_.at(Place::kPod3), balancer);
  EXPECT_TRUE(Counts("SOURCE_RANGE", 1));
  EXPECT_FALSE(Waits(dns.get(), milliseconds(100)));
}

TEST_P(CallRules, UnderAllThePolicyForOutsideIsAskedForThePod) {
  Start({.second = "", .external = "Local", .proxy = "socketLB: all"});
  const UniqueFd dns = DnsAt(Place::kPod1);

  // Without a local detector nobody knows that it is one of the cluster's own.
  Says(node_.at(Place::kPod3), {cast().node, 30053});
  EXPECT_TRUE(Counts("NO_LOCAL_ENDPOINT", 1));
  EXPECT_FALSE(Waits(dns.get(), milliseconds(100)));

  const std::string detect =
      "socketLB: all, detectLocalMode: ClusterCIDR, clusterCIDR: '10.16.0.0/14,fd00:10::/42'";
  node_.SetWords(Words{.second = "", .external = "Local", .proxy = detect}.Text());
  const UniqueFd client = Says(node_.at(Place::kPod3), {cast().node, 30053});
  EXPECT_TRUE(ReceiveFrom(dns.get(), Scaled(milliseconds(2000))));
  EXPECT_EQ(node_.CountOf("NO_LOCAL_ENDPOINT"), 1U);
}

TEST_P(CallRules, UnderAllTheInternalPolicyIsThePods) {
  Start({.policy = "Local", .proxy = "socketLB: all"});

  const UniqueFd client = OpenTcp(node_.at(Place::kPod3), any());
  EXPECT_EQ(Call(client.get(), Web(80)), EPERM);
  EXPECT_EQ(node_.CountOf("NO_LOCAL_ENDPOINT"), 1U);
}

TEST_P(CallRules, UnderAllEachPodIsOneClient) {
  Start({.affinity = "ClientIP", .proxy = "socketLB: all"});
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  const auto choice = [&](const support::Namespace& ns) {
    const UniqueFd client = Says(ns, Web(53));
    return WhoHears(one.get(), other.get());
  };

  for (const Place place : {Place::kPod1, Place::kPod3}) {
    const auto first = choice(node_.at(place));
    ASSERT_TRUE(first);
    for (int i = 0; i < 12; ++i) ASSERT_EQ(choice(node_.at(place)), first);
  }
  EXPECT_EQ(Translated(), 0U) << "in the sockets, nothing on the wire";
}

// Who attaches without BPF_F_ALLOW_MULTI lets nobody else in.
TEST_P(CallRules, AHookThatIsTakenLeavesNone) {
  node_.SetWords(Words{.second = "", .proxy = "socketLB: off"}.Text());
  node_.Start();
  // natrix' own program, which is idle: nobody's TCP comes by there.
  const auto bpftool = [&](const char* word) {
    support::RunCommand(&node_.node(), {"bpftool", "cgroup", word, "/sys/fs/cgroup", "sendmsg6",
                                        "pinned", std::string(kPins) + "/progs/nx_sendmsg6"});
  };
  bpftool("attach");
  const std::string on = Words{.second = ""}.Text();
  node_.SetWords(on);

  EXPECT_THAT(node_.Log(), ContainsRegex("error processes: sendmsg6: program [0-9]+ on "
                                         "/sys/fs/cgroup lets no other in"));
  const Json status = node_.Natrix({"status"});
  EXPECT_EQ(status.at("degraded"), true);
  EXPECT_EQ(status.at("processes").size(), 8U);
  for (const Json& part : status.at("processes")) {
    EXPECT_EQ(part.at("there"), false) << part;
    EXPECT_THAT(part.at("state").get<std::string>(),
                ContainsRegex(part.at("name") == "cgroup sendmsg6"
                                  ? "^MISSING: program [0-9]+ is there, and lets no other in$"
                                  : "^MISSING$"));
  }
  {
    const UniqueFd outside = Listen(node_.outside(), Web(80));
    Talks(any(), Web(80), outside.get());  // nobody's call is half translated
  }

  bpftool("detach");
  node_.SetWords(on);
  EXPECT_EQ(node_.Natrix({"status"}).at("degraded"), false);
  const UniqueFd http = HttpAt(Place::kPod1);
  Talks(any(), Web(80), http.get());
}

// What nobody could foresee: here the pin of the fourth has no room.
TEST_P(CallRules, AHookThatFailsLeavesNone) {
  node_.SetWords(Words{.second = "", .proxy = "socketLB: off"}.Text());
  node_.Start();
  const std::string pin = std::string(kPins) + "/links/cgroup-sendmsg6";
  support::RunCommand(&node_.node(), {"mkdir", pin});
  const std::string on = Words{.second = ""}.Text();
  node_.SetWords(on);

  EXPECT_THAT(node_.Log(), ContainsRegex("error processes: sendmsg6: remove .*cgroup-sendmsg6: "));
  // natrixd tries again every five seconds, so that some are there for a moment.
  std::ptrdiff_t there = 8;
  for (int round = 0; round < 20 && there != 0; ++round) {
    const Json status = node_.Natrix({"status"});
    EXPECT_EQ(status.at("degraded"), true);
    there = std::ranges::count_if(status.at("processes"),
                                  [](const Json& part) { return part.at("there").get<bool>(); });
  }
  EXPECT_EQ(there, 0);

  support::RunCommand(&node_.node(), {"rmdir", pin});
  node_.SetWords(on);
  EXPECT_EQ(node_.Natrix({"status"}).at("degraded"), false);
}

// Its subflow is hooked as TCP's sockets are.  getpeername(2) asks the socket above that, which no
// hook knows: the endpoint's address (docs/operations.md).
TEST_P(CallRules, MultipathTcpReachesAnEndpoint) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);
  UniqueFd fd;
  {
    const support::InNetwork here(node_.node());
    fd.Reset(::socket(v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
  }
  EXPECT_EQ(Call(fd.get(), Web(80)), 0);
  EXPECT_TRUE(Waits(http.get(), Scaled(milliseconds(2000))));
}

TEST_P(CallRules, WithoutCgroupsTheWireIsServed) {
  support::RunCommand(&node_.node(), {"umount", "/sys/fs/cgroup"});
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  const UniqueFd client = OpenTcp(node_.at(Place::kPod3), any());
  EXPECT_EQ(Call(client.get(), Web(80)), 0);
  EXPECT_TRUE(Waits(http.get(), Scaled(milliseconds(2000))));
  const UniqueFd outside = Listen(node_.outside(), Web(80));
  Talks(any(), Web(80), outside.get());
}

}  // namespace
}  // namespace natrix::netns
