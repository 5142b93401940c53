// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sums.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/network.h"

// VXLAN: packets inside packets, both of which natrix sees, and the one software device whose
// packets carry a sum over all their bytes (CHECKSUM_COMPLETE): what it has verified the outer
// UDP checksum with.
namespace natrix::netns {
namespace {

using oracle::kUplink;
using support::Ip;
using support::Namespace;
using testing::IsEmpty;

constexpr int kMtu = 1400;  // inside; 1500 outside
constexpr char kNearMac[] = "02:00:00:00:05:01";
constexpr char kFarMac[] = "02:00:00:00:05:02";

struct Tunnel {
  const Namespace& ns;
  std::string device;
  std::string local;
  std::string remote;
  std::string mac;
};

// One end of a tunnel, up, that neither asks nor tells anybody anything.
void AddTunnel(const Tunnel& tunnel, bool outer_checksum) {
  Ip(tunnel.ns,
     fmt::format("link add {} address {} type vxlan id 7 local {} remote {} dstport 4789 "
                 "nolearning {}\nlink set {} mtu {} addrgenmode none\nlink set {} up\n",
                 tunnel.device, tunnel.mac, tunnel.local, tunnel.remote,
                 outer_checksum ? "udpcsum" : "noudpcsum", tunnel.device, kMtu, tunnel.device));
}

std::string Neighbour(const std::string& address, const char* mac, const std::string& device) {
  return fmt::format("neigh replace {} lladdr {} dev {} nud permanent\n", address, mac, device);
}

void ExpectAllGoesWell(const Path& path, const std::string& expected) {
  EXPECT_EQ(TransferTcp(path, expected, 2 << 20), "");
  EXPECT_EQ(ExchangeUdp(path, expected), "");
  EXPECT_EQ(ExchangeEchoes(path), "");
  EXPECT_EQ(ProvokeIcmpError(path), "");
}

// A pod device that is a tunnel: the pods are on another machine, behind the outside host.
class FarPods {
 public:
  explicit FarPods(const TrafficNode& node, bool offloads, bool outer_checksum) : far_("far") {
    support::MakeVeth({node.outside(), "far0", "02:00:00:00:06:01"},
                      {far_, "eth0", "02:00:00:00:06:02"});
    support::SetOffloads(far_, "eth0", offloads);
    support::SetOffloads(node.outside(), "far0", offloads);
    Ip(node.outside(), "addr add 192.0.2.1/24 dev far0\n");
    support::Sysctl(node.outside(), "net/ipv4/ip_forward", "1");
    Ip(far_, "addr add 192.0.2.2/24 dev eth0\nroute add 172.18.0.0/24 via 192.0.2.1 dev eth0\n");
    const std::string end = CastOf(Family::kIpv4).node_second;
    AddTunnel({node.node(), "vx0", end, "192.0.2.2", kNearMac}, outer_checksum);
    AddTunnel({far_, "vx0", "192.0.2.2", end, kFarMac}, outer_checksum);
    for (const Family family : kFamilies) {
      const Cast& cast = CastOf(family);
      const std::string pod = Address(family);
      const int host = family == Family::kIpv4 ? 32 : 128;
      Ip(far_, fmt::format("addr add {}/{} dev vx0 {}\n{}route add {}/{} via {} dev vx0 onlink\n",
                           pod, host, family == Family::kIpv4 ? "" : "nodad",
                           Neighbour(cast.join, kNearMac, "vx0"), cast.web, host, cast.join));
      // Answers are to fit, too: nobody shall have to learn a path's MTU.
      Ip(node.outside(), fmt::format("route add {}/{} dev eth0 mtu {}\n{}", cast.node, host, kMtu,
                                     Neighbour(cast.node, oracle::kUplinkMac, kUplink)));
      Ip(node.node(),
         fmt::format("route add {}/{} dev vx0\n{}", pod, host, Neighbour(pod, kFarMac, "vx0")));
    }
  }

  static std::string Address(Family family) {
    return family == Family::kIpv4 ? "10.16.1.10" : "fd00:10:16::110";
  }
  const Namespace& ns() const { return far_; }

 private:
  Namespace far_;
};

struct TunnelCase {
  bool offloads;
  bool outer_checksum;
};

TEST(TrafficTunnel, PodsBehindAVxlanDeviceAreMasqueradedThroughTheUplinkThatCarriesIt) {
  for (const TunnelCase& now : {TunnelCase{true, true}, TunnelCase{false, true},
                                TunnelCase{true, false}, TunnelCase{false, false}}) {
    SCOPED_TRACE(fmt::format("offloads {}, outer checksum {}", now.offloads, now.outer_checksum));
    TrafficNode node({.offloads = now.offloads, .pod_devices = {"vx0"}});
    const FarPods far(node, now.offloads, now.outer_checksum);
    node.Start();
    ChecksumWatch outside(node.outside(), kUplink, false);
    FrameCounter untranslated = FrameCounter::OfPodSources(node.outside(), kUplink);

    for (const Family family : kFamilies) {
      SCOPED_TRACE(NameOf(family));
      const Cast& cast = CastOf(family);
      ExpectAllGoesWell({far.ns(), FarPods::Address(family), node.outside(), cast.web}, cast.node);
    }

    // With both, the outer checksum already counts on the inner one that a device has still to
    // fill (lco_csum()): on this wire it never is.
    if (!now.offloads || !now.outer_checksum) {
      EXPECT_EQ(outside.Wrong(), 0U) << outside.Example();
    }
    EXPECT_EQ(untranslated.Count(), 0U) << untranslated.Example();
    EXPECT_EQ(ChecksumErrors(node.scene()) + ChecksumErrors(far.ns()), 0U);
  }
}

// The uplink is a tunnel whose packets are CHECKSUM_COMPLETE on arrival, where natrix gives them
// back their destination: skb->csum must follow.
TEST(TrafficTunnel, TheSumOverAllBytesFollowsEveryRewrittenAnswer) {
  TrafficNode node({.offloads = false, .uplinks = {"vxup"}});
  Ip(node.pod(), fmt::format("link set eth0 mtu {}\n", kMtu));
  AddTunnel({node.node(), "vxup", "172.18.0.3", "172.18.0.1", kNearMac}, true);
  AddTunnel({node.outside(), "vxup", "172.18.0.1", "172.18.0.3", kFarMac}, true);
  const std::string near[] = {"172.20.0.3", "fd00:172:20::3"};
  const std::string far[] = {"172.20.0.1", "fd00:172:20::1"};
  for (int i = 0; i < 2; ++i) {
    const Cast& cast = CastOf(kFamilies[i]);
    const char* no_dad = i == 0 ? "" : "nodad";
    Ip(node.node(),
       fmt::format("addr add {}/{} dev vxup {}\n{}route add {}/{} via {} dev vxup\n", near[i],
                   i == 0 ? 24 : 64, no_dad, Neighbour(far[i], kFarMac, "vxup"), cast.web2,
                   i == 0 ? 32 : 128, far[i]));
    Ip(node.outside(), fmt::format("addr add {}/{} dev vxup {}\n{}", far[i], i == 0 ? 24 : 64,
                                   no_dad, Neighbour(near[i], kNearMac, "vxup")));
  }
  node.Start();
  SumWitness witness(node.node(), "vxup");

  for (int i = 0; i < 2; ++i) {
    SCOPED_TRACE(NameOf(kFamilies[i]));
    const Cast& cast = CastOf(kFamilies[i]);
    ExpectAllGoesWell({node.pod(), cast.pod1, node.outside(), cast.web2}, near[i]);
  }

  const SumWitness::Verdict& verdict = witness.Judge();
  EXPECT_THAT(verdict.wrong, IsEmpty());
  for (const char* kind : {"tcp4", "tcp6", "udp4", "udp6", "icmp4", "icmp6", "udp4 first",
                           "udp4 later", "udp6 first", "udp6 later", "icmp4 error", "icmp6 error"})
    EXPECT_TRUE(verdict.complete.contains(kind)) << "no CHECKSUM_COMPLETE packet of " << kind;
  EXPECT_EQ(ChecksumErrors(node.scene()), 0U);
}

}  // namespace
}  // namespace natrix::netns
