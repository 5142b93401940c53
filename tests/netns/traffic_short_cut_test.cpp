// SPDX-License-Identifier: Apache-2.0
//
// The short cut: later packets of a flow go from ingress straight to the device that earlier ones
// left by.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_load.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/network.h"

namespace natrix::netns {
namespace {

using support::Ip;

constexpr milliseconds kPatience(5000);
// Packets that went through the stack because seconds passed: one each way, on a slow machine.
constexpr std::uint64_t kRefreshes = 2;

class ShortCut : public testing::TestWithParam<Family> {
 protected:
  const Cast& cast() const { return CastOf(GetParam()); }
  bool v4() const { return GetParam() == Family::kIpv4; }
  const char* ip() const { return v4() ? "-4" : "-6"; }

  std::uint64_t Taken() const { return node_.CountOf("SHORT_CUT"); }
  std::uint64_t Detours(const std::string& name) const {
    const Json counted = node_.Natrix({"counters", "--all"});
    for (const Json& row : counted.at("detours"))
      if (row.at("detour") == name) return row.at("packets");
    throw std::runtime_error("no detour " + name);
  }

  // Of pod1 with an outside host.
  UdpPair Open() const { return OpenPair({node_.pod(), cast().pod1, node_.outside(), cast().web}); }

  // A pod with a veth of its own, as Calico and others have them.  Returns its address.
  std::string AddVethPod(const support::Namespace& pod) const {
    const std::string address = v4() ? "10.16.0.77" : "fd00:10:16::77";
    const std::string gateway = v4() ? "169.254.1.1" : "fe80::1";
    support::MakeVeth({node_.node(), "cali1", kCaliMac}, {pod, "eth0", "02:00:00:00:0c:02"});
    const int length = v4() ? 32 : 128;
    Ip(pod, fmt::format("addr add {}/{} dev eth0 {}\n"
                        "neigh replace {} lladdr {} dev eth0 nud permanent\n"
                        "route add default via {} dev eth0 onlink\n",
                        address, length, v4() ? "" : "nodad", gateway, kCaliMac, gateway));
    Ip(node_.node(), fmt::format("route add {}/{} dev cali1\n"
                                 "neigh replace {} lladdr 02:00:00:00:0c:02 dev cali1\n",
                                 address, length, address));
    return address;
  }

  static constexpr char kCaliMac[] = "02:00:00:00:0c:01";
  TrafficNode node_{{.uplinks = {"eth9"}, .pod_devices = {"cali1"}}};
};
INSTANTIATE_TEST_SUITE_P(Families, ShortCut, testing::ValuesIn(kFamilies),
                         [](const auto& now) { return NameOf(now.param); });

TEST_P(ShortCut, IsTakenByBothDirectionsOnceTheFlowIsEstablished) {
  node_.Start();
  const UdpPair talk = Open();
  const std::string seen = ExchangeOn(talk, 2);
  ASSERT_NE(seen, "");

  const std::uint64_t before = Taken();
  EXPECT_EQ(ExchangeOn(talk, 10), seen);
  EXPECT_GE(Taken() - before, 20U - kRefreshes);
}

TEST_P(ShortCut, CarriesStreamsAndDatagramsOfAllSizesWithRightChecksums) {
  node_.Start();
  ChecksumWatch watch(node_.outside(), "eth0", false);
  const Path path{node_.pod(), cast().pod1, node_.outside(), cast().web};
  EXPECT_EQ(TransferTcp(path, cast().node, 2 << 20), "");
  EXPECT_EQ(ExchangeUdp(path, cast().node), "");
  EXPECT_EQ(SendUdpSegments(path, cast().node), "");
  EXPECT_EQ(ExchangeEchoes(path), "");
  EXPECT_GT(Taken(), 20U);
  EXPECT_EQ(watch.Wrong(), 0U) << watch.Example();
  EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
}

TEST_P(ShortCut, TakesOneHopOffLikeARouter) {
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  support::Tap tap(node_.outside(), "eth0");
  const std::uint64_t before = Taken();
  ASSERT_NE(ExchangeOn(talk, 4), "");
  EXPECT_GE(Taken() - before, 8U - kRefreshes);
  const auto frames = tap.Receive(Scaled(kPatience));
  ASSERT_FALSE(frames.empty());
  for (const Bytes& frame : frames) EXPECT_EQ(frame.at(14 + (v4() ? 8 : 7)), 63);
}

TEST_P(ShortCut, LeavesWhatDiesHereToTheKernelWhichTellsTheSender) {
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  const int one = 1;
  const int done =
      v4() ? ::setsockopt(talk.near.get(), IPPROTO_IP, IP_TTL, &one, sizeof(one))
           : ::setsockopt(talk.near.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
  ASSERT_EQ(done, 0);
  const std::uint64_t before = Detours("TTL");
  EXPECT_TRUE(SendTo(talk.near.get(), talk.to, Bytes{1}));
  EXPECT_FALSE(ReceiveFrom(talk.far.get(), milliseconds(200)));
  EXPECT_EQ(Detours("TTL") - before, 1U);
}

TEST_P(ShortCut, LeavesWhatIsTooLongToTheKernel) {
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  Ip(node_.node(), fmt::format("route replace {}/{} via {} dev eth0 mtu 1300\n", cast().web,
                               v4() ? 32 : 128, cast().router));
  ASSERT_NE(ExchangeOn(talk), "");
  const std::uint64_t before = Detours("MTU");
  // Whatever the sender hears of the path's MTU.
  const int probe = IP_PMTUDISC_PROBE;
  ASSERT_EQ(::setsockopt(talk.near.get(), v4() ? IPPROTO_IP : IPPROTO_IPV6,
                         v4() ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &probe, sizeof(probe)),
            0);
  const Bytes large(1400, 7);
  const auto waited = std::chrono::steady_clock::now() + Scaled(kPatience);
  while (Detours("MTU") == before && std::chrono::steady_clock::now() < waited) {
    SendTo(talk.near.get(), talk.to, large);
    ASSERT_NE(ExchangeOn(talk, 1), "");
  }
  EXPECT_GT(Detours("MTU"), before);
}

TEST_P(ShortCut, LeavesToTheStackWhatIsMarkedOnItsWay) {
  support::RunCommand(&node_.node(),
                      {v4() ? "iptables-legacy" : "ip6tables-legacy", "-t", "mangle", "-A",
                       "FORWARD", "-s", cast().pod1, "-j", "MARK", "--set-mark", "0x100"});
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  const std::uint64_t before = Taken(), others = Detours("OTHER");
  ASSERT_NE(ExchangeOn(talk, 10), "");
  EXPECT_LE(Taken() - before, 10U) << "the answers only";
  EXPECT_GE(Taken() - before, 10U - kRefreshes);
  EXPECT_GE(Detours("OTHER") - others, 10U - kRefreshes);
}

TEST_P(ShortCut, FollowsAChangeOfRoutes) {
  support::MakeVeth({node_.node(), "eth9", "02:00:00:00:09:01"},
                    {node_.outside(), "eth9", "02:00:00:00:09:02"});
  const std::string near = v4() ? "192.0.2.1" : "2001:db8:9::1";
  const std::string far = v4() ? "192.0.2.2" : "2001:db8:9::2";
  const int length = v4() ? 24 : 64;
  Ip(node_.node(), fmt::format("addr add {}/{} dev eth9 {}\n", near, length, v4() ? "" : "nodad"));
  Ip(node_.outside(),
     fmt::format("addr add {}/{} dev eth9 {}\n", far, length, v4() ? "" : "nodad"));
  Ip(node_.node(), fmt::format("neigh replace {} lladdr 02:00:00:00:09:02 dev eth9\n", far));
  node_.Start();
  const UdpPair talk = Open();
  const std::string seen = ExchangeOn(talk);
  ASSERT_NE(seen, "");

  Ip(node_.node(),
     fmt::format("route replace {}/{} via {} dev eth9\n", cast().web, v4() ? 32 : 128, far));
  support::Tap tap(node_.outside(), "eth9");
  EXPECT_EQ(ExchangeOn(talk, 6), seen);
  EXPECT_GE(tap.Receive(Scaled(kPatience)).size(), 1U) << "the new route's device has it";
  const std::uint64_t before = Taken();
  EXPECT_EQ(ExchangeOn(talk, 3), seen);
  EXPECT_GT(Taken(), before) << "learnt again";
}

TEST_P(ShortCut, FollowsANeighboursNewAddress) {
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  const char* mac = "02:00:00:00:0a:0b";
  Ip(node_.outside(), fmt::format("link set eth0 address {}\n", mac));
  // The kernel has forgotten the neighbours of a device whose address changed.
  for (const std::string& address : {cast().node, cast().node_second})
    Ip(node_.outside(), fmt::format("neigh replace {} lladdr {} dev eth0 nud permanent\n", address,
                                    oracle::kUplinkMac));
  for (const std::string& address : {cast().router, cast().other_node})
    Ip(node_.node(),
       fmt::format("neigh replace {} lladdr {} dev eth0 nud permanent\n", address, mac));
  EXPECT_NE(ExchangeOn(talk, 6), "");
}

// What leaves a device, as a capture on the host sees it.
std::uint64_t SentBy(const support::Namespace& ns, const std::string& device) {
  const Json links =
      Json::parse(support::RunCommand(&ns, {"ip", "-j", "-s", "link", "show", "dev", device}));
  return links.at(0).at("stats64").at("tx").at("packets");
}

TEST_P(ShortCut, GoesStraightIntoThePodsNamespaceUnlessAQdiscLimitsIt) {
  const support::Namespace pod("pod");
  const std::string address = AddVethPod(pod);
  node_.Start();
  const UdpPair talk{OpenUdp(pod, {address, 7000}),
                     OpenUdp(node_.outside(), {cast().web, 7000}),
                     {cast().web, 7000}};
  const std::string seen = ExchangeOn(talk);
  ASSERT_NE(seen, "");
  std::uint64_t taken = Taken(), sent = SentBy(node_.node(), "cali1");
  EXPECT_EQ(ExchangeOn(talk, 10), seen);
  EXPECT_GE(Taken() - taken, 20U - kRefreshes);
  EXPECT_LE(SentBy(node_.node(), "cali1"), sent + kRefreshes) << "the veth itself sent nothing";

  support::RunCommand(&node_.node(), {"tc", "qdisc", "add", "dev", "cali1", "root", "pfifo"});
  const auto end = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
  do {  // natrixd hears of it
    taken = Taken();
    sent = SentBy(node_.node(), "cali1");
    ASSERT_EQ(ExchangeOn(talk, 10), seen);
  } while (SentBy(node_.node(), "cali1") - sent < 10 && std::chrono::steady_clock::now() < end);
  EXPECT_GE(SentBy(node_.node(), "cali1") - sent, 10U);
  EXPECT_GT(Taken(), taken) << "still the short cut, through the qdisc";
}

TEST_P(ShortCut, EndsWhenNobodyWatchesTheRoutesAndNothingIsLost) {
  node_.Start();
  const UdpPair talk = Open();
  const std::string seen = ExchangeOn(talk);
  ASSERT_NE(seen, "");
  node_.Kill();
  const auto end = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
  std::uint64_t taken = 0;
  do {
    taken = Taken();
    ASSERT_EQ(ExchangeOn(talk, 50), seen);
  } while (Taken() > taken && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(Taken(), taken);
  EXPECT_GT(Detours("UNWATCHED"), 0U);
  node_.Start();
  EXPECT_EQ(ExchangeOn(talk, 2), seen);
  taken = Taken();
  EXPECT_EQ(ExchangeOn(talk, 4), seen);
  EXPECT_GE(Taken() - taken, 8U - kRefreshes);
}

TEST_P(ShortCut, IsOffWhereTheConfigurationSaysSo) {
  node_.SetWords("fastPath: off\n");
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk, 6), "");
  EXPECT_EQ(Taken(), 0U);
  EXPECT_GT(Detours("OFF"), 0U);
  EXPECT_EQ(node_.Natrix({"status"}).at("fastPath"), "off");
  node_.SetWords("");
  ASSERT_NE(ExchangeOn(talk, 6), "");
  EXPECT_GT(Taken(), 0U);
}

TEST_P(ShortCut, RefreshesNowAndThenSoThatTheNeighbourStaysInUse) {
  node_.Start();
  const UdpPair talk = Open();
  ASSERT_NE(ExchangeOn(talk), "");
  const auto end = std::chrono::steady_clock::now() + Scaled(milliseconds(20000));
  while (Detours("REFRESH") == 0 && std::chrono::steady_clock::now() < end)
    ASSERT_NE(ExchangeOn(talk, 20), "");
  EXPECT_GT(Detours("REFRESH"), 0U);
}

}  // namespace
}  // namespace natrix::netns
