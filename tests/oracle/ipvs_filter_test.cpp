// SPDX-License-Identifier: Apache-2.0
//
// KUBE-IPVS-FILTER: IPVS has Services' addresses on the node, where other ports are not reached.
#include <sys/socket.h>

#include <cerrno>

#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/ipvs_fixture.h"
#include "tests/support/checksum.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

constexpr std::uint16_t kHealthCheck = 32000;

class IpvsFilter : public IpvsOracle {
 protected:
  // A Service's addresses on kube-ipvs0, as kube-proxy has them.
  IpvsFilter() {
    for (Side* side : {&nodes_.left(), &nodes_.right()}) {
      support::MakeBridge(side->scene.node(), "kube-ipvs0", "02:00:00:00:04:00");
      for (const std::string& address : Bound())
        support::Ip(side->scene.node(),
                    "addr add " + address +
                        (family() == Family::kIpv4 ? "/32 dev kube-ipvs0\n"
                                                   : "/128 dev kube-ipvs0 nodad\n"));
    }
    ipvs().cluster_ips = {At(cast().service, 80), At(cast().service, 53, NX_L4_UDP),
                          At(cast().service, 38, NX_L4_SCTP)};
    ipvs().external_ips = {At(names().external, 80)};
    ipvs().local_external_ips = {At(names().external, 82)};
    ipvs().load_balancer_ips = {At(names().load_balancer, 80)};
    ipvs().health_check_ports = {{kHealthCheck, kHealthCheck}};
    ipvs().node_ports_tcp = {{30080, 30080}};
    for (const std::string& address : Bound())
      ipvs().ips.push_back(model::Address::Parse(address).value());
    config_.kube_proxy = {};
    Apply();
  }
  std::vector<std::string> Bound() const {
    return {cast().service, names().external, names().load_balancer};
  }

  // Nobody listens: a RST is the stack's, port unreachable the rule's.  Of UDP both say that.
  testing::AssertionResult IsLetIn(Place from, PacketSpec call) {
    exchange_.Send(from, Fresh(std::move(call)));
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      const auto layers = side->size() == 1 ? support::Dissect(side->front().frame) : std::nullopt;
      if (!layers || layers->protocol != support::kTcp)
        return testing::AssertionFailure() << exchange_.transcript();
    }
    return Agree(exchange_);
  }
  testing::AssertionResult IsTold(Place from, PacketSpec call) {
    return IsRefused(from, Fresh(std::move(call)));
  }
  // What is quoted of it has no ports.
  void IsToldOfNoPort(Place from, const PacketSpec& call) {
    exchange_.Send(from, call);
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      ASSERT_EQ(side->size(), 1U) << exchange_.transcript();
      const Bytes& frame = side->front().frame;
      const auto error = support::Dissect(frame);
      ASSERT_TRUE(error && error->inner) << exchange_.transcript();
      EXPECT_EQ(error->src, call.dst) << exchange_.transcript();
      EXPECT_EQ(error->dst, call.src) << exchange_.transcript();
      EXPECT_EQ(frame[error->l4], PortUnreachable(family()).type);
      EXPECT_EQ(frame[error->l4 + 1], PortUnreachable(family()).code);
      EXPECT_FALSE(support::VerifyChecksums(frame).AnyBad());
    }
  }
  int Connect(Side& side, const std::string& address, std::uint16_t port) const {
    const UniqueFd fd =
        netns::OpenTcp(side.scene.node(), {family() == Family::kIpv4 ? "0.0.0.0" : "::", 0});
    return netns::ConnectTcp(fd.get(), {address, port}) ? 0 : errno;
  }
};
ORACLE_FAMILIES(IpvsFilter);

TEST_P(IpvsFilter, PortsThatNoServiceHasAreRefused) {
  for (const std::string& address : Bound()) {
    EXPECT_TRUE(IsTold(Place::kOutside, Call(cast().client, address, 22)));
    EXPECT_TRUE(IsTold(Place::kPod1, Call(cast().pod1, address, 22)));
    EXPECT_TRUE(IsTold(Place::kPod1, UdpCall(cast().pod1, address, 80)));
    EXPECT_TRUE(IsTold(Place::kOutside, Call(cast().client, address, 30080))) << "a NodePort";
  }
  EXPECT_TRUE(IsTold(Place::kPod1, Call(cast().pod1, cast().service, 53)));
  PacketSpec late = Call(cast().pod1, cast().service, 22);
  late.tcp_flags = kAck;
  EXPECT_TRUE(IsTold(Place::kPod1, late)) << "NEW in the middle";
}

TEST_P(IpvsFilter, APingIsRefused) {
  IsToldOfNoPort(Place::kPod1, Echo(cast().pod1, cast().service));
  IsToldOfNoPort(Place::kOutside, Echo(cast().client, names().external));
}

TEST_P(IpvsFilter, PortsOfServicesAndHealthChecksAreNot) {
  EXPECT_TRUE(IsLetIn(Place::kPod1, Call(cast().pod1, cast().service)));
  EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, names().external)));
  EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, names().external, 82)));
  EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, names().load_balancer)));
  for (const std::string& address : Bound())
    EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, address, kHealthCheck)));
}

TEST_P(IpvsFilter, NorIsTheNodeItself) {
  EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, cast().node, 22)));
  EXPECT_TRUE(IsLetIn(Place::kPod1, Call(cast().pod1, cast().join, 30080)));
  exchange_.Send(Place::kOutside, Echo(cast().client, cast().node));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
}

// FORWARD has no such chain.
TEST_P(IpvsFilter, AnAddressThatTheNodeHasNotIsForwarded) {
  ipvs().ips.push_back(model::Address::Parse(cast().web2).value());
  Apply();
  exchange_.Send(Place::kPod1, Fresh(Call(cast().pod1, cast().web2, 22)));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web2}));
}

TEST_P(IpvsFilter, WithoutTheSetNobodyIsRefused) {
  ipvs().ips.clear();
  Apply();
  EXPECT_TRUE(IsLetIn(Place::kOutside, Call(cast().client, cast().service, 22)));
}

// It stands before KUBE-PROXY-FIREWALL, which would say nothing.
TEST_P(IpvsFilter, ComesBeforeSourceRanges) {
  ipvs().load_balancer_firewall = {At(names().load_balancer, 80), At(names().load_balancer, 81)};
  Apply();
  EXPECT_TRUE(IsTold(Place::kOutside, Call(cast().client, names().load_balancer, 81)));
  exchange_.Send(Place::kOutside, Fresh(Call(cast().client, names().load_balancer)));
  EXPECT_TRUE(Vanishes(exchange_));
}

TEST_P(IpvsFilter, ComesBeforeKubeOvnsAccept) {
  model::Config config = LoadConfig(ExamplePath());
  config.ipvs = config_.ipvs;
  nodes_.Apply(config);
  EXPECT_TRUE(IsTold(Place::kPod1, UdpCall(cast().pod1, cast().service, 80)));
  EXPECT_TRUE(IsTold(Place::kOutside, Call(cast().client, names().external, 22)));
  EXPECT_TRUE(IsLetIn(Place::kPod1, Call(cast().pod1, cast().service)));
}

// What the node's own processes send themselves passes INPUT.
TEST_P(IpvsFilter, TheNodesOwnProcessesAreRefusedAtOnce) {
  for (Side* side : {&nodes_.left(), &nodes_.right()}) {
    SCOPED_TRACE(side->engine->name());
    const UniqueFd other =
        netns::Listen(side->scene.node(), {family() == Family::kIpv4 ? "0.0.0.0" : "::", 2222});
    const UniqueFd served = netns::Listen(
        side->scene.node(), {family() == Family::kIpv4 ? "0.0.0.0" : "::", kHealthCheck});
    for (const std::string& address : Bound()) {
      EXPECT_EQ(Connect(*side, address, 2222), ECONNREFUSED) << address;
      EXPECT_EQ(Connect(*side, address, kHealthCheck), 0) << address;
    }
    EXPECT_EQ(Connect(*side, cast().node, 2222), 0);
  }
}

}  // namespace
}  // namespace natrix::oracle
