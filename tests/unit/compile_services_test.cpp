// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/compile_services.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

namespace natrix::compile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> ListOf(const model::Config& config, const std::string& address,
                                nx_backend_list list) {
  const auto services = Compile(config, Host()).services;
  const std::uint32_t number = NumberAt(*services, address);
  std::vector<std::string> found;
  const auto all = services->AllBackends();
  for (std::uint16_t block = 0;; ++block) {
    const auto at = all.find({number, block, list, 0});
    if (at == all.end()) return found;
    for (const nx_backend& backend : at->second.at) {
      if (backend.port == 0) continue;
      EXPECT_EQ(Port(backend.port), 8080);
      found.push_back(Address{backend.addr}.ToString());
    }
  }
}

std::vector<std::string> Cluster(std::vector<model::ServiceEndpoint> endpoints,
                                 const std::string& zone = "") {
  model::Config config = Config({Service("a", {"10.96.0.1"}, std::move(endpoints))});
  config.node.zone = zone;
  return ListOf(config, "10.96.0.1", NX_BACKENDS_ALL);
}
std::vector<std::string> Local(std::vector<model::ServiceEndpoint> endpoints) {
  model::Config config = Config({Service("a", {"10.96.0.1"}, std::move(endpoints))});
  config.services[0].Edit().internal_policy = model::TrafficPolicy::kLocal;
  return ListOf(config, "10.96.0.1", NX_BACKENDS_LOCAL);
}

TEST(ServiceEndpoints, TheClusterPolicyTakesTheReadyOnes) {
  EXPECT_THAT(
      Cluster({Endpoint({"10.16.0.1"}), Endpoint({"10.16.0.2"}, "n2"),
               Endpoint({"10.16.0.3"}, "n1", kTerminating), Endpoint({"10.16.0.4"}, "n1", kDead)}),
      ElementsAre("10.16.0.1", "10.16.0.2"));
}

TEST(ServiceEndpoints, WithoutAReadyOneThoseThatServeAndTerminateAreTaken) {
  EXPECT_THAT(Cluster({Endpoint({"10.16.0.3"}, "n1", kTerminating, {"zb"}),
                       Endpoint({"10.16.0.4"}, "n1", kDead),
                       Endpoint({"10.16.0.5"}, "n1", {false, true, false})},
                      "za"),
              ElementsAre("10.16.0.3"));
}

TEST(ServiceEndpoints, HintsForThisZoneAreHeeded) {
  EXPECT_THAT(
      Cluster(
          {Endpoint({"10.16.0.1"}, "n1", {}, {"za"}), Endpoint({"10.16.0.2"}, "n1", {}, {"zb"}),
           Endpoint({"10.16.0.3"}, "n1", {}, {"zb", "za"}), Endpoint({"10.16.0.4"}, "n1", kDead)},
          "za"),
      ElementsAre("10.16.0.1", "10.16.0.3"));
}

TEST(ServiceEndpoints, HintsAreNotHeededWhenAReadyOneHasNone) {
  EXPECT_THAT(Cluster({Endpoint({"10.16.0.1"}, "n1", {}, {"za"}), Endpoint({"10.16.0.2"})}, "za"),
              ElementsAre("10.16.0.1", "10.16.0.2"));
}

TEST(ServiceEndpoints, HintsAreNotHeededWithoutAZone) {
  EXPECT_THAT(Cluster({Endpoint({"10.16.0.1"}, "n1", {}, {"za"}),
                       Endpoint({"10.16.0.2"}, "n1", {}, {"zb"})}),
              ElementsAre("10.16.0.1", "10.16.0.2"));
}

TEST(ServiceEndpoints, HintsAreNotHeededWhenNoneIsForThisZone) {
  EXPECT_THAT(Cluster({Endpoint({"10.16.0.1"}, "n1", {}, {"za"}),
                       Endpoint({"10.16.0.2"}, "n1", {}, {"zb"})},
                      "zc"),
              ElementsAre("10.16.0.1", "10.16.0.2"));
}

TEST(ServiceEndpoints, TheLocalPolicyTakesThisNodesWhateverTheirHints) {
  EXPECT_THAT(Local({Endpoint({"10.16.0.1"}, "n2"), Endpoint({"10.16.0.2"}, "n1", {}, {"zb"}),
                     Endpoint({"10.16.0.3"}, "n1", kTerminating), Endpoint({"10.16.0.4"}, "")}),
              ElementsAre("10.16.0.2"));
}

TEST(ServiceEndpoints, TheLocalPolicyFallsBackOnThisNodesOnly) {
  EXPECT_THAT(Local({Endpoint({"10.16.0.1"}, "n2"), Endpoint({"10.16.0.3"}, "n1", kTerminating),
                     Endpoint({"10.16.0.4"}, "n2", kTerminating)}),
              ElementsAre("10.16.0.3"));
}

TEST(ServiceEndpoints, EachFamilyHasItsOwn) {
  const model::Config config =
      Config({Service("a", {"10.96.0.1", "fd00:96::1"},
                      {Endpoint({"10.16.0.1", "fd00:16::1"}), Endpoint({"fd00:16::2"})})});

  EXPECT_THAT(ListOf(config, "10.96.0.1", NX_BACKENDS_ALL), ElementsAre("10.16.0.1"));
  EXPECT_THAT(ListOf(config, "fd00:96::1", NX_BACKENDS_ALL),
              ElementsAre("fd00:16::1", "fd00:16::2"));
}

TEST(ServiceAddresses, EachKindHasItsFlags) {
  model::Service service = Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"})});
  service.external_ips = {Addr("172.18.0.60")};
  service.load_balancer_ips = {Addr("172.18.0.70")};
  service.load_balancer_source_ranges = {Net("203.0.113.0/24")};
  service.ports[0].node_port = 30080;

  EXPECT_THAT(
      CalledAt(Config({service})),
      UnorderedElementsAre("10.96.0.1:80/6 all=1 local=0", "172.18.0.60:80/6 EXT all=1 local=0",
                           "172.18.0.70:80/6 EXT SOURCES all=1 local=0",
                           "0.0.0.0:30080/6 EXT all=1 local=0"));
}

TEST(ServiceAddresses, RangesWithTheNodeLetItCall) {
  model::Service service = Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"})});
  service.load_balancer_ips = {Addr("172.18.0.70")};
  service.load_balancer_source_ranges = {Net("203.0.113.0/24"), Net("172.18.0.0/16")};

  EXPECT_THAT(CalledAt(Config({service})),
              UnorderedElementsAre("10.96.0.1:80/6 all=1 local=0",
                                   "172.18.0.70:80/6 EXT SOURCES NODE all=1 local=0"));
}

TEST(ServiceAddresses, SayWhatTheyAre) {
  model::Service service = Service("a", {"10.96.0.1"}, {});
  service.external_ips = {Addr("172.18.0.60"), Addr("172.18.0.61")};
  service.load_balancer_ips = {Addr("172.18.0.70"), Addr("172.18.0.61")};
  service.ports[0].node_port = 30080;
  std::vector<std::string> kinds;

  for (const auto& [key, value] : Compile(Config({service}), Host()).services->AllServices())
    kinds.push_back(
        fmt::format("{} {}", Address{key.addr}.ToString(), static_cast<int>(value.kind)));

  EXPECT_THAT(kinds, UnorderedElementsAre("10.96.0.1 0", "172.18.0.60 1", "172.18.0.61 1",
                                          "172.18.0.70 2", "0.0.0.0 3"));
}

TEST(ServiceAddresses, PoliciesAreOfTheirOwnAddresses) {
  model::Service service =
      Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"}, "n2"), Endpoint({"10.16.0.2"}, "n2")});
  service.external_ips = {Addr("172.18.0.60")};
  service.external_policy = model::TrafficPolicy::kLocal;

  EXPECT_THAT(CalledAt(Config({service})),
              UnorderedElementsAre("10.96.0.1:80/6 all=2 local=0",
                                   "172.18.0.60:80/6 EXT LOCAL ELSEWHERE all=2 local=0"));
}

TEST(ServiceAddresses, ElsewhereIsAnEndpointThatMayBeUsedThere) {
  const auto at = [](Conditions is) {
    model::Service service = Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"}, "n2", is)});
    service.internal_policy = model::TrafficPolicy::kLocal;
    return CalledAt(Config({service}));
  };

  EXPECT_THAT(at(kTerminating), ElementsAre("10.96.0.1:80/6 LOCAL ELSEWHERE all=1 local=0"));
  EXPECT_THAT(at(kDead), ElementsAre("10.96.0.1:80/6 LOCAL all=0 local=0"));
}

TEST(ServiceAddresses, AffinityIsInJiffies) {
  model::Config config = Config({Service("a", {"10.96.0.1"}, {})});
  config.services[0].Edit().affinity_seconds = 600;

  const auto all = Compile(config, Host()).services->AllServices();

  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.begin()->second.affinity, 60000u);
  EXPECT_EQ(all.begin()->second.flags, NX_SERVICE_AFFINITY);
}

// "10.0.0.0/8"
std::vector<std::string> SourcesOf(const model::Config& config, const std::string& address) {
  const auto services = Compile(config, Host()).services;
  std::vector<std::string> list;
  for (const auto& [key, value] : services->AllSources()) {
    EXPECT_EQ(value.present, 1);
    if (key.service == NumberAt(*services, address))
      list.push_back(Prefix::FromAbi({key.length - 32, key.addr}).ToString());
  }
  return list;
}

TEST(ServiceSources, AreThoseOfTheFamily) {
  model::Service service = Service("a", {"10.96.0.1", "fd00:96::1"}, {});
  service.load_balancer_ips = {Addr("172.18.0.70"), Addr("fd00::70")};
  service.load_balancer_source_ranges = {Net("203.0.113.0/24"), Net("198.51.100.7/32")};
  const model::Config config = Config({service});

  EXPECT_THAT(SourcesOf(config, "172.18.0.70"),
              UnorderedElementsAre("203.0.113.0/24", "198.51.100.7/32"));
  EXPECT_THAT(SourcesOf(config, "fd00::70"), IsEmpty());
  EXPECT_THAT(CalledAt(config), testing::Contains("fd00::70:80/6 EXT all=0 local=0"));
}

TEST(ServiceSources, ARangeAroundTheNodeLetsItsOwnCallsIn) {
  model::Service service = Service("a", {"10.96.0.1"}, {});
  service.load_balancer_ips = {Addr("192.0.2.70")};
  service.load_balancer_source_ranges = {Net("172.18.0.0/16")};

  EXPECT_THAT(SourcesOf(Config({service}), "192.0.2.70"),
              UnorderedElementsAre("172.18.0.0/16", "192.0.2.70/32"));
}

model::Config WithNodePort(std::vector<std::string> node_port_addresses) {
  model::Config config =
      Config({Service("a", {"10.96.0.1", "fd00:96::1"}, {Endpoint({"10.16.0.1", "fd00:16::1"})})});
  config.services[0].Edit().ports[0].node_port = 30080;
  for (const std::string& range : node_port_addresses)
    config.kube_proxy.node_port_addresses.push_back(Net(range));
  return config;
}

TEST(NodePorts, AreAtAnyAddress) {
  const Wanted wanted = Compile(WithNodePort({}), Host());

  EXPECT_THAT(CalledAt(wanted), testing::IsSupersetOf({"0.0.0.0:30080/6 EXT all=1 local=0",
                                                       ":::30080/6 EXT all=1 local=0"}));
  EXPECT_EQ(wanted.config.node_ports, 1);
}

TEST(NodePorts, AreAtTheAddressesThatMatch) {
  const model::Config config = WithNodePort({"172.18.0.0/16", "127.0.0.0/8", "fd00::/16"});
  const Wanted wanted = Compile(config, Host());

  EXPECT_THAT(CalledAt(wanted),
              UnorderedElementsAre("10.96.0.1:80/6 all=1 local=0", "fd00:96::1:80/6 all=1 local=0",
                                   "172.18.0.3:30080/6 EXT all=1 local=0",
                                   "fd00::3:30080/6 EXT all=1 local=0"));
  EXPECT_EQ(wanted.config.node_ports, 0);
}

// The filter table's rules for them know no nodePortAddresses.
TEST(NodePorts, ThatNobodyServesAreRefusedAtAnyAddress) {
  model::Config config = WithNodePort({"172.18.0.0/16", "fd00::/16"});
  config.services[0].Edit().external_policy = model::TrafficPolicy::kLocal;
  config.services[0].Edit().endpoints[0][0].node_name = "n2";
  const Wanted local = Compile(config, Host());
  EXPECT_THAT(CalledAt(local),
              testing::IsSupersetOf({"0.0.0.0:30080/6 EXT LOCAL ELSEWHERE all=0 local=0",
                                     "172.18.0.3:30080/6 EXT LOCAL ELSEWHERE all=1 local=0"}));
  EXPECT_EQ(local.config.node_ports, 1);

  config.services[0].Edit().endpoints[0].clear();
  const Wanted none = Compile(config, Host(), {local.subnet, local.made, local.services});
  EXPECT_THAT(CalledAt(none), testing::Contains("0.0.0.0:30080/6 EXT LOCAL all=0 local=0"));

  const Wanted served = Compile(WithNodePort({"172.18.0.0/16", "fd00::/16"}), Host(),
                                {none.subnet, none.made, none.services});
  EXPECT_THAT(CalledAt(served), testing::Not(testing::Contains(testing::StartsWith("0.0.0.0:"))));
  EXPECT_EQ(served.config.node_ports, 0);
}

TEST(NodePorts, AFamilyThatIsNotListedHasThemEverywhere) {
  const Wanted wanted = Compile(WithNodePort({"10.1.0.0/16"}), Host());

  EXPECT_THAT(CalledAt(wanted), testing::IsSupersetOf({"10.1.0.3:30080/6 EXT all=1 local=0",
                                                       ":::30080/6 EXT all=1 local=0"}));
  EXPECT_EQ(wanted.config.node_ports, 1);
}

TEST(NodePorts, FollowTheNodesAddresses) {
  const model::Config config = WithNodePort({"172.18.0.0/16", "fd00::/16"});
  Wanted wanted = Compile(config, Host());
  const auto before = wanted.services;
  model::Host host = Host();

  FollowHost(config, host, wanted);
  EXPECT_EQ(wanted.services, before);

  host.devices[1].addresses = {{Addr("172.18.0.9"), 16}};
  FollowHost(config, host, wanted);
  EXPECT_THAT(CalledAt(wanted), testing::Contains("172.18.0.9:30080/6 EXT all=1 local=0"));
  EXPECT_EQ(Diff(*before, *wanted.services).service.erase.size(), 2u);
}

TEST(NodePorts, AnExternalIpOfTheNodeComesFirst) {
  model::Config config = WithNodePort({"172.18.0.0/16"});
  model::Service other = Service("b", {"10.96.0.2"}, {Endpoint({"10.16.0.1"})});
  other.ports[0].port = 30080;
  other.external_ips = {Addr("172.18.0.3")};
  config.services.push_back(other);

  EXPECT_THAT(CalledAt(config), testing::Contains("172.18.0.3:30080/6 EXT all=1 local=0"));
}

TEST(NodePorts, AreNeverASourcePort) {
  model::Config config = WithNodePort({});
  config.services[0].Edit().health_check_node_port = 32001;
  const auto reserved = [](const Wanted& wanted, std::uint32_t port) {
    return (wanted.port[port / 32].reserved >> (port % 32)) & 1;
  };

  const Wanted with = Compile(config, Host());
  EXPECT_EQ(reserved(with, 30080), 1u);
  EXPECT_EQ(reserved(with, 32001), 1u);
  EXPECT_EQ(reserved(with, 30081), 0u);

  config.services[0].Edit().ports[0].node_port = 30081;
  const Wanted other = Compile(config, Host(), {with.subnet, with.made, with.services});
  EXPECT_EQ(reserved(other, 30080), 0u);
  EXPECT_EQ(reserved(other, 30081), 1u);
  EXPECT_EQ(reserved(other, 32001), 1u);
}

TEST(ServiceScalars, SocketsAreLookedAtWhileThereAreServices) {
  const auto sockets = [](model::Config config, model::SocketLb whose) {
    config.kube_proxy.socket_lb = whose;
    return Compile(config, Host()).config.sockets;
  };
  const model::Config some = Config({Service("a", {"10.96.0.1"}, {})});

  EXPECT_EQ(sockets(some, model::SocketLb::kNode), NX_SOCKETS_NODE);
  EXPECT_EQ(sockets(some, model::SocketLb::kAll), NX_SOCKETS_ALL);
  EXPECT_EQ(sockets(some, model::SocketLb::kOff), NX_SOCKETS_NONE);
  EXPECT_EQ(sockets(Config({}), model::SocketLb::kAll), NX_SOCKETS_NONE);
}

TEST(ServiceScalars, WhatIsInvalidIsDroppedWhileThereAreServicesIfItIsTo) {
  model::Config config = Config({Service("a", {"10.96.0.1"}, {})});

  EXPECT_EQ(Compile(config, Host()).config.drop_invalid, 0u);
  config.kube_proxy.invalid = model::Invalid::kDrop;
  EXPECT_EQ(Compile(config, Host()).config.drop_invalid, 1u);
  config.services.clear();
  EXPECT_EQ(Compile(config, Host()).config.drop_invalid, 0u);
}

TEST(ServiceScalars, AreThoseOfKubeProxy) {
  model::Config config = Config({});
  EXPECT_EQ(Compile(config, Host()).config.services, 0);
  EXPECT_EQ(Compile(config, Host()).config.detect, NX_DETECT_NONE);
  EXPECT_EQ(Compile(config, Host()).config.masquerade_all, 0);

  config = Config({Service("a", {"10.96.0.1"}, {})});
  config.kube_proxy.masquerade_all = true;
  config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
  config.kube_proxy.cluster_cidrs = {Net("10.16.0.0/14")};
  model::Subnet subnet;
  subnet.name = "s";
  subnet.cidrs = {Net("10.16.0.0/16")};
  config.subnets = {subnet};
  const Wanted wanted = Compile(config, Host());
  EXPECT_EQ(wanted.config.services, 1);
  EXPECT_EQ(wanted.config.detect, NX_DETECT_PREFIX);
  EXPECT_EQ(wanted.config.masquerade_all, 1);
  EXPECT_EQ(wanted.config.node_ports, 0);
  ASSERT_EQ(wanted.net.size(), 2u);  // the prefix, and the Subnet in it
  for (const auto& [prefix, net] : wanted.net) EXPECT_EQ(net.cluster, 1u);
}

TEST(ServiceScalars, DevicesOfTheClusterAreMarked) {
  model::Config config = Config({});
  config.node.uplinks = {"eth*"};
  const auto marked = [&](model::DetectLocal detect, const std::string& device) {
    config.kube_proxy.detect = detect;
    config.kube_proxy.device = device;
    const Wanted wanted = Compile(config, Host());
    EXPECT_EQ(wanted.config.detect, NX_DETECT_DEVICE);
    std::vector<std::string> list;
    for (const auto& [ifindex, entry] : wanted.device)
      if (entry.cluster) list.emplace_back(entry.name);
    return list;
  };

  EXPECT_THAT(marked(model::DetectLocal::kBridgeInterface, "eth1"), ElementsAre("eth1"));
  EXPECT_THAT(marked(model::DetectLocal::kBridgeInterface, "eth"), IsEmpty());
  EXPECT_THAT(marked(model::DetectLocal::kInterfaceNamePrefix, "eth"),
              UnorderedElementsAre("eth0", "eth1"));
}

}  // namespace
}  // namespace natrix::compile
