// SPDX-License-Identifier: Apache-2.0
//
// Processes of the node that call floating IPs, and instances that ask OpenStack's metadata.
// Beside iptables: FloatingIpsFromTheNode.*, CalicoMetadata.* of tests/oracle.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "tests/netns/traffic_calls.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/rules.h"
#include "tests/support/network.h"

namespace natrix::netns {
namespace {

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }

// The example has pod 1's.
class FloatingIpCalls : public Calls {
 protected:
  void StartWith(const std::string& words) {
    node_.SetWords(words);
    node_.Start();
  }
  // The example with this one alone.
  model::Config WithOneOf(const std::string& pod) const {
    model::Config config = oracle::LoadConfig(oracle::ExamplePath());
    config.floating_ips.clear();
    if (!pod.empty())
      config.floating_ips.push_back(
          {model::Address::Parse(cast().floating).value(), model::Address::Parse(pod).value()});
    return config;
  }
  void Float(const std::string& pod) { node_.Reload(oracle::YamlText(WithOneOf(pod))); }
  Point Floating(std::uint16_t port) const { return {cast().floating, port}; }
  // Somebody outside who has the address itself.
  UniqueFd DnsOutside() const {
    support::Ip(node_.outside(),
                fmt::format("route add local {}/{} dev lo\n", cast().floating, v6() ? 128 : 32));
    return OpenUdp(node_.outside(), Floating(5353));
  }
};
INSTANTIATE_TEST_SUITE_P(Families, FloatingIpCalls, testing::ValuesIn(kFamilies), Name);
class MappedFloatingIpCalls : public FloatingIpCalls {};
INSTANTIATE_TEST_SUITE_P(Families, MappedFloatingIpCalls, testing::Values(Family::kIpv4), Name);

// No Service, and no host port: floating IPs alone attach the hooks.
TEST_P(FloatingIpCalls, ReachThePodAndAreAnsweredByTheFloatingIp) {
  StartWith("");
  const UniqueFd http = HttpAt(Place::kPod1);
  const UniqueFd dns = DnsAt(Place::kPod1);
  EXPECT_EQ(node_.Natrix({"status"}).at("processes").size(), 8U);

  Talks(any(), Floating(8080), http.get());
  const UniqueFd client = OpenUdp(node_.node(), any());
  const Point pod{cast().pod1, 5353};
  for (const Point& called : {Floating(5353), pod, Floating(5353)})
    Asks(client.get(), called, dns.get());

  const UniqueFd connected = OpenUdp(node_.node(), any());
  ASSERT_TRUE(ConnectUdp(connected.get(), Floating(5353)));
  EXPECT_EQ(RemoteOf(connected.get()), Floating(5353));
  ASSERT_TRUE(WriteAll(connected.get(), kHello));
  const auto question = ReceiveFrom(dns.get(), Scaled(milliseconds(2000)));
  ASSERT_TRUE(question);
  ASSERT_TRUE(SendTo(dns.get(), question->from, kHello));
  const auto answer = ReceiveFrom(connected.get(), Scaled(milliseconds(2000)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->from, Floating(5353));
}

TEST_P(FloatingIpCalls, AreNobodysWithoutSocketLb) {
  const UniqueFd dns = DnsAt(Place::kPod1);
  const UniqueFd outside = DnsOutside();
  StartWith("kubeProxy: {socketLB: 'off'}\n");
  EXPECT_TRUE(node_.Natrix({"status"}).at("processes").empty());

  const UniqueFd client = OpenUdp(node_.node(), any());
  ASSERT_TRUE(SendTo(client.get(), Floating(5353), kHello));
  EXPECT_EQ(WhoHears(dns.get(), outside.get()), outside.get());
}

// How a process learns the address that it would call from: nothing is sent.
TEST_P(FloatingIpCalls, AtPort0AreNotTranslated) {
  support::Ip(node_.node(), fmt::format("route add {}/{} dev ovn0 src {}\n", cast().pod1,
                                        v6() ? 128 : 32, cast().join));
  StartWith("");
  const UniqueFd client = OpenUdp(node_.node(), any());
  ASSERT_TRUE(ConnectUdp(client.get(), Floating(0)));
  EXPECT_EQ(LocalOf(client.get()).address, cast().node);
}

// As Felix leaves conntrack's flows.  A socket without a peer has none of its own.
TEST_P(FloatingIpCalls, ConnectedSocketsKeepThePodOfAFloatingIpThatMoves) {
  const UniqueFd one = DnsAt(Place::kPod1);
  const UniqueFd other = DnsAt(Place::kPod2);
  const UniqueFd outside = DnsOutside();
  StartWith("");
  const UniqueFd connected = OpenUdp(node_.node(), any());
  const UniqueFd without_peer = OpenUdp(node_.node(), any());
  ASSERT_TRUE(ConnectUdp(connected.get(), Floating(5353)));
  const auto both = [&](int peer, int next) {
    ASSERT_TRUE(WriteAll(connected.get(), kHello));
    EXPECT_EQ(WhoHears(one.get(), peer == one.get() ? other.get() : peer), peer);
    ASSERT_TRUE(SendTo(without_peer.get(), Floating(5353), kHello));
    EXPECT_EQ(WhoHears(one.get(), next == one.get() ? other.get() : next), next);
  };
  both(one.get(), one.get());
  Float(cast().pod2);
  both(one.get(), other.get());
  Float("");
  ASSERT_TRUE(WriteAll(connected.get(), kHello)) << "the hooks are gone, its peer is not";
  EXPECT_EQ(WhoHears(one.get(), other.get()), one.get());
  ASSERT_TRUE(SendTo(without_peer.get(), Floating(5353), kHello));
  EXPECT_EQ(WhoHears(other.get(), outside.get()), outside.get());
}

// A pod's call is ingress', be it in the socket's hook or not: it is seen as the floating IP.
TEST_P(FloatingIpCalls, OfAPodToItselfStayOnTheWire) {
  const UniqueFd http = HttpAt(Place::kPod1);
  StartWith("kubeProxy: {socketLB: all}\n");
  const UniqueFd client = Connect(node_.pod(), any(), Floating(8080));
  ASSERT_TRUE(Waits(http.get(), Scaled(milliseconds(2000))));
  const UniqueFd server = Accept(http.get());
  EXPECT_EQ(RemoteOf(server.get()).address, cast().floating);
  EXPECT_EQ(RemoteOf(client.get()), Floating(8080));
}

// filter OUTPUT comes behind nat: what became a pod's is no Service's port that nobody has.
TEST_P(FloatingIpCalls, AreRefusedByWhomTheyReach) {
  support::Ip(node_.node(),
              fmt::format("addr add {}/{} dev lo\n", cast().floating, v6() ? "128 nodad" : "32"));
  StartWith("");
  model::Config config = WithOneOf(cast().pod1);
  config.ipvs.emplace();
  config.service_cidrs = {model::Prefix::Of(config.floating_ips[0].external)};
  node_.Reload(oracle::YamlText(config));
  const UniqueFd http = HttpAt(Place::kPod1);
  Talks(any(), Floating(8080), http.get());

  config.floating_ips.clear();
  node_.Reload(oracle::YamlText(config));
  const UniqueFd own = Listen(node_.node(), Floating(8080));
  EXPECT_EQ(Call(Floating(8080)), ECONNREFUSED);
}

// By a socket of IPv6.
TEST_P(MappedFloatingIpCalls, ReachThePodFromAMappedSocket) {
  StartWith("");
  const UniqueFd dns = DnsAt(Place::kPod1);
  const UniqueFd client = OpenUdp(node_.node(), {"::", 0});
  Asks(client.get(), {"::ffff:" + cast().floating, 5353}, dns.get());
}

// Sockets at both ends.
class Metadata : public Calls {
 protected:
  // An instance asks, and is answered from where it asked.
  void IsServedBy(int listener) const {
    const Point called{model::kMetadataAddress, 80};
    const UniqueFd client = Connect(node_.pod(), {cast().pod1, 0}, called);
    ASSERT_TRUE(Waits(listener, Scaled(milliseconds(2000))));
    const UniqueFd server = Accept(listener);
    EXPECT_EQ(RemoteOf(server.get()), LocalOf(client.get()));
    // Longer than natrix takes a flow for new that egress has not decided about.
    for (int i = 0; i < 3; ++i) {
      Bytes heard(kHello.size());
      EXPECT_TRUE(WriteAll(client.get(), kHello) && ReadAll(server.get(), heard));
      EXPECT_TRUE(WriteAll(server.get(), heard) && ReadAll(client.get(), heard));
      EXPECT_EQ(heard, kHello);
      std::this_thread::sleep_for(milliseconds(700));
    }
    EXPECT_EQ(node_.CountOf("METADATA"), 1U);
  }
  Json Status() const { return node_.Natrix({"status"}).at("metadata"); }
};
INSTANTIATE_TEST_SUITE_P(Families, Metadata, testing::Values(Family::kIpv4), Name);

TEST_P(Metadata, IsServedAtLocalhost) {
  node_.SetWords("calico: {metadata: {}}\n");
  node_.Start();
  EXPECT_EQ(Status().at("name"), "127.0.0.1:8775");
  EXPECT_EQ(Status().at("there"), false);
  EXPECT_EQ(Status().at("state"), "NOT REACHED: net.ipv4.conf.DEVICE.route_localnet is 0 of ovn0");

  support::Sysctl(node_.node(), "net/ipv4/conf/ovn0/route_localnet", "1");
  EXPECT_EQ(Status().at("there"), true);
  const UniqueFd server = Listen(node_.node(), {"127.0.0.1", 8775});
  IsServedBy(server.get());
}

// Which the kernel has no address entry of.
TEST_P(Metadata, IsServedAtAnotherLoopbackAddress) {
  support::Sysctl(node_.node(), "net/ipv4/conf/all/route_localnet", "1");
  node_.SetWords("calico: {metadata: {address: 127.3.2.1, port: 80}}\n");
  node_.Start();
  EXPECT_EQ(Status().at("there"), true);
  const UniqueFd server = Listen(node_.node(), {"127.3.2.1", 80});
  IsServedBy(server.get());
}

TEST_P(Metadata, IsServedByAnotherHost) {
  node_.SetWords("calico: {metadata: {address: 172.18.0.4, port: 80}}\n");
  node_.Start();
  EXPECT_EQ(Status().at("state"), "called at 169.254.169.254:80");
  const UniqueFd listener = Listen(node_.outside(), {cast().other_node, 80});
  const UniqueFd client =
      Connect(node_.at(Place::kPod3), {cast().pod3, 0}, {model::kMetadataAddress, 80});
  ASSERT_TRUE(Waits(listener.get(), Scaled(milliseconds(2000))));
  EXPECT_EQ(RemoteOf(Accept(listener.get()).get()), LocalOf(client.get()));

  node_.SetWords("");
  EXPECT_TRUE(Status().is_null());
}

}  // namespace
}  // namespace natrix::netns
