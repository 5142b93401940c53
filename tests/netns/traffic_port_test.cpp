// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <cerrno>
#include <cstring>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"

// The node's own sockets and masqueraded pods share the node's address: with equal ports towards
// one peer, nobody may get what is another's.
namespace natrix::netns {
namespace {

milliseconds Patience() { return Scaled(milliseconds(2000)); }

Bytes TextBytes(const std::string& text) { return {text.begin(), text.end()}; }

class TrafficPorts : public testing::Test {
 protected:
  TrafficPorts() : node_({.words = "masquerade: {randomFully: false}\n"}) { node_.Start(); }

  UniqueFd NodeUdp(Family family, std::uint16_t port) const {
    return OpenUdp(node_.node(), {CastOf(family).node, port});
  }
  UniqueFd PodUdp(Family family, std::uint16_t port) const {
    return OpenUdp(node_.pod(), {CastOf(family).pod1, port});
  }
  UniqueFd OutsideUdp(Family family, std::uint16_t port) const {
    return OpenUdp(node_.outside(), {CastOf(family).web, port});
  }

  TrafficNode node_;
};

// A conversation with the server that begins with a name; every later message has it, too.
struct Speaker {
  std::string name;
  int fd = -1;
  Point seen = {};  // as the server knows it
};

// The speaker says its name to `server`, which notes who that is.
std::string Introduce(Speaker& speaker, int server, const Point& address) {
  if (!SendTo(speaker.fd, address, TextBytes(speaker.name))) return speaker.name + " cannot send";
  const auto heard = ReceiveFrom(server, Patience());
  if (!heard) return speaker.name + " is not heard";
  if (heard->bytes != TextBytes(speaker.name)) return "somebody else than " + speaker.name;
  speaker.seen = heard->from;
  return {};
}

// The server calls each by its name, where it is known to be: exactly that one must hear it.
std::string CallEachByName(int server, const std::vector<Speaker>& speakers) {
  for (const Speaker& speaker : speakers) SendTo(server, speaker.seen, TextBytes(speaker.name));
  for (const Speaker& speaker : speakers) {
    const auto heard = ReceiveFrom(speaker.fd, Patience());
    if (!heard) return speaker.name + " hears nothing";
    const std::string text(heard->bytes.begin(), heard->bytes.end());
    if (text != speaker.name) return speaker.name + " hears what is said to " + text;
    if (ReceiveFrom(speaker.fd, milliseconds(0))) return speaker.name + " hears too much";
  }
  for (std::size_t i = 0; i < speakers.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (speakers[i].seen == speakers[j].seen)
        return speakers[i].name + " and " + speakers[j].name + " are one outside";
  return {};
}

TEST_F(TrafficPorts, APodKeepsItsPortWhereNobodyOfTheNodeHasIt) {
  for (const Family family : kFamilies) {
    const UniqueFd server = OutsideUdp(family, 53);
    const UniqueFd pod = PodUdp(family, 5000);
    Speaker speaker{"pod", pod.get()};

    ASSERT_EQ(Introduce(speaker, server.get(), {CastOf(family).web, 53}), "");

    EXPECT_EQ(speaker.seen, (Point{CastOf(family).node, 5000}));
  }
}

TEST_F(TrafficPorts, UdpOfTheNodeAndOfPodsAreToldApart) {
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    const Point address{CastOf(family).web, 53};
    const UniqueFd server = OutsideUdp(family, 53);
    // Bound, and open to anybody's answers; connected before the pod; connected after it.
    const UniqueFd open = NodeUdp(family, 5001);
    const UniqueFd before = NodeUdp(family, 5002);
    ASSERT_TRUE(ConnectUdp(before.get(), address));
    const UniqueFd pods[] = {PodUdp(family, 5001), PodUdp(family, 5002), PodUdp(family, 5003)};
    std::vector<Speaker> speakers = {{"the node's connected one", before.get()},
                                     {"the pod's 5001", pods[0].get()},
                                     {"the pod's 5002", pods[1].get()},
                                     {"the pod's 5003", pods[2].get()}};
    for (Speaker& speaker : speakers) ASSERT_EQ(Introduce(speaker, server.get(), address), "");
    const UniqueFd after = NodeUdp(family, 5003);
    ASSERT_TRUE(ConnectUdp(after.get(), address));
    speakers.push_back({"the node's late one", after.get()});
    ASSERT_EQ(Introduce(speakers.back(), server.get(), address), "");
    speakers.push_back({"the node's open one", open.get()});
    ASSERT_EQ(Introduce(speakers.back(), server.get(), address), "");

    for (int round = 0; round < 3; ++round) EXPECT_EQ(CallEachByName(server.get(), speakers), "");

    for (const Speaker& speaker : speakers) EXPECT_EQ(speaker.seen.address, CastOf(family).node);
  }
  EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
}

TEST_F(TrafficPorts, AListeningServiceOfTheNodeIsNotMistakenForAPodsConnection) {
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    const Cast& cast = CastOf(family);
    const UniqueFd service = Listen(node_.node(), {cast.node, 5010});
    const UniqueFd listener = Listen(node_.outside(), {cast.web, 80});
    const auto pod = TryConnect(node_.pod(), {cast.pod1, 5010}, {cast.web, 80});
    ASSERT_TRUE(pod) << std::strerror(errno);
    const UniqueFd far = Accept(listener.get());
    EXPECT_EQ(RemoteOf(far.get()).address, cast.node);
    EXPECT_NE(RemoteOf(far.get()).port, 5010);

    // The same peer, from the same port, to the service: a connection of its own.
    const auto client = TryConnect(node_.outside(), {cast.web, 0}, {cast.node, 5010});
    ASSERT_TRUE(client) << std::strerror(errno);
    const UniqueFd served = Accept(service.get());

    Bytes heard(4);
    EXPECT_TRUE(WriteAll(served.get(), TextBytes("node")) && ReadAll(client->get(), heard));
    EXPECT_EQ(heard, TextBytes("node"));
    heard.resize(3);
    EXPECT_TRUE(WriteAll(far.get(), TextBytes("pod")) && ReadAll(pod->get(), heard));
    EXPECT_EQ(heard, TextBytes("pod"));
  }
}

// TCP from one port of the node and of a pod to one peer, whichever came first.
class TcpCaller {
 public:
  TcpCaller(std::string name, const support::Namespace& ns, const Point& from, int listener,
            const Point& server)
      : name_(std::move(name)), near_(TryConnect(ns, from, server)) {
    if (near_) far_ = Accept(listener);
  }

  bool connected() const { return near_.has_value(); }
  Point seen() const { return RemoteOf(far_.get()); }
  // Both directions with the caller's name.
  std::string Speak() const {
    const Bytes text = TextBytes(name_);
    Bytes heard(text.size());
    if (!WriteAll(near_->get(), text) || !ReadAll(far_.get(), heard) || heard != text)
      return name_ + " is not understood";
    if (!WriteAll(far_.get(), text) || !ReadAll(near_->get(), heard) || heard != text)
      return name_ + " does not hear its answer";
    return {};
  }

 private:
  std::string name_;
  std::optional<UniqueFd> near_;
  UniqueFd far_;
};

TEST_F(TrafficPorts, TcpOfTheNodeAndOfPodsAreToldApart) {
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    const Cast& cast = CastOf(family);
    const Point server{cast.web, 80};
    const UniqueFd listener = Listen(node_.outside(), server);
    const auto node = [&](const char* name, std::uint16_t port) {
      return TcpCaller(name, node_.node(), {cast.node, port}, listener.get(), server);
    };
    const auto pod = [&](const char* name, std::uint16_t port) {
      return TcpCaller(name, node_.pod(), {cast.pod1, port}, listener.get(), server);
    };

    std::vector<TcpCaller> callers;
    callers.push_back(node("the node's, first", 5020));
    callers.push_back(pod("the pod's, second", 5020));
    callers.push_back(pod("the pod's, first", 5021));
    callers.push_back(node("the node's, second", 5021));

    for (const TcpCaller& caller : callers) {
      ASSERT_TRUE(caller.connected());
      EXPECT_EQ(caller.seen().address, cast.node);
    }
    for (int round = 0; round < 3; ++round)
      for (const TcpCaller& caller : callers) EXPECT_EQ(caller.Speak(), "");
    EXPECT_NE(callers[0].seen(), callers[1].seen());
    EXPECT_NE(callers[2].seen(), callers[3].seen());
  }
  EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
}

}  // namespace
}  // namespace natrix::netns
