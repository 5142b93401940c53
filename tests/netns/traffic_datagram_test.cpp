// SPDX-License-Identifier: Apache-2.0
//
// Datagrams that processes send to Services: who hears them, and by which address the answers come.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <set>
#include <thread>
#include <vector>

#include "tests/netns/traffic_calls.h"

namespace natrix::netns {
namespace {

using testing::ElementsAre;

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }
class Datagrams : public Calls {};
INSTANTIATE_TEST_SUITE_P(Families, Datagrams, testing::ValuesIn(kFamilies), Name);
class MappedDatagrams : public Calls {};
INSTANTIATE_TEST_SUITE_P(Families, MappedDatagrams, testing::Values(Family::kIpv4), Name);

TEST_P(Datagrams, DatagramsAreAnsweredByTheService) {
  Start({.second = ""});
  const UniqueFd dns = DnsAt(Place::kPod1);

  const UniqueFd without_peer = OpenUdp(node_.node(), any());
  const Point endpoint{cast().pod1, 5353};
  for (const Point& called : {Web(53), Point{cast().node, 30053}, Web(53), endpoint, Web(53)})
    Asks(without_peer.get(), called, dns.get());
}

TEST_P(Datagrams, ConnectedDatagramsAreAnsweredByTheService) {
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
TEST_P(Datagrams, DatagramsToThePeerGoToThePeer) {
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

TEST_P(Datagrams, DatagramsAreRememberedAsLongAsConntrackWould) {
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

TEST_P(MappedDatagrams, LocalhostHasNodePortsOfUdp) {
  Start({.second = ""});
  const UniqueFd dns = DnsAt(Place::kPod1);

  const UniqueFd client = OpenUdp(node_.node(), {"0.0.0.0", 0});
  Asks(client.get(), {"127.0.0.1", 30053}, dns.get());
}

// Who waits for an answer hears of it first, who only sends has no peer any more.
void LostItsPeer(int socket) {
  char byte = 0;
  EXPECT_EQ(::recv(socket, &byte, sizeof(byte), MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNABORTED);
  EXPECT_FALSE(WriteAll(socket, kHello));
  EXPECT_EQ(errno, EDESTADDRREQ);
}

// A socket that has a peer passes no hook when it sends.
TEST_P(Datagrams, APeerThatIsGoneIsTakenFromTheSocket) {
  Start({.second = ""});
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  const UniqueFd client = OpenUdp(node_.node(), any());
  const UniqueFd by_node_port = OpenUdp(node_.node(), any());
  const UniqueFd direct = OpenUdp(node_.node(), any());
  ASSERT_TRUE(ConnectUdp(client.get(), Web(53)));
  ASSERT_TRUE(ConnectUdp(by_node_port.get(), {cast().node, 30053}));
  ASSERT_TRUE(ConnectUdp(direct.get(), {cast().pod1, 5353}));
  for (const int socket : {client.get(), by_node_port.get(), direct.get()}) {
    ASSERT_TRUE(WriteAll(socket, kHello));
    ASSERT_EQ(WhoHears(one.get(), other.get()), one.get());
  }

  node_.SetWords(With(Words{.second = kSecond}.Text(),
                      "  - {portName: dns, addresses: [10.16.0.10, \"fd00:10:16::10\"], port: "
                      "5353}\n",
                      ""));

  for (const int socket : {client.get(), by_node_port.get()}) {
    LostItsPeer(socket);
    ASSERT_TRUE(ConnectUdp(socket, Web(53)));
    ASSERT_TRUE(WriteAll(socket, kHello));
    EXPECT_EQ(WhoHears(one.get(), other.get()), other.get());
  }
  ASSERT_TRUE(WriteAll(direct.get(), kHello));
  EXPECT_EQ(WhoHears(one.get(), other.get()), one.get());
}

// No hook saw where the socket went, which still has the peer of its first call.
TEST_P(Datagrams, APeerThatTheSocketLeftUnseenIsNotTakenFromIt) {
  Start({.second = ""});
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  const UniqueFd client = OpenUdp(node_.node(), any());
  ASSERT_TRUE(ConnectUdp(client.get(), Web(53)));
  node_.SetWords(Words{.second = "", .proxy = "socketLB: 'off'"}.Text());
  ASSERT_TRUE(ConnectUdp(client.get(), {cast().pod2, 5353}));

  node_.SetWords("");

  ASSERT_TRUE(WriteAll(client.get(), kHello));
  EXPECT_EQ(WhoHears(one.get(), other.get()), other.get());
}

TEST_P(Datagrams, APeerThatIsAnEndpointStillStays) {
  Start();
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  UniqueFd client;
  std::optional<int> peer;
  for (int i = 0; i < 50 && peer != one.get(); ++i) {  // the pod that will stay
    client = OpenUdp(node_.node(), any());
    ASSERT_TRUE(ConnectUdp(client.get(), Web(53)));
    ASSERT_TRUE(WriteAll(client.get(), kHello));
    peer = WhoHears(one.get(), other.get());
  }
  ASSERT_EQ(peer, one.get());

  node_.SetWords(Words{.second = ""}.Text());

  ASSERT_TRUE(WriteAll(client.get(), kHello));
  EXPECT_EQ(WhoHears(one.get(), other.get()), one.get());
}

// Who connects by a socket of IPv6 to a Service of IPv4.
TEST_P(MappedDatagrams, APeerThatIsGoneIsTakenFromAMappedSocketAndFromOneAtLocalhost) {
  Start({.second = ""});
  const UniqueFd client = OpenUdp(node_.node(), {"::", 0});
  const UniqueFd local = OpenUdp(node_.node(), {"0.0.0.0", 0});
  ASSERT_TRUE(ConnectUdp(client.get(), {"::ffff:10.96.0.10", 53}));
  ASSERT_TRUE(ConnectUdp(local.get(), {"127.0.0.2", 30053}));
  node_.Kill();
  node_.Start();
  ASSERT_TRUE(WriteAll(client.get(), kHello) && WriteAll(local.get(), kHello)) << "still served";

  node_.SetWords("");

  LostItsPeer(client.get());
  LostItsPeer(local.get());
}

TEST_P(Datagrams, DatagramsOfOneSocketStayWithAnEndpointAsLongAsThereIsOne) {
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

}  // namespace
}  // namespace natrix::netns
