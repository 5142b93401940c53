// SPDX-License-Identifier: Apache-2.0
//
// XDP on a veth that stands for the uplink, towards another veth whose host has NAPI (GRO on).
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "loader/xdp_attacher.h"
#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_load.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/network.h"

namespace natrix::netns {
namespace {

using support::Ip;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

constexpr milliseconds kPatience(5000);
constexpr char kForced[] = "xdp: {mode: native, force: [eth0, eth9]}\n";

class Xdp : public testing::TestWithParam<Family> {
 protected:
  // A pod of its own at eth9, of the masqueraded subnet.
  Xdp() {
    const char* mac = "02:00:00:00:09:02";
    support::MakeVeth({node_.node(), "eth9", "02:00:00:00:09:01"}, {guest_, "eth0", mac});
    support::SetOffloads(guest_, "eth0", true);
    for (const Family family : kFamilies) {
      const bool four = family == Family::kIpv4;
      const std::string host = Guest(family) + (four ? "/32" : "/128");
      const std::string gateway = four ? "169.254.1.1" : "fe80::1";
      Ip(node_.node(), fmt::format("route replace {} dev eth9\n"
                                   "neigh replace {} lladdr {} dev eth9 nud permanent\n",
                                   host, Guest(family), mac));
      Ip(guest_, fmt::format("addr add {} dev eth0 {}\n"
                             "neigh replace {} lladdr 02:00:00:00:09:01 dev eth0 nud permanent\n"
                             "route add default via {} dev eth0 onlink\n",
                             host, four ? "" : "nodad", gateway, gateway));
    }
  }
  void SetUp() override {
    const support::InNetwork here(node_.node());
    if (loader::XdpFeatures(support::IndexOf(node_.node(), "eth9")) == 0)
      GTEST_SKIP() << "the kernel does not tell what drivers send for XDP (before 6.3)";
  }

  static std::string Guest(Family family) {
    return family == Family::kIpv4 ? "10.16.0.99" : "fd00:10:16::99";
  }
  const Cast& cast() const { return CastOf(GetParam()); }
  bool v4() const { return GetParam() == Family::kIpv4; }
  Path ToWeb() const { return {guest_, Guest(GetParam()), node_.outside(), cast().web}; }
  std::uint64_t Sent() const { return node_.CountOf("XDP_SENT"); }
  Json XdpOf(const std::string& device) const {
    const Json status = node_.Natrix({"status"});
    for (const Json& row : status.at("devices"))
      if (row.at("name") == device) return row.at("xdp");
    throw std::runtime_error("no device " + device);
  }
  void Start(const std::string& words = kForced) {
    node_.SetWords(words);
    node_.Start();
  }

  UdpPair Open() const { return OpenPair(ToWeb()); }
  // Answers that XDP sent among `rounds`.
  std::uint64_t SentDuring(const UdpPair& talk, int rounds) const {
    const std::uint64_t before = Sent();
    EXPECT_NE(ExchangeOn(talk, rounds), "");
    return Sent() - before;
  }

  support::Namespace guest_{"traffic/guest"};
  TrafficNode node_{{.offloads = false, .pod_devices = {"eth9"}}};
};
INSTANTIATE_TEST_SUITE_P(Families, Xdp, testing::ValuesIn(kFamilies),
                         [](const auto& now) { return NameOf(now.param); });

TEST_P(Xdp, CarriesTheAnswersOfAMasqueradedFlow) {
  Start();
  EXPECT_EQ(XdpOf("eth0").at("mode"), "native");
  EXPECT_NE(XdpOf("eth0").at("program"), 0);
  EXPECT_TRUE(XdpOf("eth9").is_null()) << "no uplink";
  const UdpPair talk = Open();
  const std::string seen = ExchangeOn(talk, 3);
  ASSERT_THAT(seen, HasSubstr(cast().node));
  // One direction of the two; now and then a packet refreshes the way.
  EXPECT_THAT(SentDuring(talk, 10), AllOf(Ge(8U), Le(10U)));
  EXPECT_EQ(ExchangeOn(talk, 1), seen);
}

TEST_P(Xdp, CarriesStreamsAndDatagramsOfAllSizesWithRightChecksums) {
  Start();
  EXPECT_EQ(TransferTcp(ToWeb(), cast().node, 1 << 20), "");
  const std::uint64_t after_tcp = Sent();
  EXPECT_GT(after_tcp, 50U) << "segments and acknowledgements from outside";
  EXPECT_EQ(ExchangeUdp(ToWeb(), cast().node), "");
  EXPECT_GT(Sent(), after_tcp);
  EXPECT_EQ(ExchangeEchoes(ToWeb()), "");
  EXPECT_EQ(ProvokeIcmpError(ToWeb()), "");
  EXPECT_EQ(ChecksumErrors(node_.scene()) + ChecksumErrors(guest_), 0U);
}

// The outside host leaves checksums to its device, which passes them on as they are.
TEST_P(Xdp, LeavesWhatIsNotSummedUpToTheStackWhichGetsItRight) {
  support::SetOffloads(node_.outside(), "eth0", true);
  Start();
  EXPECT_EQ(TransferTcp(ToWeb(), cast().node, 1 << 18), "");
  EXPECT_EQ(ExchangeUdp(ToWeb(), cast().node), "");
  EXPECT_EQ(ChecksumErrors(node_.scene()) + ChecksumErrors(guest_), 0U);
}

TEST_P(Xdp, LeavesAllElseToTheStack) {
  Start();
  const Path by_bridge{node_.pod(), cast().pod1, node_.outside(), cast().web};
  EXPECT_EQ(TransferTcp(by_bridge, cast().node, 1 << 18), "");
  EXPECT_EQ(ExchangeUdp(by_bridge, cast().node), "");
  const Path to_node{node_.outside(), cast().router, node_.node(), cast().node};
  EXPECT_EQ(TransferTcp(to_node, cast().router, 1 << 18), "");
  EXPECT_EQ(Sent(), 0U) << "a bridge takes no frames of XDP";
}

TEST_P(Xdp, FollowsAChangeOfRoutes) {
  Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  ASSERT_GT(SentDuring(talk, 4), 0U);
  // The guest moves to the bridge's side: pod3's namespace has its address now.
  const std::string host = Guest(GetParam()) + (v4() ? "/32" : "/128");
  Ip(node_.at(Place::kPod3), fmt::format("addr add {} dev eth0 {}\n", host, v4() ? "" : "nodad"));
  Ip(node_.node(), fmt::format("neigh replace {} lladdr {} dev ovn0 nud permanent\n"
                               "route replace {} dev ovn0\n",
                               Guest(GetParam()), oracle::MacOf(Place::kPod3), host));
  const UdpPair moved{OpenUdp(node_.at(Place::kPod3), {Guest(GetParam()), 7000}),
                      UniqueFd(::dup(talk.far.get())), talk.to};
  // Until natrixd has heard of it, packets go where they went.
  const auto end = std::chrono::steady_clock::now() + Scaled(kPatience);
  bool arrived = false;
  while (!arrived && std::chrono::steady_clock::now() < end) {
    if (!SendTo(moved.near.get(), moved.to, Bytes{1})) break;
    const auto there = ReceiveFrom(moved.far.get(), Scaled(kPatience));
    ASSERT_TRUE(there);
    SendTo(moved.far.get(), there->from, Bytes{2});
    arrived = ReceiveFrom(moved.near.get(), milliseconds(200)).has_value();
  }
  EXPECT_TRUE(arrived);
  EXPECT_EQ(SentDuring(moved, 4), 0U) << "to a bridge";
  Ip(node_.node(), fmt::format("route replace {} dev eth9\n", host));
  const auto back = std::chrono::steady_clock::now() + Scaled(kPatience);
  std::uint64_t sent = 0;
  while (sent == 0 && std::chrono::steady_clock::now() < back) {
    const std::uint64_t before = Sent();
    SendTo(talk.near.get(), talk.to, Bytes{1});
    const auto there = ReceiveFrom(talk.far.get(), milliseconds(200));
    if (there) SendTo(talk.far.get(), there->from, Bytes{2});
    ReceiveFrom(talk.near.get(), milliseconds(200));
    sent = Sent() - before;
  }
  EXPECT_GT(sent, 0U) << "learnt again";
}

TEST_P(Xdp, EndsWithTheLeaseAndComesBackWithNatrixd) {
  Start();
  const UdpPair talk = Open();
  const std::string seen = ExchangeOn(talk);
  ASSERT_GT(SentDuring(talk, 4), 0U);
  const Json before = XdpOf("eth0");
  node_.Kill();
  const auto end = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
  std::uint64_t sent = 0;
  do {
    sent = Sent();
    ASSERT_EQ(ExchangeOn(talk, 50), seen);
  } while (Sent() > sent && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(Sent(), sent);
  node_.Start();
  EXPECT_THAT(node_.Log(), HasSubstr("xdp=native adopted"));
  EXPECT_EQ(XdpOf("eth0").at("mode"), "native");
  EXPECT_NE(XdpOf("eth0").at("program"), before.at("program")) << "this natrixd's own";
  EXPECT_EQ(ExchangeOn(talk, 3), seen);
  EXPECT_GT(SentDuring(talk, 4), 0U);
}

TEST_P(Xdp, IsTakenOffByAnotherConfigurationAndByDetach) {
  Start();
  node_.SetWords("");
  EXPECT_TRUE(XdpOf("eth0").is_null());
  node_.SetWords("xdp: {mode: generic, force: [eth0, eth9]}\n");
  EXPECT_EQ(XdpOf("eth0").at("mode"), "generic");
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  EXPECT_GT(SentDuring(talk, 4), 0U);
  node_.SetWords("fastPath: off\nxdp: {mode: native, force: [eth0]}\n");
  EXPECT_TRUE(XdpOf("eth0").is_null());
  node_.SetWords(kForced);
  EXPECT_EQ(XdpOf("eth0").at("mode"), "native");
  node_.Kill();
  const Json removed = node_.Natrix({"detach"});
  EXPECT_GE(removed.at("links").get<int>(), 1);
  // The kernel takes a link off some time after its last reference is gone.
  const auto end = std::chrono::steady_clock::now() + Scaled(kPatience);
  const auto shown = [&] {
    return support::RunCommand(&node_.node(), {"ip", "link", "show", "eth0"});
  };
  while (shown().find("xdp") != std::string::npos && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds(20));
  EXPECT_THAT(shown(), testing::Not(HasSubstr("xdp")));
}

// In by the uplink, out by the uplink.
TEST_P(Xdp, CarriesBothDirectionsOfANodePortWhoseEndpointIsElsewhere) {
  support::RunCommand(&node_.outside(), {"ethtool", "-K", "eth0", "gro", "on"});
  Start(std::string(kForced) + R"(services:
- name: elsewhere
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  ports:
  - {name: dns, protocol: UDP, port: 53, nodePort: 30053}
  - {name: http, port: 80, nodePort: 30080}
  endpoints:
  - {portName: dns, addresses: [203.0.113.7, "2001:db8:113::7"], port: 5353}
  - {portName: http, addresses: [203.0.113.7, "2001:db8:113::7"], port: 8080}
)");
  const UdpPair talk{OpenUdp(node_.outside(), {cast().client, 7000}),
                     OpenUdp(node_.outside(), {cast().web2, 5353}),
                     {cast().node, 30053}};
  ASSERT_THAT(ExchangeOn(talk, 3), HasSubstr(cast().node)) << "masqueraded";
  EXPECT_THAT(SentDuring(talk, 10), AllOf(Ge(16U), Le(20U)));

  const UniqueFd listener = Listen(node_.outside(), {cast().web2, 8080});
  const auto near = TryConnect(node_.outside(), {cast().client, 0}, {cast().node, 30080});
  ASSERT_TRUE(near);
  const UniqueFd far = Accept(listener.get());
  const std::uint64_t before = Sent();
  for (int i = 0; i < 10; ++i) {
    Bytes there(1000, static_cast<std::uint8_t>(i)), back(1000);
    ASSERT_TRUE(WriteAll(near->get(), there) && ReadAll(far.get(), back));
    EXPECT_EQ(back, there);
    ASSERT_TRUE(WriteAll(far.get(), there) && ReadAll(near->get(), back));
    EXPECT_EQ(back, there);
  }
  EXPECT_GT(Sent() - before, 15U);
  EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
}

TEST_P(Xdp, RefusesAVethAndSaysWhy) {
  Start("xdp: {mode: native}\n");
  EXPECT_EQ(XdpOf("eth0").at("mode"), "refused");
  EXPECT_THAT(XdpOf("eth0").at("reason").get<std::string>(), HasSubstr("veth"));
  EXPECT_THAT(node_.Log(), HasSubstr("xdp device=eth0"));
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk, 6), "");
  EXPECT_EQ(Sent(), 0U);
  node_.SetWords("xdp: {mode: native, devices: [eth5]}\n");
  EXPECT_TRUE(XdpOf("eth0").is_null());
}

TEST_P(Xdp, LeavesAnotherOwnersProgramAlone) {
  const bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
                           {.code = BPF_JMP | BPF_EXIT}};
  const UniqueFd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass, 2, nullptr));
  ASSERT_TRUE(other);
  UniqueFd link;
  {
    const support::InNetwork here(node_.node());
    const auto ifindex = static_cast<int>(support::IndexOf(node_.node(), "eth0"));
    link = UniqueFd(bpf_link_create(other.get(), ifindex, BPF_XDP, nullptr));
  }
  ASSERT_TRUE(link);
  Start();
  EXPECT_EQ(XdpOf("eth0").at("mode"), "refused");
  EXPECT_THAT(XdpOf("eth0").at("reason").get<std::string>(), HasSubstr("another XDP program"));
  EXPECT_THAT(support::RunCommand(&node_.node(), {"bpftool", "net"}), HasSubstr("eth0"));
  link = UniqueFd();
  // natrixd looks again at every tick.
  const auto end = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
  while (XdpOf("eth0").at("mode") != "native" && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(XdpOf("eth0").at("mode"), "native");
}

}  // namespace
}  // namespace natrix::netns
