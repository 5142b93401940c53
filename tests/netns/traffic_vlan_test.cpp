// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_vlan.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/network.h"

// Tagged frames on an uplink are somebody else's: the VLAN device's, which may be an uplink itself.
namespace natrix::netns {
namespace {

using oracle::kUplink;
using support::Ip;

constexpr std::uint16_t kId = 100;
const char* const kNear[] = {"172.19.0.3", "fd00:172:19::3"};
const char* const kFar[] = {"172.19.0.1", "fd00:172:19::1"};

// A node that reaches web2, and is reached from there, through VLAN 100 of its uplink.
class TaggedNode {
 public:
  TaggedNode(bool is_uplink, bool accelerated)
      : node_({.offloads = false,
               .uplinks =
                   is_uplink ? std::vector<std::string>{"eth0.100"} : std::vector<std::string>{}}),
        near_((Accelerate(accelerated), node_.node()), kUplink, oracle::kUplinkMac, kId),
        far_(node_.outside(), kUplink, oracle::MacOf(Place::kOutside), kId) {
    for (int i = 0; i < 2; ++i) {
      const Cast& cast = CastOf(kFamilies[i]);
      const int net = i == 0 ? 24 : 64;
      const int host = i == 0 ? 32 : 128;
      const char* no_dad = i == 0 ? "" : "nodad";
      const auto neighbour = [&](const char* address, const std::string& mac) {
        return fmt::format("neigh replace {} lladdr {} dev eth0.100 nud permanent\n", address, mac);
      };
      Ip(node_.node(),
         fmt::format("addr add {}/{} dev eth0.100 {}\n{}"
                     "route add {}/{} via {} dev eth0.100\n",
                     kNear[i], net, no_dad, neighbour(kFar[i], oracle::MacOf(Place::kOutside)),
                     cast.web2, host, kFar[i]));
      Ip(node_.outside(), fmt::format("addr add {}/{} dev eth0.100 {}\n{}"
                                      "route add {}/{} via {} dev eth0.100\n",
                                      kFar[i], net, no_dad, neighbour(kNear[i], oracle::kUplinkMac),
                                      cast.pod1, host, kNear[i]));
    }
    node_.Start();
  }

  void ExpectAllGoesWell(const std::string (&expected)[2]) const {
    for (int i = 0; i < 2; ++i) {
      SCOPED_TRACE(NameOf(kFamilies[i]));
      const Cast& cast = CastOf(kFamilies[i]);
      const Path path{node_.pod(), cast.pod1, node_.outside(), cast.web2};
      EXPECT_EQ(TransferTcp(path, expected[i], 1 << 18), "");
      EXPECT_EQ(ExchangeUdp(path, expected[i]), "");
      EXPECT_EQ(ExchangeEchoes(path), "");
      EXPECT_EQ(ProvokeIcmpError(path), "");
    }
    // Every frame on eth0 is a tagged one, but for what a host says to all on its own account.
    const std::uint64_t frames = Statistic("rx_packets") + Statistic("tx_packets");
    EXPECT_GT(frames, 100U);
    EXPECT_GE(node_.CountOf("VLAN"), frames - 20) << "natrix took tagged frames for its own";
    EXPECT_EQ(ChecksumErrors(node_.scene()), 0U);
  }

  const TrafficNode& node() const { return node_; }
  bool is_kernels() const { return near_.is_kernels(); }

 private:
  std::uint64_t Statistic(const std::string& name) const {
    return std::stoull(
        support::RunCommand(&node_.node(), {"cat", "/sys/class/net/eth0/statistics/" + name}));
  }

  // Whether tags travel beside the frame (skb->vlan_tci) or in it.
  void Accelerate(bool on) const {
    const char* state = on ? "on" : "off";
    for (const support::Namespace* ns : {&node_.node(), &node_.outside()})
      support::RunCommand(ns, {"ethtool", "-K", kUplink, "txvlan", state, "rxvlan", state});
  }

  TrafficNode node_;
  VlanDevice near_;
  VlanDevice far_;
};

// Where the kernel has no VLAN devices, tags are in the frame on the way out, and beside it on
// the way in, whatever the device says.
constexpr bool kAccelerated[] = {true, false};

TEST(TrafficVlan, TaggedFramesOnTheUplinkAreLeftAlone) {
  for (const bool accelerated : kAccelerated) {
    SCOPED_TRACE(accelerated ? "tags beside the frame" : "tags in the frame");
    const TaggedNode tagged(false, accelerated);

    tagged.ExpectAllGoesWell({CastOf(Family::kIpv4).pod1, CastOf(Family::kIpv6).pod1});

    EXPECT_EQ(tagged.node().CountOf("MASQ_OUTGOING"), 0U);
    if (!tagged.is_kernels()) break;
  }
}

TEST(TrafficVlan, AVlanDeviceCanBeTheUplink) {
  for (const bool accelerated : kAccelerated) {
    SCOPED_TRACE(accelerated ? "tags beside the frame" : "tags in the frame");
    const TaggedNode tagged(true, accelerated);

    tagged.ExpectAllGoesWell({kNear[0], kNear[1]});

    EXPECT_GT(tagged.node().CountOf("MASQ_OUTGOING"), 0U);
    if (!tagged.is_kernels()) break;
  }
}

}  // namespace
}  // namespace natrix::netns
