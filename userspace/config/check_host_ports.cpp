// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/check_host_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "maps/abi/device.h"
#include "userspace/config/check_services.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::PortMapping;
using model::Prefix;

const char* NameOf(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

const char* NameOf(nx_l4 protocol) {
  return protocol == NX_L4_TCP ? "tcp" : protocol == NX_L4_UDP ? "udp" : "sctp";
}

bool IsOneAddress(const PortMapping& mapping) {
  return mapping.host_ip && !mapping.host_ip->IsUnspecified();
}

// Whether the mapping is there in a family at all.
bool IsOf(const PortMapping& mapping, Family family) {
  return !mapping.host_ip || mapping.host_ip->family() == family;
}

// Everything that is called at addresses of the node, by port, protocol and family.
class Taken {
 public:
  Taken(const Decoded& decoded, Diagnostics& diagnostics)
      : decoded_(decoded), diagnostics_(diagnostics) {
    for (std::size_t i = 0; i < decoded.config.services.size(); ++i)
      AddService(decoded.config.services[i], decoded.places.services[i]);
  }

  void Add(const std::vector<Address>& addresses, const PortMapping& mapping,
           const Places::Container::Mapping& where) {
    bool any = false;
    for (const Family family : kFamilies) {
      if (!model::FirstOf(addresses, family) || !IsOf(mapping, family)) continue;
      any = true;
      if (Refuse(mapping, family, where)) return;  // once, though it be so in both families
      users_[{mapping.host_port, mapping.protocol, family}].push_back(
          {IsOneAddress(mapping) ? mapping.host_ip : std::nullopt, where.host_port, false});
    }
    if (!any && !addresses.empty())
      diagnostics_.Error(
          where.host_ip,
          fmt::format("{} is {}, and the container has no such address",
                      mapping.host_ip->ToString(), NameOf(mapping.host_ip->family())),
          "a port is translated within a family");
  }

 private:
  struct User {
    std::optional<Address> at;  // none: everywhere
    Span where;
    bool service;
  };
  using Key = std::tuple<std::uint16_t, nx_l4, Family>;

  // Only if there are host ports: of Services there may be many.
  void AddService(const model::Service& service, const Places::Service& places) {
    const auto add = [&](const std::vector<Address>& list, const std::vector<Span>& where) {
      for (std::size_t i = 0; i < list.size(); ++i)
        for (const model::PortOfService& port : service.ports)
          users_[{port.port, port.protocol, list[i].family()}].push_back({list[i], where[i], true});
    };
    add(service.cluster_ips, places.cluster_ips);
    add(service.external_ips, places.external_ips);
    add(service.load_balancer_ips, places.load_balancer_ips);
    for (std::size_t i = 0; i < service.ports.size(); ++i)
      for (const Family family : kFamilies)
        if (service.ports[i].node_port != 0 && model::FirstOf(service.cluster_ips, family))
          node_ports_[{service.ports[i].node_port, service.ports[i].protocol, family}] =
              places.ports[i].node_port;
  }

  // kube-proxy's chains come first: where a NodePort is called, the host port never would be.
  bool HasNodePort(const PortMapping& mapping, Family family) const {
    const std::vector<Prefix>& ranges = decoded_.config.kube_proxy.node_port_addresses;
    if (model::AtAnyAddress(ranges, family)) return true;
    if (!IsOneAddress(mapping)) return false;
    return std::ranges::any_of(
        ranges, [&](const Prefix& range) { return range.Contains(*mapping.host_ip); });
  }

  bool Refuse(const PortMapping& mapping, Family family, const Places::Container::Mapping& where) {
    const Key key{mapping.host_port, mapping.protocol, family};
    const std::string port = fmt::format("{}/{}", mapping.host_port, NameOf(mapping.protocol));
    if (const auto node = node_ports_.find(key);
        node != node_ports_.end() && HasNodePort(mapping, family)) {
      diagnostics_.Error(
          where.host_port, fmt::format("port {} is a Service's NodePort", port),
          fmt::format("who calls it would not reach the container: the NodePort is at {}",
                      diagnostics_.PlaceOf(node->second)));
      return true;
    }
    for (const User& user : users_[key]) {
      const bool one = IsOneAddress(mapping);
      // A Service's address is asked for first, and the host port has the others.
      const bool meets = user.service ? one && user.at == mapping.host_ip
                                      : !one || !user.at || user.at == mapping.host_ip;
      if (!meets) continue;
      diagnostics_.Error(
          where.host_port,
          fmt::format("port {} is {}", port,
                      user.service ? "a Service's at this address" : "another container's"),
          FirstAt(user.where, diagnostics_));
      return true;
    }
    return false;
  }

  const Decoded& decoded_;
  Diagnostics& diagnostics_;
  std::map<Key, std::vector<User>> users_;
  std::map<Key, Span> node_ports_;
};

void CheckAddresses(const std::vector<Address>& addresses, const std::vector<Span>& where,
                    const Decoded& decoded, Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::string text = addresses[i].ToString();
    if (i > 0 && addresses[i].family() == addresses[0].family())
      diagnostics.Error(
          where[i], fmt::format("{} is a second {} address", text, NameOf(addresses[i].family())),
          "a container has at most one of each family here");
    if (std::ranges::find(decoded.config.node.addresses, addresses[i]) !=
        decoded.config.node.addresses.end())
      diagnostics.Error(where[i], fmt::format("{} is an address of this node", text),
                        "write the container's own address");
  }
}

// A name that is there already.
template <typename Name>
void CheckName(std::map<std::string, Span>& seen, const std::string& name, Span where,
               const Name& what, Diagnostics& diagnostics) {
  if (name.empty()) return;  // reported when it was read
  const auto [first, is_new] = seen.emplace(name, where);
  if (!is_new)
    diagnostics.Error(where, fmt::format("a second {} is called \"{}\"", what, name),
                      FirstAt(first->second, diagnostics));
}

void CheckContainers(const Decoded& decoded, Taken& taken, Diagnostics& diagnostics) {
  std::map<std::string, Span> names;
  for (std::size_t i = 0; i < decoded.config.host_ports.size(); ++i) {
    const model::HostPorts& ports = decoded.config.host_ports[i];
    const Places::Container& places = decoded.places.host_ports[i];
    CheckName(names, ports.container, places.name, "container", diagnostics);
    std::vector<Address> addresses;
    for (const Prefix& prefix : ports.addresses) addresses.push_back(prefix.address);
    CheckAddresses(addresses, places.addresses, decoded, diagnostics);
    for (std::size_t j = 0; j < ports.mappings.size(); ++j)
      taken.Add(addresses, ports.mappings[j], places.mappings[j]);
  }
}

void CheckBridge(const Decoded& decoded, std::size_t i, Taken& taken,
                 std::map<std::string, Span>& owners, Diagnostics& diagnostics) {
  const model::DockerBridge& bridge = decoded.config.docker.bridges[i];
  const Places::DockerBridge& places = decoded.places.docker[i];
  std::map<std::string, Span> names;
  for (std::size_t j = 0; j < bridge.containers.size(); ++j) {
    const model::DockerContainer& container = bridge.containers[j];
    const Places::Container& where = places.containers[j];
    CheckName(names, container.name, where.name, "container of the bridge", diagnostics);
    CheckAddresses(container.addresses, where.addresses, decoded, diagnostics);
    for (std::size_t k = 0; k < container.addresses.size(); ++k)
      if (const auto [first, is_new] =
              owners.emplace(container.addresses[k].ToString(), where.addresses[k]);
          !is_new)
        diagnostics.Error(where.addresses[k],
                          fmt::format("{} is another container's", first->first),
                          FirstAt(first->second, diagnostics));
    for (std::size_t k = 0; k < container.addresses.size(); ++k)
      if (!bridge.subnets.empty() &&
          std::ranges::none_of(bridge.subnets, [&](const Prefix& subnet) {
            return subnet.Contains(container.addresses[k]);
          }))
        diagnostics.Error(where.addresses[k],
                          fmt::format("{} is in no subnet of \"{}\"",
                                      container.addresses[k].ToString(), bridge.name),
                          fmt::format("they are at {}", diagnostics.PlaceOf(places.subnets[0])));
    for (std::size_t k = 0; k < container.ports.size(); ++k)
      taken.Add(container.addresses, container.ports[k], where.mappings[k]);
  }
  if (bridge.name.empty() || decoded.config.node.pod_devices.empty()) return;  // reported
  if (!MayBeManaged(decoded.config.node, bridge.name, false))
    diagnostics.Error(places.name, fmt::format("natrix does not manage \"{}\"", bridge.name),
                      "nothing would be translated: add it to \"node.podDevices\"");
}

// An address is in one network that is masqueraded.  Containers may share one.
void CheckSubnets(const Decoded& decoded, Diagnostics& diagnostics) {
  struct Network {
    Prefix prefix;
    bool docker;
    Span where;
  };
  std::vector<Network> seen;
  const auto add = [&](const Prefix& prefix, bool docker, Span where) {
    for (const Network& other : seen) {
      if (!docker && !other.docker && other.prefix == prefix) return;
      if (!other.prefix.Contains(prefix) && !prefix.Contains(other.prefix)) continue;
      diagnostics.Error(where,
                        fmt::format("{} overlaps {}", prefix.ToString(), other.prefix.ToString()),
                        fmt::format("the other one is at {}", diagnostics.PlaceOf(other.where)));
      return;
    }
    seen.push_back({prefix, docker, where});
  };
  for (std::size_t i = 0; i < decoded.config.docker.bridges.size(); ++i)
    for (std::size_t j = 0; j < decoded.config.docker.bridges[i].subnets.size(); ++j)
      add(decoded.config.docker.bridges[i].subnets[j], true, decoded.places.docker[i].subnets[j]);
  for (std::size_t i = 0; i < decoded.config.host_ports.size(); ++i)
    for (std::size_t j = 0; j < decoded.config.host_ports[i].addresses.size(); ++j)
      if (decoded.config.host_ports[i].ip_masq)
        add(decoded.config.host_ports[i].addresses[j].WithoutHostBits(), false,
            decoded.places.host_ports[i].addresses[j]);
}

// nx_net.network has so many numbers.
void CheckNetworks(const Decoded& decoded, Diagnostics& diagnostics) {
  std::size_t count = 0;
  for (const Places::DockerBridge& bridge : decoded.places.docker)
    if (++count == NX_BRIDGE_NUMBER + 1)
      diagnostics.Error(bridge.name,
                        fmt::format("one too many: there can be {} bridges", NX_BRIDGE_NUMBER));
  std::map<Prefix, Span> networks;
  for (std::size_t i = 0; i < decoded.config.host_ports.size(); ++i)
    for (std::size_t j = 0; j < decoded.config.host_ports[i].addresses.size(); ++j) {
      const Span where = decoded.places.host_ports[i].addresses[j];
      if (!decoded.config.host_ports[i].ip_masq ||
          !networks.emplace(decoded.config.host_ports[i].addresses[j].WithoutHostBits(), where)
               .second)
        continue;
      if (count + networks.size() == NX_BRIDGE_NUMBER + 1)
        diagnostics.Error(where, fmt::format("one too many: there can be {} networks with "
                                             "\"ipMasq\", Docker's bridges among them",
                                             NX_BRIDGE_NUMBER));
    }
}

}  // namespace

void CheckHostPorts(const Decoded& decoded, Diagnostics& diagnostics) {
  if (decoded.config.host_ports.empty() && decoded.config.docker.bridges.empty()) return;
  Taken taken(decoded, diagnostics);
  CheckContainers(decoded, taken, diagnostics);
  std::map<std::string, Span> bridges, owners;
  for (std::size_t i = 0; i < decoded.config.docker.bridges.size(); ++i) {
    CheckName(bridges, decoded.config.docker.bridges[i].name, decoded.places.docker[i].name,
              "bridge", diagnostics);
    CheckBridge(decoded, i, taken, owners, diagnostics);
  }
  CheckSubnets(decoded, diagnostics);
  CheckNetworks(decoded, diagnostics);
}

}  // namespace natrix::config
