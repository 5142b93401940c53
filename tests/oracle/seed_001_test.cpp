// SPDX-License-Identifier: Apache-2.0
//
// The walk-throughs of seed 001 with its addresses: a node at 10.0.0.40 whose pods are on another
// node, behind flannel.1, which has 10.244.0.0.  Every call is made on a node with kube-proxy's
// rules and on one with natrix, and both are to do what the text says.
//
//   [ outside ] --- eth0 [ node 10.0.0.40 ] flannel.1 10.244.0.0 --- [ node2: 10.244.2.162:8080 ]
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <string>

#include "tests/oracle/node_calls.h"
#include "tests/support/network.h"
#include "tests/support/own_cgroup.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Prefix;
using netns::Point;

constexpr std::uint16_t kPort = 8080;
constexpr std::uint16_t kNodePort = 32591;

struct Names {
  const char* node;
  const char* cluster_ip;
  const char* balancer;
  const char* flannel;
  const char* pod;
  const char* pods;     // of node2
  const char* cluster;  // all pods
  const char* any;
  int bits;
};
constexpr Names kNames4{"10.0.0.40",     "10.111.107.12", "203.0.113.40",
                        "10.244.0.0",    "10.244.2.162",  "10.244.2.0/24",
                        "10.244.0.0/16", "0.0.0.0",       32};
constexpr Names kNames6{"2001:db8:a::40",
                        "fd00:10:111:107::12",
                        "2001:db8:113::40",
                        "fd00:10:244::1",
                        "fd00:10:244:2::162",
                        "fd00:10:244:2::/64",
                        "fd00:10:244::/56",
                        "::",
                        128};

struct Case {
  Family family;
  EngineKind engine;
};

class Seed001 : public testing::TestWithParam<Case> {
 protected:
  Seed001() {
    support::MakeVeth({node_.scene().node(), "flannel.1", "02:00:00:00:01:01"},
                      {node2_, "eth0", "02:00:00:00:01:02"});
    const std::string host = fmt::format("/{}", names().bits);
    const char* nodad = v4() ? "" : " nodad";
    support::Ip(
        node_.scene().node(),
        fmt::format("addr add {0}{1} dev eth0{2}\n"
                    "addr add {3}{1} dev flannel.1{2}\n"
                    "route add {4} dev flannel.1 src {3}\n"
                    "neigh replace {5} lladdr 02:00:00:00:01:02 dev flannel.1 nud permanent\n",
                    names().node, host, nodad, names().flannel, names().pods, names().pod));
    support::Ip(node2_,
                fmt::format("addr add {0}{1} dev eth0{2}\n"
                            "route add {3}{1} dev eth0\n"
                            "neigh replace {3} lladdr 02:00:00:00:01:01 dev eth0 nud permanent\n",
                            names().pod, host, nodad, names().flannel));
    for (const char* called : {names().node, names().balancer})
      support::Ip(node_.scene().at(Place::kOutside),
                  fmt::format("route add {}{} via {}\n", called, host, CastOf(family()).node));
    node_.Serve(node2_, {names().pod, kPort});
    node_.Apply(Configuration());
  }

  Family family() const { return GetParam().family; }
  bool v4() const { return family() == Family::kIpv4; }
  const Names& names() const { return v4() ? kNames4 : kNames6; }

  // default/echo-load-balance.
  model::Config Configuration() const {
    const auto address = [](const char* text) { return Address::Parse(text).value(); };
    model::Config config;
    config.node.name = "node1";
    config.node.addresses = {address(names().node)};
    config.node.uplinks = {kUplink, "flannel.1"};
    config.node.pod_devices = {kPodDevice};
    config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
    config.kube_proxy.cluster_cidrs = {Prefix::Parse(names().cluster).value()};
    model::Service service;
    service.name_space = "default";
    service.name = "echo-load-balance";
    service.cluster_ips = {address(names().cluster_ip)};
    service.load_balancer_ips = {address(names().balancer)};
    service.ports = {{.name = "", .protocol = NX_L4_TCP, .port = kPort, .node_port = kNodePort}};
    service.endpoints = {
        {{.addresses = {address(names().pod)}, .port = kPort, .node_name = "node2", .zones = {}}}};
    config.services.emplace_back(service);
    return config;
  }

  // The pod answers, sees flannel.1's address, and the caller hears whom it called.
  void IsDestinationAndSourceTranslated(const support::Namespace& from, const Point& called) {
    SCOPED_TRACE(ToString(called));
    const CallOutcome outcome = node_.CallFrom(from, CallKind::kTcp, called);
    EXPECT_EQ(outcome, (CallOutcome{.what = CallOutcome::What::kAnswered,
                                    .server = ToString(Point{names().pod, kPort}),
                                    .source = names().flannel,
                                    .peer = ToString(called)}));
  }
  const support::Namespace& node() const { return node_.scene().node(); }
  const support::Namespace& elsewhere() const { return node_.scene().at(Place::kOutside); }

 private:
  support::OwnCgroup cgroup_;
  CallingNode node_{GetParam().engine, GetParam().family};
  support::Namespace node2_{"node2"};
};
INSTANTIATE_TEST_SUITE_P(Families, Seed001,
                         testing::Values(Case{Family::kIpv4, EngineKind::kLegacy},
                                         Case{Family::kIpv4, EngineKind::kNatrix},
                                         Case{Family::kIpv6, EngineKind::kLegacy},
                                         Case{Family::kIpv6, EngineKind::kNatrix}),
                         [](const auto& now) {
                           return std::string(now.param.family == Family::kIpv4 ? "IPv4" : "IPv6") +
                                  (now.param.engine == EngineKind::kNatrix ? "Natrix"
                                                                           : "KubeProxy");
                         });

// 10.0.0.40:xxx -> 10.111.107.12, DNAT to 10.244.2.162:8080, SNAT to 10.244.0.0:xxx.
TEST_P(Seed001, ClusterIp) {
  IsDestinationAndSourceTranslated(node(), {names().cluster_ip, kPort});
}

// 10.0.0.40:xxx -> 10.0.0.40:32591, DNAT to 10.244.2.162:8080, SNAT to 10.244.0.0:xxx; so it is
// for who calls from elsewhere, by PREROUTING.
TEST_P(Seed001, NodePort) {
  IsDestinationAndSourceTranslated(node(), {names().node, kNodePort});
  IsDestinationAndSourceTranslated(elsewhere(), {names().node, kNodePort});
}

// Its address is called as a ClusterIP is, and masqueraded as a NodePort.
TEST_P(Seed001, LoadBalancer) {
  IsDestinationAndSourceTranslated(node(), {names().balancer, kPort});
  IsDestinationAndSourceTranslated(elsewhere(), {names().balancer, kPort});
}

}  // namespace
}  // namespace natrix::oracle
