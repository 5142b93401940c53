// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/support/own_cgroup.h"

// Processes of a node that call Services, whose endpoints are pods of it.
namespace natrix::netns {

// Two pods answer for `web`, and nobody for `empty`.
inline constexpr char kServices[] = R"(services:
- name: web
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  loadBalancerIPs: [10.96.200.1, "fd00:10:96::c801"]
  loadBalancerSourceRanges: [RANGES]
  sessionAffinity: AFFINITY
  internalTrafficPolicy: POLICY
  externalTrafficPolicy: EXTERNAL
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
inline constexpr char kSecond[] =
    "  - {portName: http, addresses: [10.16.0.11, \"fd00:10:16::11\"], port: 8080}\n"
    "  - {portName: dns, addresses: [10.16.0.11, \"fd00:10:16::11\"], port: 5353}\n";

inline std::string With(std::string text, const std::string& word, const std::string& value) {
  const std::size_t at = text.find(word);
  if (at != std::string::npos) text.replace(at, word.size(), value);
  return text;
}

struct Words {
  std::string second = kSecond;
  std::string ranges = {};
  std::string affinity = "None";
  std::string policy = "Cluster";
  std::string external = "Cluster";
  std::string proxy = {};  // under kubeProxy:
  std::string more = {};   // beside it

  std::string Text() const {
    std::string text = With(kServices, "RANGES", ranges);
    text = With(With(text, "AFFINITY", affinity), "POLICY", policy);
    text = With(With(text, "EXTERNAL", external), "SECOND\n", second);
    if (!proxy.empty()) text += "kubeProxy: {" + proxy + "}\n";
    return text + more;
  }
};

inline const Bytes kHello{'h', 'e', 'l', 'l', 'o'};

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

  support::OwnCgroup cgroup_;
  TrafficNode node_;
};

}  // namespace natrix::netns
