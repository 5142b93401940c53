// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/netns/traffic_watch.h"
#include "tests/support/network.h"

// A real tunnel without a link-layer header: VXLAN-GPE, whose other end is the route's affair, as
// it is with Calico's tunl0.
namespace natrix::netns {
namespace {

using oracle::kUplink;
using support::Ip;
using support::Namespace;

constexpr int kMtu = 1400;  // inside; 1500 outside
constexpr char kTunnel[] = "gpe0";
constexpr char kServiceWords[] =
    "services:\n- {name: none, clusterIPs: [10.96.0.10, \"fd00:10:96::a\"], ports: [{port: 80}]}\n";

// Pods on another machine, behind the outside host.
class FarPods {
 public:
  explicit FarPods(const TrafficNode& node, bool offloads) : far_("far") {
    support::MakeVeth({node.outside(), "far0", "02:00:00:00:06:01"},
                      {far_, "eth0", "02:00:00:00:06:02"});
    support::SetOffloads(far_, "eth0", offloads);
    support::SetOffloads(node.outside(), "far0", offloads);
    Ip(node.outside(), "addr add 192.0.2.1/24 dev far0\n");
    support::Sysctl(node.outside(), "net/ipv4/ip_forward", "1");
    Ip(far_, "addr add 192.0.2.2/24 dev eth0\nroute add 172.18.0.0/24 via 192.0.2.1 dev eth0\n");
    for (const Namespace* end : {&node.node(), &std::as_const(far_)})
      Ip(*end, fmt::format("link add {0} type vxlan external gpe dstport 4790\n"
                           "link set {0} mtu {1} addrgenmode none\nlink set {0} up\n",
                           kTunnel, kMtu));
    for (const Family family : kFamilies) Connect(node, family);
  }

  static std::string Address(Family family) {
    return family == Family::kIpv4 ? "10.16.1.10" : "fd00:10:16::110";
  }
  const Namespace& ns() const { return far_; }

 private:
  void Connect(const TrafficNode& node, Family family) {
    const Cast& cast = CastOf(family);
    const std::string pod = Address(family);
    const int host = family == Family::kIpv4 ? 32 : 128;
    Ip(far_, fmt::format("addr add {}/{} dev {} {}\n", pod, host, kTunnel,
                         family == Family::kIpv4 ? "" : "nodad"));
    for (const std::string& to : {cast.web, cast.service, cast.join, cast.node})
      Ip(far_, fmt::format("route add {}/{} encap ip id 7 dst {} dev {}\n", to, host,
                           CastOf(Family::kIpv4).node_second, kTunnel));
    Ip(node.node(),
       fmt::format("route add {}/{} encap ip id 7 dst 192.0.2.2 dev {}\n", pod, host, kTunnel));
    // Answers are to fit, too: nobody shall have to learn a path's MTU.
    Ip(node.outside(),
       fmt::format(
           "route add {}/{} dev eth0 mtu {}\nneigh replace {} lladdr {} dev {} nud permanent\n",
           cast.node, host, kMtu, cast.node, oracle::kUplinkMac, kUplink));
  }

  Namespace far_;
};

std::uint64_t DetoursOf(const TrafficNode& node, const std::string& name) {
  const Json counters = node.Natrix({"counters", "--all"});
  for (const Json& row : counters.at("detours"))
    if (row.at("detour") == name) return row.at("packets");
  return 0;
}

class BareTunnel : public testing::TestWithParam<bool> {
 protected:
  BareTunnel()
      : node_({.offloads = GetParam(), .words = kServiceWords, .pod_devices = {kTunnel}}),
        far_(node_, GetParam()) {
    node_.Start();
  }

  TrafficNode node_;
  FarPods far_;
};
INSTANTIATE_TEST_SUITE_P(Offloads, BareTunnel, testing::Bool(),
                         [](const auto& now) { return now.param ? "On" : "Off"; });

TEST_P(BareTunnel, PodsBehindItAreMasqueraded) {
  FrameCounter untranslated = FrameCounter::OfPodSources(node_.outside(), kUplink);
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    const Cast& cast = CastOf(family);
    const Path path{far_.ns(), FarPods::Address(family), node_.outside(), cast.web};
    EXPECT_EQ(TransferTcp(path, cast.node, 2 << 20), "");
    EXPECT_EQ(ExchangeUdp(path, cast.node), "");
    EXPECT_EQ(ExchangeEchoes(path), "");
    EXPECT_EQ(ProvokeIcmpError(path), "");
  }
  EXPECT_EQ(untranslated.Count(), 0U) << untranslated.Example();
  EXPECT_EQ(ChecksumErrors(node_.scene()) + ChecksumErrors(far_.ns()), 0U);
  EXPECT_GT(DetoursOf(node_, "DEVICE"), 0U) << "nobody said why there was no short cut";
}

TEST_P(BareTunnel, ARefusalFindsItsWayBack) {
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    errno = 0;
    EXPECT_FALSE(
        TryConnect(far_.ns(), {FarPods::Address(family), 0}, {CastOf(family).service, 80}));
    EXPECT_EQ(errno, ECONNREFUSED);
  }
}

}  // namespace
}  // namespace natrix::netns
