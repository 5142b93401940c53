// SPDX-License-Identifier: Apache-2.0
//
// Processes that call Services: what their sockets reach, hear and see.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <cerrno>
#include <set>
#include <thread>
#include <vector>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/engine.h"

namespace natrix::netns {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two pods answer for `web`, and nobody for `empty`.
constexpr char kServices[] = R"(services:
- name: web
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  loadBalancerIPs: [10.96.200.1, "fd00:10:96::c801"]
  loadBalancerSourceRanges: [RANGES]
  sessionAffinity: AFFINITY
  internalTrafficPolicy: POLICY
  ports:
  - {name: http, port: 80, nodePort: 30080}
  - {name: dns, protocol: UDP, port: 53, nodePort: 30053}
  endpoints:
  - {portName: http, addresses: [10.16.0.10, "fd00:10:16::10"], port: 8080}
  - {portName: dns, addresses: [10.16.0.10, "fd00:10:16::10"], port: 5353}
SECOND
- name: empty
  clusterIPs: [10.96.0.11, "fd00:10:96::b"]
  externalIPs: [203.0.113.7, "2001:db8:113::7"]
  ports:
  - {name: http, port: 80, nodePort: 30081}
  - {name: dns, protocol: UDP, port: 53}
)";
constexpr char kSecond[] =
    "  - {portName: http, addresses: [10.16.0.11, \"fd00:10:16::11\"], port: 8080}\n"
    "  - {portName: dns, addresses: [10.16.0.11, \"fd00:10:16::11\"], port: 5353}\n";

std::string With(std::string text, const std::string& word, const std::string& value) {
  const std::size_t at = text.find(word);
  if (at != std::string::npos) text.replace(at, word.size(), value);
  return text;
}

struct Words {
  std::string second = kSecond;
  std::string ranges = {};
  std::string affinity = "None";
  std::string policy = "Cluster";
  std::string proxy = {};  // under kubeProxy:
  std::string more = {};   // beside it

  std::string Text() const {
    std::string text = With(kServices, "RANGES", ranges);
    text = With(With(text, "AFFINITY", affinity), "POLICY", policy);
    text = With(text, "SECOND\n", second);
    if (!proxy.empty()) text += "kubeProxy: {" + proxy + "}\n";
    return text + more;
  }
};

const Bytes kHello{'h', 'e', 'l', 'l', 'o'};

class Calls : public testing::TestWithParam<Family> {
 protected:
  void Start(const Words& words = {}) {
    node_.SetWords(words.Text());
    node_.Start();
  }
  bool v6() const { return GetParam() == Family::kIpv6; }
  const Cast& cast() const { return CastOf(GetParam()); }
  Point any() const { return {v6() ? "::" : "0.0.0.0", 0}; }
  Point Web(std::uint16_t port) const { return {v6() ? "fd00:10:96::a" : "10.96.0.10", port}; }
  Point Balancer() const { return {v6() ? "fd00:10:96::c801" : "10.96.200.1", 80}; }
  Point Empty(std::uint16_t port) const { return {v6() ? "fd00:10:96::b" : "10.96.0.11", port}; }

  UniqueFd HttpAt(Place pod) const { return Listen(node_.at(pod), {Address(pod), 8080}); }
  UniqueFd DnsAt(Place pod) const { return OpenUdp(node_.at(pod), {Address(pod), 5353}); }
  std::string Address(Place pod) const { return pod == Place::kPod1 ? cast().pod1 : cast().pod2; }

  // What connect(2) says: 0, or errno.
  static int Call(int fd, const Point& to) { return ConnectTcp(fd, to) ? 0 : errno; }
  int Call(const Point& to) const { return Call(OpenTcp(node_.node(), any()).get(), to); }

  // A connection that a process of the node opens, from end to end.
  void Talks(const Point& from, const Point& to, int listener) const {
    const UniqueFd client = OpenTcp(node_.node(), from);
    ASSERT_EQ(Call(client.get(), to), 0) << ToString(to);
    ASSERT_TRUE(Waits(listener, Scaled(milliseconds(2000)))) << ToString(to);
    const UniqueFd server = Accept(listener);
    EXPECT_EQ(RemoteOf(client.get()), to);
    EXPECT_EQ(RemoteOf(server.get()).port, LocalOf(client.get()).port);
    Bytes heard(kHello.size());
    EXPECT_TRUE(WriteAll(client.get(), kHello) && ReadAll(server.get(), heard));
    EXPECT_TRUE(WriteAll(server.get(), heard) && ReadAll(client.get(), heard));
    EXPECT_EQ(heard, kHello);
  }
  // The same by datagrams of a socket that has no peer, or has.
  void Asks(int client, const Point& to, int server) const {
    ASSERT_TRUE(SendTo(client, to, kHello));
    const auto question = ReceiveFrom(server, Scaled(milliseconds(2000)));
    ASSERT_TRUE(question) << ToString(to);
    ASSERT_TRUE(SendTo(server, question->from, question->bytes));
    const auto answer = ReceiveFrom(client, Scaled(milliseconds(2000)));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->from, to);
    EXPECT_EQ(answer->bytes, kHello);
  }
  // Which of the two heard the next datagram; none: neither.
  static std::optional<int> WhoHears(int one, int other) {
    for (int round = 0; round < 100; ++round)
      for (const int server : {one, other})
        if (ReceiveFrom(server, milliseconds(10))) return server;
    return std::nullopt;
  }

  TrafficNode node_;
};
std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }
INSTANTIATE_TEST_SUITE_P(Families, Calls, testing::ValuesIn(kFamilies), Name);

TEST_P(Calls, ConnectReachesAnEndpointAndThePeerIsTheService) {
  Start({.second = ""});
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), Web(80), http.get());
  Talks({cast().node, 0}, Web(80), http.get());
}

TEST_P(Calls, DatagramsAreAnsweredByTheService) {
  Start({.second = ""});
  const UniqueFd dns = DnsAt(Place::kPod1);

  const UniqueFd without_peer = OpenUdp(node_.node(), any());
  const Point endpoint{cast().pod1, 5353};
  for (const Point& called : {Web(53), Point{cast().node, 30053}, Web(53), endpoint, Web(53)})
    Asks(without_peer.get(), called, dns.get());
}

TEST_P(Calls, ConnectedDatagramsAreAnsweredByTheService) {
  Start({.second = ""});
  const UniqueFd dns = DnsAt(Place::kPod1);
  const UniqueFd client = OpenUdp(node_.node(), any());

  ASSERT_TRUE(ConnectUdp(client.get(), Web(53)));
  EXPECT_EQ(RemoteOf(client.get()), Web(53));
  ASSERT_TRUE(WriteAll(client.get(), kHello));
  const auto question = ReceiveFrom(dns.get(), Scaled(milliseconds(2000)));
  ASSERT_TRUE(question);
  ASSERT_TRUE(SendTo(dns.get(), question->from, kHello));
  const auto answer = ReceiveFrom(client.get(), Scaled(milliseconds(2000)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->from, Web(53));
}

// A socket may have a peer and name it all the same.
TEST_P(Calls, DatagramsToThePeerGoToThePeer) {
  Start();
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);

  for (int i = 0; i < 12; ++i) {
    const UniqueFd client = OpenUdp(node_.node(), any());
    ASSERT_TRUE(ConnectUdp(client.get(), Web(53)));
    ASSERT_TRUE(WriteAll(client.get(), kHello));
    const auto peer = WhoHears(one.get(), other.get());
    ASSERT_TRUE(SendTo(client.get(), Web(53), kHello));
    EXPECT_EQ(WhoHears(one.get(), other.get()), peer);
  }
}

TEST_P(Calls, DatagramsAreRememberedAsLongAsConntrackWould) {
  Start({.more = "timeouts: {udp: 1s, udpStream: 3s}\n"});
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  const auto ask = [&](int client) {
    EXPECT_TRUE(SendTo(client, Web(53), kHello));
    return WhoHears(one.get(), other.get());
  };

  // An answer makes it last; of eight that were forgotten one would go elsewhere (but 1 in 256).
  std::vector<UniqueFd> streams;
  std::vector<std::optional<Datagram>> questions;
  std::vector<int> servers;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(OpenUdp(node_.node(), any()));
    ASSERT_TRUE(SendTo(streams.back().get(), Web(53), kHello));
    int server = one.get();
    auto question = ReceiveFrom(server, milliseconds(200));
    if (!question) question = ReceiveFrom(server = other.get(), Scaled(milliseconds(2000)));
    ASSERT_TRUE(question);
    ASSERT_TRUE(SendTo(server, question->from, kHello));
    ASSERT_TRUE(ReceiveFrom(streams.back().get(), Scaled(milliseconds(2000))));
    servers.push_back(server);
    questions.push_back(question);
  }
  std::this_thread::sleep_for(milliseconds(1300));
  for (std::size_t i = 0; i < streams.size(); ++i) EXPECT_EQ(ask(streams[i].get()), servers[i]);

  // Nor does a late answer come from a Service that was forgotten.
  std::this_thread::sleep_for(milliseconds(3300));
  ASSERT_TRUE(SendTo(servers[0], questions[0]->from, kHello));
  const auto late = ReceiveFrom(streams[0].get(), Scaled(milliseconds(2000)));
  ASSERT_TRUE(late);
  EXPECT_EQ(late->from,
            (Point{Address(servers[0] == one.get() ? Place::kPod1 : Place::kPod2), 5353}));

  // Without an answer it is forgotten: another endpoint comes up (but 1 in 4096).
  const UniqueFd client = OpenUdp(node_.node(), any());
  const auto first = ask(client.get());
  auto next = first;
  for (int i = 0; i < 12 && next == first; ++i) {
    std::this_thread::sleep_for(milliseconds(1300));
    next = ask(client.get());
  }
  EXPECT_NE(next, first);
}

class MappedCalls : public Calls {};
INSTANTIATE_TEST_SUITE_P(Families, MappedCalls, testing::Values(Family::kIpv4), Name);

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

TEST_P(MappedCalls, LocalhostHasNodePortsOfUdp) {
  Start({.second = ""});
  const UniqueFd dns = DnsAt(Place::kPod1);

  const UniqueFd client = OpenUdp(node_.node(), {"0.0.0.0", 0});
  Asks(client.get(), {"127.0.0.1", 30053}, dns.get());
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

TEST_P(Calls, DatagramsOfOneSocketStayWithAnEndpointAsLongAsThereIsOne) {
  Start();
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);

  const auto heard = [&](int client) {
    std::set<std::optional<int>> servers;
    for (int n = 0; n < 10; ++n) {
      EXPECT_TRUE(SendTo(client, Web(53), kHello));
      servers.insert(WhoHears(one.get(), other.get()));
    }
    return servers;
  };
  UniqueFd client;
  std::set<std::optional<int>> first;
  for (int i = 0; i < 20 && !first.contains(other.get()); ++i) {  // the pod that will go
    client = OpenUdp(node_.node(), any());
    first = heard(client.get());
    ASSERT_EQ(first.size(), 1U);
  }
  ASSERT_TRUE(first.contains(other.get()));

  node_.SetWords(Words{.second = ""}.Text());
  EXPECT_THAT(heard(client.get()), ElementsAre(one.get()));
  node_.SetWords(Words{}.Text());
  EXPECT_THAT(heard(client.get()), ElementsAre(one.get()));
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
