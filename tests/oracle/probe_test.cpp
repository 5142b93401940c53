// SPDX-License-Identifier: Apache-2.0
//
// Kubelet probes of pods of another VPC (F18), with Kube-OVN's rules on one node and natrix on the
// other: what a proxy on the node and everybody else get to see.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <tuple>

#include "tests/netns/traffic_probe.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/scene.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using netns::Conversation;
using netns::Point;
using netns::Speak;
using netns::Waits;
using support::milliseconds;

constexpr std::uint16_t kProxyPort = 8102;

// A live node, under iptables or natrix.  A host outside has the probed pod's address, too.
class ProbedNode {
 public:
  ProbedNode(EngineKind kind, Family family)
      : scene_("probed", {.live = true, .offloads = true}),
        engine_(MakeEngine(kind, scene_)),
        v4_(family == Family::kIpv4),
        cast_(CastOf(family)) {
    model::Config config = LoadConfig(ExamplePath());
    config.tproxy.on_ip = config.node.addresses;
    config.tproxy.probes = {{*model::Address::Parse(pod()), 80}};
    if (kind != EngineKind::kNatrix) RouteAsKubeOvn();
    engine_->Apply(config);
    support::Ip(scene_.at(Place::kOutside), "route add local " + pod() + " dev lo\n");
  }

  std::string pod() const { return v4_ ? "10.241.39.2" : "fd00:241::2"; }
  const Cast& cast() const { return cast_; }
  Point any() const { return {v4_ ? "0.0.0.0" : "::", 0}; }
  const support::Namespace& node() const { return scene_.node(); }
  const support::Namespace& at(Place place) const { return scene_.at(place); }

  UniqueFd StartProxy() const { return netns::ListenTransparent(node(), {cast_.node, kProxyPort}); }

  // Calls the probed port, without patience for an answer.
  bool Call(const support::Namespace& from, const Point& local) const {
    caller_ = netns::OpenTcp(from, local);
    const timeval wait{.tv_sec = 0, .tv_usec = 400000};
    ::setsockopt(caller_.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    return netns::ConnectTcp(caller_.get(), {pod(), 80});
  }

 private:
  // pkg/daemon/tproxy_linux.go
  void RouteAsKubeOvn() {
    for (const char* line : {"rule add fwmark 0x90003/0x90003 lookup 10001",
                             "rule add fwmark 0x90004/0x90004 lookup 10001",
                             "route add local default dev lo table 10001"})
      support::RunCommand(&scene_.node(),
                          {"bash", "-c", std::string(v4_ ? "ip -4 " : "ip -6 ") + line});
  }

  Scene scene_;
  std::unique_ptr<Engine> engine_;
  bool v4_;
  const Cast& cast_;
  mutable UniqueFd caller_;
};

class KubeletProbes : public testing::TestWithParam<std::tuple<EngineKind, Family>> {
 protected:
  ProbedNode left_{std::get<0>(GetParam()), std::get<1>(GetParam())};
  ProbedNode right_{EngineKind::kNatrix, std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Judges, KubeletProbes,
                         testing::Combine(testing::Values(EngineKind::kLegacy, EngineKind::kNft),
                                          testing::Values(Family::kIpv4, Family::kIpv6)),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) == EngineKind::kLegacy
                                                  ? "Legacy"
                                                  : "Nft") +
                                  netns::NameOf(std::get<1>(param.param));
                         });

// F18.  On purpose: iptables' rule for 0x80000, a bit of the probe's 0x90003, masquerades on `lo`,
// so that the proxy sees another address of the node than the one that called.
TEST_P(KubeletProbes, ReachTheProxyAsThePodAndWithNatrixFromTheirOwnAddress) {
  for (const ProbedNode* side : {&left_, &right_}) {
    const UniqueFd proxy = side->StartProxy();

    const Conversation probe =
        netns::Probe(side->node(), proxy.get(), side->any(), {side->pod(), 80});

    EXPECT_EQ(ToString(netns::LocalOf(probe.accepted.get())), ToString(Point{side->pod(), 80}));
    EXPECT_EQ(netns::LocalOf(probe.prober.get()).address, side->cast().node);
    EXPECT_TRUE(Speak(probe));
    const Point peer = netns::RemoteOf(probe.accepted.get());
    const Point caller = netns::LocalOf(probe.prober.get());
    if (side == &right_) {
      EXPECT_EQ(ToString(peer), ToString(caller));
    } else {
      EXPECT_EQ(peer.address, side->cast().join);
    }
  }
}

TEST_P(KubeletProbes, WithoutAProxyReachNobody) {
  for (const ProbedNode* side : {&left_, &right_}) {
    const UniqueFd own = netns::Listen(side->node(), {side->any().address, 80});
    const UniqueFd outside = netns::Listen(side->at(Place::kOutside), {side->pod(), 80});

    EXPECT_FALSE(side->Call(side->node(), side->any()));

    EXPECT_EQ(errno, EINPROGRESS) << "an answer came";
    EXPECT_FALSE(Waits(own.get(), milliseconds(0)));
    EXPECT_FALSE(Waits(outside.get(), milliseconds(0)));
  }
}

TEST_P(KubeletProbes, OfAnotherPortAreNoProbes) {
  for (const ProbedNode* side : {&left_, &right_}) {
    const UniqueFd proxy = side->StartProxy();
    const UniqueFd outside = netns::Listen(side->at(Place::kOutside), {side->pod(), 81});

    const Conversation call =
        netns::Probe(side->node(), outside.get(), side->any(), {side->pod(), 81});

    EXPECT_TRUE(Speak(call));
    EXPECT_FALSE(Waits(proxy.get(), milliseconds(0)));
  }
}

// On purpose: TPROXY in PREROUTING takes what is forwarded, too, and answers a pod that means
// another host with that address.
TEST_P(KubeletProbes, AreNotWhatAPodSendsThroughTheNodeWithNatrix) {
  for (const ProbedNode* side : {&left_, &right_}) {
    const UniqueFd proxy = side->StartProxy();
    const UniqueFd outside = netns::Listen(side->at(Place::kOutside), {side->pod(), 80});

    EXPECT_TRUE(side->Call(side->at(Place::kPod1), {side->cast().pod1, 0}));

    EXPECT_EQ(Waits(proxy.get(), milliseconds(200)), side == &left_);
    EXPECT_EQ(Waits(outside.get(), milliseconds(200)), side == &right_);
  }
}

}  // namespace
}  // namespace natrix::oracle
