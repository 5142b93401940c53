// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/networks.h"

#include <map>

#include "maps/abi/config.h"
#include "maps/abi/device.h"

namespace natrix::compile {

std::uint8_t BridgeNumber(std::size_t bridge) { return static_cast<std::uint8_t>(bridge + 1); }

std::uint8_t BridgeOf(const model::Docker& docker, const model::Device& device) {
  for (std::size_t i = 0; i < docker.bridges.size(); ++i)
    if (const std::string& name = docker.bridges[i].name;
        name == device.name || name == device.master_name)
      return static_cast<std::uint8_t>(BridgeNumber(i) |
                                       (docker.userland_proxy ? 0 : NX_BRIDGE_NO_PROXY));
  return 0;
}

std::uint8_t NetworksOf(const model::Docker& docker) {
  if (docker.bridges.empty()) return 0;
  const unsigned guarded = docker.direct_access ? 0 : NX_NETWORKS_GUARDED;
  switch (docker.filter) {
    case model::DockerFilter::kNone:
      break;
    case model::DockerFilter::kIsolated:
      return static_cast<std::uint8_t>(NX_NETWORKS | NX_NETWORKS_ISOLATED | guarded);
    case model::DockerFilter::kClosed:
      return static_cast<std::uint8_t>(NX_NETWORKS | NX_NETWORKS_CLOSED | guarded);
  }
  return static_cast<std::uint8_t>(NX_NETWORKS | guarded);
}

void AddNetworks(const model::Config& config, ByPrefix<nx_net>& written) {
  const std::vector<model::DockerBridge>& bridges = config.docker.bridges;
  for (std::size_t i = 0; i < bridges.size(); ++i) {
    nx_net net{};
    net.bridged = 1;
    net.network = BridgeNumber(i) & NX_BRIDGE_NUMBER;
    for (const model::Prefix& subnet : bridges[i].subnets)
      written.emplace_back(subnet.WithoutHostBits(), net);
    if (config.docker.direct_access) continue;
    net.guarded = 1;
    for (const model::DockerContainer& container : bridges[i].containers)
      for (const model::Address& address : container.addresses)
        written.emplace_back(model::Prefix::Of(address), net);
  }
  std::map<model::Prefix, unsigned> numbers;
  for (const model::HostPorts& ports : config.host_ports) {
    if (!ports.ip_masq) continue;
    for (const model::Prefix& address : ports.addresses) {
      const model::Prefix network = address.WithoutHostBits();
      const unsigned number =
          numbers.emplace(network, bridges.size() + numbers.size() + 1).first->second;
      nx_net net{}, own{};
      net.network = number & NX_BRIDGE_NUMBER;
      own.ip_masq = 1;
      written.emplace_back(network, net);
      written.emplace_back(model::Prefix::Of(address.address), own);
    }
  }
}

}  // namespace natrix::compile
