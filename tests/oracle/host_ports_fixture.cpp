// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/host_ports_fixture.h"

#include "tests/support/checksum.h"

namespace natrix::oracle {

using model::Address;
using model::Prefix;

model::HostPorts HostPortOracle::Container(std::vector<model::PortMapping> mappings) {
  model::HostPorts ports{.container = "web", .addresses = {}, .mappings = std::move(mappings)};
  for (const Family family : {Family::kIpv4, Family::kIpv6})
    ports.addresses.push_back(
        {Address::Parse(CastOf(family).pod1).value(), family == Family::kIpv4 ? 16 : 64});
  return ports;
}

model::PortMapping HostPortOracle::At(const std::string& host_ip, std::uint16_t port) {
  return {Address::Parse(host_ip).value(), port, kContainerPort};
}

void HostPortOracle::Map(model::HostPorts ports) {
  config_.host_ports = {std::move(ports)};
  nodes_.Apply(config_);
}

void HostPortOracle::Publish(bool userland_proxy, std::vector<model::PortMapping> ports) {
  model::DockerContainer container{.name = "web", .addresses = {}, .ports = std::move(ports)};
  model::DockerBridge bridge{.name = kPodDevice, .subnets = {}, .containers = {}};
  for (const Prefix& address : Container().addresses) {
    bridge.subnets.push_back(address.WithoutHostBits());
    container.addresses.push_back(address.address);
  }
  bridge.containers.push_back(std::move(container));
  config_.docker = {.userland_proxy = userland_proxy, .bridges = {std::move(bridge)}};
  nodes_.Apply(config_);
}

void HostPortOracle::PublishOnTwo(bool userland_proxy) {
  model::DockerContainer container{
      .name = "db", .addresses = {}, .ports = {{{}, kSecondPort, kContainerPort}}};
  model::DockerBridge bridge{.name = kUplink, .subnets = {}, .containers = {}};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Prefix own{Address::Parse(CastOf(family).other_node).value(),
                     family == Family::kIpv4 ? 24 : 64};
    bridge.subnets.push_back(own.WithoutHostBits());
    container.addresses.push_back(own.address);
  }
  bridge.containers.push_back(std::move(container));
  Publish(userland_proxy);
  Ask([&](model::Docker& docker) { docker.bridges.push_back(std::move(bridge)); });
}

void HostPortOracle::IsTheNodes(Place from, const PacketSpec& call) {
  exchange_.Send(from, call);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
  const Seen& seen = exchange_.last().left[0];
  const auto layers = support::Dissect(seen.frame);
  EXPECT_EQ(seen.place, from) << exchange_.transcript();
  EXPECT_TRUE(layers && layers->dst == call.src) << exchange_.transcript();
}

}  // namespace natrix::oracle
