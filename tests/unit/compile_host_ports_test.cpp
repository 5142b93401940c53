// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/compile_services.h"

// Host ports of CNI's portmap and Docker as entries of the maps of Services.
namespace natrix::compile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

model::HostPorts Container(std::vector<model::PortMapping> mappings) {
  return {.container = "web",
          .addresses = {Net("10.88.0.5/16"), Net("fd00:88::5/64")},
          .mappings = std::move(mappings)};
}

model::Config With(model::HostPorts ports) {
  model::Config config = Config({});
  config.host_ports = {std::move(ports)};
  return config;
}

model::Config WithDocker(bool proxy) {
  model::Config config = Config({});
  config.node.pod_devices = {"eth1"};
  config.docker = {.userland_proxy = proxy,
                   .bridges = {{.name = "eth1",
                                .subnets = {Net("172.17.0.0/16")},
                                .containers = {{.name = "web",
                                                .addresses = {Addr("172.17.0.2")},
                                                .ports = {{{}, 8080, 80}, {{}, 8081, 80}}}}}}};
  return config;
}

// "0.0.0.0:8080/6 -> 10.88.0.5:80 from 10.88.0.0/16 loopback": entry, endpoint, who is marked.
std::vector<std::string> Mapped(const model::Config& config) {
  const auto services = Compile(config, Host()).services;
  const auto backends = services->AllBackends();
  std::vector<std::string> list;
  for (const auto& [key, value] : services->AllServices()) {
    std::string text = fmt::format("{}:{}/{}", Address{key.addr}.ToString(), Port(key.port),
                                   static_cast<int>(key.proto));
    EXPECT_TRUE(value.flags & NX_SERVICE_HOST_PORT) << text;
    if (value.kind == NX_SERVICE_PUBLISHED) {
      list.push_back(text + " published");
      continue;
    }
    const auto to = backends.find({value.number, 0, NX_BACKENDS_ALL, 0});
    if (to == backends.end() || value.all != 1) {
      list.push_back(text + " without an endpoint");
      continue;
    }
    text += fmt::format(" -> {}:{}", Address{to->second.at[0].addr}.ToString(),
                        Port(to->second.at[0].port));
    for (const auto& [source, present] : services->AllSources())
      if (source.service == value.number && value.flags & NX_SERVICE_SOURCES)
        text += fmt::format(
            " from {}",
            Prefix::FromAbi({.length = source.length - 32, .addr = source.addr}).ToString());
    if (value.flags & NX_SERVICE_LOOPBACK) text += " loopback";
    if (value.not_from) text += fmt::format(" not {}", value.not_from);
    list.push_back(text);
  }
  return list;
}

TEST(HostPorts, AreEverywhereInBothFamiliesAndMarkTheirNetwork) {
  EXPECT_THAT(Mapped(With(Container({{{}, 8080, 80}}))),
              UnorderedElementsAre("0.0.0.0:8080/6 -> 10.88.0.5:80 from 10.88.0.0/16 loopback",
                                   ":::8080/6 -> fd00:88::5:80 from fd00:88::/64 loopback"));
}

TEST(HostPorts, AHostIpIsOfItsFamily) {
  EXPECT_THAT(Mapped(With(Container({{Addr("172.18.0.3"), 8080, 80, NX_L4_UDP}}))),
              ElementsAre("172.18.0.3:8080/17 -> 10.88.0.5:80 from 10.88.0.0/16 loopback"));
  EXPECT_THAT(Mapped(With(Container({{Addr("0.0.0.0"), 8080, 80}}))),
              ElementsAre("0.0.0.0:8080/6 -> 10.88.0.5:80 from 10.88.0.0/16 loopback"));
}

TEST(HostPorts, OptionsSayWhoIsMarked) {
  model::HostPorts ports = Container({{Addr("0.0.0.0"), 8080, 80}});
  ports.masq_all = true;
  EXPECT_THAT(Mapped(With(ports)),
              ElementsAre("0.0.0.0:8080/6 -> 10.88.0.5:80 from 0.0.0.0/0 loopback"));
  ports.masq_all = ports.snat = false;
  EXPECT_THAT(Mapped(With(ports)), ElementsAre("0.0.0.0:8080/6 -> 10.88.0.5:80 loopback"));
}

TEST(HostPorts, AreNoSourcePorts) {
  const Wanted wanted = Compile(With(Container({{{}, 8080, 80}})), Host());
  EXPECT_TRUE(wanted.port[8080 / 32].reserved & (1U << (8080 % 32)));
  EXPECT_EQ(wanted.config.services, NX_ASK_HOST_PORTS);
  EXPECT_TRUE(wanted.config.node_ports);
  EXPECT_EQ(wanted.config.mark_host_port, 0x2000U);
  EXPECT_EQ(wanted.config.mark_untrusted & 0x2000U, 0x2000U);
  EXPECT_EQ(wanted.config.sockets, NX_SOCKETS_NODE);
  model::Config config = Config({Service("a", {"10.96.0.1"}, {})});
  EXPECT_EQ(Compile(config, Host()).config.services, NX_ASK_SERVICES);
  config.host_ports = {Container({{{}, 8080, 80}})};
  config.host_ports[0].snat = false;
  const nx_config scalars = Compile(config, Host()).config;
  EXPECT_EQ(scalars.services, NX_ASK_SERVICES);
  EXPECT_EQ(scalars.mark_host_port, 0U) << "somebody else's bit without need";
  EXPECT_EQ(scalars.mark_untrusted & 0x2000U, 0U);
}

TEST(HostPorts, ChangeNothingOfTheServicesBesideThem) {
  model::Config config = Config({Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"})})});
  const Wanted before = Compile(config, Host());
  config.host_ports = {Container({{{}, 8080, 80}, {{}, 8081, 81}})};
  const Wanted with =
      Compile(config, Host(), {.subnets = {}, .made = {}, .services = before.services});
  EXPECT_EQ(PartAt(*with.services, 0), PartAt(*before.services, 0));
  config.host_ports[0].mappings.pop_back();
  const Wanted fewer =
      Compile(config, Host(), {.subnets = {}, .made = {}, .services = with.services});
  EXPECT_EQ(PartAt(*fewer.services, 0), PartAt(*before.services, 0));
  const ServiceEdits edits = Diff(*with.services, *fewer.services);
  EXPECT_EQ(edits.service.erase.size(), 2U) << "the one port, of both families";
  EXPECT_THAT(edits.service.write, IsEmpty()) << "the other keeps its number";
}

TEST(HostPorts, IpMasqIsOfTheAddressInItsNetwork) {
  model::HostPorts ports = Container({{{}, 8080, 80}});
  ports.ip_masq = true;
  const auto net = Compile(With(ports), Host()).net;
  const nx_net own = net.at(Net("10.88.0.5/32").ToAbi()),
               around = net.at(Net("10.88.0.0/16").ToAbi());
  EXPECT_TRUE(own.ip_masq);
  EXPECT_FALSE(around.ip_masq);
  EXPECT_NE(own.network, 0U);
  EXPECT_EQ(own.network, around.network);
  EXPECT_NE(own.network, net.at(Net("fd00:88::/64").ToAbi()).network);
}

TEST(DockerPorts, WithTheProxyAreNotForTheBridgesOwn) {
  const Wanted wanted = Compile(WithDocker(true), Host());
  EXPECT_THAT(Mapped(WithDocker(true)),
              UnorderedElementsAre("0.0.0.0:8080/6 -> 172.17.0.2:80 not 1",
                                   "0.0.0.0:8081/6 -> 172.17.0.2:80 not 1"));
  const nx_net net = wanted.net.at(Net("172.17.0.0/16").ToAbi());
  EXPECT_TRUE(net.bridged);
  EXPECT_EQ(net.network, 1U);
  EXPECT_EQ(wanted.device.at(3).bridge[0], 1U);
  EXPECT_EQ(wanted.device.at(3).bridge[1], 1U);
  EXPECT_TRUE(wanted.config.networks);
}

TEST(DockerPorts, WithoutItAreForEverybodyAndTheContainerIsMasqueradedToItself) {
  EXPECT_THAT(Mapped(WithDocker(false)),
              UnorderedElementsAre("0.0.0.0:8080/6 -> 172.17.0.2:80 loopback",
                                   "0.0.0.0:8081/6 -> 172.17.0.2:80 loopback",
                                   "172.17.0.2:80/6 published"));
  EXPECT_EQ(Compile(WithDocker(false), Host()).device.at(3).bridge[0], 1U | NX_BRIDGE_NO_PROXY);
}

// KUBE-EXTERNAL-SERVICES refuses at all addresses what is not served, but behind the nat table.
TEST(HostPorts, StayWhenANodePortOfTheirNumberComesAndGoes) {
  model::Config config =
      With(Container({{.host_ip = {}, .host_port = 8080, .container_port = 80}}));
  config.kube_proxy.node_port_addresses = {Net("10.1.0.0/16"), Net("fd99::/64")};
  model::Service service = Service("s", {"10.96.0.1", "fd00::1"}, {Endpoint({"10.16.0.1"})});
  service.ports[0].node_port = 8080;
  config.services.emplace_back(service);
  const Wanted served = Compile(config, Host());
  config.services[0].Edit().endpoints[0].clear();
  const Wanted unserved = Compile(config, Host(), {served.subnet, served.made, served.services});

  for (const Wanted* now : {&served, &unserved})
    for (const auto& [key, value] : now->services->AllServices())
      EXPECT_TRUE(value.flags & NX_SERVICE_HOST_PORT || !Address{key.addr}.IsUnspecified())
          << Show(key, value);
  const auto there = Diff(*served.services, *unserved.services);
  const auto back = Diff(*unserved.services, *served.services);
  for (const ServiceEdits* edits : {&there, &back}) {
    for (const auto& key : edits->service.erase) EXPECT_FALSE(Address{key.addr}.IsUnspecified());
    for (const auto& [key, value] : edits->service.write)
      EXPECT_FALSE(Address{key.addr}.IsUnspecified()) << Show(key, value);
  }
}

TEST(HostPorts, ANodePortThatNobodyServesIsRefusedWhereThereIsNone) {
  model::Config config = Config({});
  config.kube_proxy.node_port_addresses = {Net("10.1.0.0/16")};
  model::Service service = Service("s", {"10.96.0.1"}, {});
  service.ports[0].node_port = 8080;
  config.services.emplace_back(service);

  EXPECT_THAT(CalledAt(config), testing::Contains("0.0.0.0:8080/6 EXT all=0 local=0"));
  EXPECT_EQ(Compile(config, Host()).config.node_ports, 1);
}

TEST(HostPorts, OlderDockersPortsAreNotForAnyBridge) {
  model::Config config = WithDocker(true);
  config.docker.bridges_return = true;
  EXPECT_THAT(Mapped(config), UnorderedElementsAre("0.0.0.0:8080/6 -> 172.17.0.2:80 not 128",
                                                   "0.0.0.0:8081/6 -> 172.17.0.2:80 not 128"));
}

TEST(HostPorts, OnlyContainersAreGuardedIfTheyPublishOrNot) {
  model::Config config = WithDocker(true);
  config.docker.bridges[0].containers.push_back(
      {.name = "quiet", .addresses = {Addr("172.17.0.3")}, .ports = {}});
  EXPECT_EQ(Compile(config, Host()).config.networks, NX_NETWORKS);
  EXPECT_FALSE(Compile(config, Host()).net.contains(Net("172.17.0.2/32").ToAbi()));
  config.docker.direct_access = false;
  const Wanted wanted = Compile(config, Host());
  EXPECT_EQ(wanted.config.networks, NX_NETWORKS | NX_NETWORKS_GUARDED);
  EXPECT_FALSE(wanted.net.at(Net("172.17.0.0/16").ToAbi()).guarded);
  for (const char* own : {"172.17.0.2/32", "172.17.0.3/32"}) {
    const nx_net net = wanted.net.at(Net(own).ToAbi());
    EXPECT_TRUE(net.guarded && net.bridged) << own;
    EXPECT_EQ(net.network, 1U) << own;
  }
  EXPECT_EQ(Mapped(config).size(), 2U) << "who publishes nothing is no Service";
}

TEST(HostPorts, AFilterIsOfABridgeAndThatOf28KnowsWhatIsPublished) {
  model::Config config = WithDocker(true);
  EXPECT_EQ(Compile(config, Host()).config.networks, NX_NETWORKS);
  config.docker.filter = model::DockerFilter::kIsolated;
  EXPECT_EQ(Compile(config, Host()).config.networks, NX_NETWORKS | NX_NETWORKS_ISOLATED);
  EXPECT_EQ(Mapped(config).size(), 2U);
  config.docker.filter = model::DockerFilter::kClosed;
  EXPECT_EQ(Compile(config, Host()).config.networks, NX_NETWORKS | NX_NETWORKS_CLOSED);
  EXPECT_THAT(Mapped(config), testing::Contains("172.17.0.2:80/6 published"));
  config.docker.bridges.clear();
  EXPECT_EQ(Compile(config, Host()).config.networks, 0U);
}

}  // namespace
}  // namespace natrix::compile
