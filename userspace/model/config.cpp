// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/config.h"

#include <algorithm>

namespace natrix::model {

std::optional<Address> FirstOf(const std::vector<Address>& addresses, Family family) {
  const auto found = std::ranges::find(addresses, family, &Address::family);
  if (found == addresses.end()) return std::nullopt;
  return *found;
}

bool HasHostPorts(const Config& config) {
  const auto publishes = [](const DockerBridge& bridge) {
    return !std::ranges::all_of(bridge.containers, &std::vector<PortMapping>::empty,
                                &DockerContainer::ports);
  };
  return !config.host_ports.empty() || std::ranges::any_of(config.docker.bridges, publishes);
}

bool AsksForHostPortMark(const Config& config) {
  return std::ranges::any_of(config.host_ports, &HostPorts::snat);
}

bool TranslatesCalls(const Config& config) {
  return (!config.services.empty() || HasHostPorts(config) || !config.floating_ips.empty()) &&
         config.kube_proxy.socket_lb != SocketLb::kOff;
}

bool AtAnyAddress(const std::vector<Prefix>& node_port_addresses, Family family) {
  bool listed = false;
  for (const Prefix& range : node_port_addresses) {
    if (range.family() != family) continue;
    if (range.length == 0) return true;
    listed = true;
  }
  return !listed;
}

}  // namespace natrix::model
