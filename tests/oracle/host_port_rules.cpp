// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/host_port_rules.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::HostPorts;
using model::PortMapping;
using model::Prefix;

constexpr char kMark[] = "0x2000/0x2000";
constexpr std::size_t kMultiport = 15;  // ports that one -m multiport takes

const char* NameOf(nx_l4 protocol) {
  return protocol == NX_L4_TCP ? "tcp" : protocol == NX_L4_UDP ? "udp" : "sctp";
}

std::string To(const Address& address, std::uint16_t port) {
  return model::Endpoint{address, port}.ToString();
}

std::string All(Family family) { return family == Family::kIpv4 ? "0.0.0.0/0" : "::/0"; }

// " -d ADDRESS", or nothing where all addresses are meant.
std::string At(const PortMapping& mapping) {
  if (!mapping.host_ip || mapping.host_ip->IsUnspecified()) return "";
  return " -d " + mapping.host_ip->ToString();
}

// externalSetMarkChain
bool TakesKubeProxysMark(const Config& config) {
  return config.marks.host_port == config.marks.masquerade;
}

bool IsOf(const PortMapping& mapping, Family family) {
  return !mapping.host_ip || mapping.host_ip->family() == family;
}

const Prefix* NetOf(const HostPorts& ports, Family family) {
  const auto found = std::ranges::find(ports.addresses, family, &Prefix::family);
  return found == ports.addresses.end() ? nullptr : &*found;
}

// CNI-DN-* has a hash of the network's name and the container's ID.
std::string ChainOf(const std::string& prefix, const HostPorts& ports) {
  return fmt::format("{}{:021x}", prefix, std::hash<std::string>{}(ports.container));
}

// The entry rules: portmap takes every mapping's port, of whatever family its hostIP is.
void AddEntries(Table& nat, const HostPorts& ports) {
  for (const nx_l4 protocol : {NX_L4_SCTP, NX_L4_TCP, NX_L4_UDP}) {
    std::vector<std::uint16_t> numbers;
    for (const PortMapping& mapping : ports.mappings)
      if (mapping.protocol == protocol) numbers.push_back(mapping.host_port);
    for (std::size_t i = 0; i < numbers.size(); i += kMultiport)
      nat.Add("CNI-HOSTPORT-DNAT",
              fmt::format("-p {} -m comment --comment \"dnat name: \\\"cbr0\\\" id: \\\"{}\\\"\" "
                          "-m multiport --dports {} -j {}",
                          NameOf(protocol), ports.container,
                          fmt::join(numbers.begin() + static_cast<std::ptrdiff_t>(i),
                                    numbers.begin() + static_cast<std::ptrdiff_t>(
                                                          std::min(i + kMultiport, numbers.size())),
                                    ","),
                          ChainOf("CNI-DN-", ports)));
  }
}

// fillDnatRules: what is to be masqueraded, then the translation.
void AddMapping(Table& nat, const HostPorts& ports, const PortMapping& mapping, Family family,
                const std::string& mark) {
  const std::string chain = ChainOf("CNI-DN-", ports);
  const Prefix& net = *NetOf(ports, family);
  const std::string match =
      fmt::format("-p {} --dport {}{}", NameOf(mapping.protocol), mapping.host_port, At(mapping));
  if (ports.snat) {
    nat.Add(chain, fmt::format("-s {} {} -j {}",
                               ports.masq_all ? All(family) : net.WithoutHostBits().ToString(),
                               match, mark));
    if (family == Family::kIpv4 && !ports.masq_all)
      nat.Add(chain, fmt::format("-s 127.0.0.1/32 {} -j {}", match, mark));
  }
  nat.Add(chain, fmt::format("{} -j DNAT --to-destination {}", match,
                             To(net.address, mapping.container_port)));
}

void AddPortmap(Table& nat, const Config& config, Family family) {
  if (config.host_ports.empty()) return;
  nat.Chain("CNI-HOSTPORT-DNAT");
  for (const char* chain : {"PREROUTING", "OUTPUT"})
    nat.Add(chain, "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT");
  for (const HostPorts& ports : config.host_ports) {
    if (NetOf(ports, family) == nullptr) continue;
    nat.Chain(ChainOf("CNI-DN-", ports));
    AddEntries(nat, ports);
    for (const PortMapping& mapping : ports.mappings)
      if (IsOf(mapping, family))
        AddMapping(nat, ports, mapping, family,
                   TakesKubeProxysMark(config) ? "KUBE-MARK-MASQ" : "CNI-HOSTPORT-SETMARK");
  }
}

// setPerPortNAT
void AddPublished(Table& nat, const model::Docker& docker, const std::string& bridge,
                  const Address& address, const PortMapping& port) {
  const bool v6 = address.family() == Family::kIpv6;
  nat.Add("DOCKER", fmt::format("{}{}-p {}{} --dport {} -j DNAT --to-destination {}",
                                docker.userland_proxy ? fmt::format("! -i {} ", bridge) : "",
                                v6 ? "! -s fe80::/10 " : "", NameOf(port.protocol), At(port),
                                port.host_port, To(address, port.container_port)));
}

void AddDocker(Table& nat, const Config& config, Family family) {
  if (config.docker.bridges.empty()) return;
  const char* loopback = family == Family::kIpv4 ? "127.0.0.0/8" : "::1/128";
  nat.Chain("DOCKER")
      .Add("PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER")
      .Add("OUTPUT",
           fmt::format("{}-m addrtype --dst-type LOCAL -j DOCKER",
                       config.docker.userland_proxy ? fmt::format("! -d {} ", loopback) : ""));
  if (config.docker.bridges_return)
    for (const model::DockerBridge& bridge : config.docker.bridges)
      nat.Add("DOCKER", fmt::format("-i {} -j RETURN", bridge.name));
  for (const model::DockerBridge& bridge : config.docker.bridges)
    for (const model::DockerContainer& container : bridge.containers)
      if (const auto address = model::FirstOf(container.addresses, family))
        for (const PortMapping& port : container.ports)
          if (IsOf(port, family)) AddPublished(nat, config.docker, bridge.name, *address, port);
}

void AddBridge(Table& nat, const model::Docker& docker, const model::DockerBridge& bridge,
               Family family) {
  if (!docker.userland_proxy)
    nat.Add("POSTROUTING",
            fmt::format("-o {} -m addrtype --src-type LOCAL -j MASQUERADE", bridge.name));
  for (const Prefix& subnet : bridge.subnets)
    if (subnet.family() == family)
      nat.Add("POSTROUTING",
              fmt::format("-s {} ! -o {} -j MASQUERADE", subnet.ToString(), bridge.name));
  if (docker.userland_proxy) return;
  for (const model::DockerContainer& container : bridge.containers)
    if (const auto address = model::FirstOf(container.addresses, family))
      for (const PortMapping& port : container.ports)
        if (IsOf(port, family))
          nat.Add("POSTROUTING",
                  fmt::format("-s {0} -d {0} -p {1} --dport {2} -j MASQUERADE", address->ToString(),
                              NameOf(port.protocol), port.container_port));
}

// DOCKER's ACCEPT of what is published, which each shape has.
void AddAccepted(Table& filter, const model::DockerBridge& bridge, Family family) {
  for (const model::DockerContainer& container : bridge.containers)
    if (const auto address = model::FirstOf(container.addresses, family))
      for (const PortMapping& port : container.ports)
        if (IsOf(port, family))
          filter.Add("DOCKER", fmt::format("-d {0} ! -i {1} -o {1} -p {2} --dport {3} -j ACCEPT",
                                           address->ToString(), bridge.name, NameOf(port.protocol),
                                           port.container_port));
}

void AddFilterOf28(Table& filter, const std::vector<model::DockerBridge>& bridges, Family family) {
  for (const char* chain :
       {"DOCKER", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-FORWARD", "DOCKER-INTERNAL", "DOCKER-USER"})
    filter.Chain(chain);
  for (const char* chain : {"DOCKER-USER", "DOCKER-FORWARD"})
    filter.Add("FORWARD", fmt::format("-j {}", chain));
  for (const char* chain : {"DOCKER-CT", "DOCKER-INTERNAL", "DOCKER-BRIDGE"})
    filter.Add("DOCKER-FORWARD", fmt::format("-j {}", chain));
  for (const model::DockerBridge& bridge : bridges) AddAccepted(filter, bridge, family);
  for (const model::DockerBridge& bridge : bridges)
    filter.Add("DOCKER", fmt::format("! -i {0} -o {0} -j DROP", bridge.name))
        .Add("DOCKER-BRIDGE", fmt::format("-o {} -j DOCKER", bridge.name))
        .Add("DOCKER-CT",
             fmt::format("-o {} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", bridge.name))
        .Add("DOCKER-FORWARD", fmt::format("-i {} -j ACCEPT", bridge.name));
}

void AddFilterOf27(Table& filter, const std::vector<model::DockerBridge>& bridges, Family family) {
  const std::string one = "DOCKER-ISOLATION-STAGE-1", two = "DOCKER-ISOLATION-STAGE-2";
  for (const std::string& chain : {std::string("DOCKER"), one, two, std::string("DOCKER-USER")})
    filter.Chain(chain);
  filter.Add("FORWARD", "-j DOCKER-USER").Add("FORWARD", "-j " + one);
  for (const model::DockerBridge& bridge : bridges) {
    const std::string& name = bridge.name;
    filter
        .Add("FORWARD",
             fmt::format("-o {} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", name))
        .Add("FORWARD", fmt::format("-o {} -j DOCKER", name))
        .Add("FORWARD", fmt::format("-i {0} ! -o {0} -j ACCEPT", name))
        .Add("FORWARD", fmt::format("-i {0} -o {0} -j ACCEPT", name))
        .Add(one, fmt::format("-i {0} ! -o {0} -j {1}", name, two))
        .Add(two, fmt::format("-o {} -j DROP", name));
    AddAccepted(filter, bridge, family);
  }
  for (const std::string& chain : {one, two, std::string("DOCKER-USER")})
    filter.Add(chain, "-j RETURN");
}

}  // namespace

void AddHostPortMasquerade(Table& nat, const Config& config, Family family) {
  for (const model::DockerBridge& bridge : config.docker.bridges)
    AddBridge(nat, config.docker, bridge, family);
  if (std::ranges::none_of(config.host_ports, &HostPorts::snat) || TakesKubeProxysMark(config))
    return;
  nat.Chain("CNI-HOSTPORT-MASQ")
      .Chain("CNI-HOSTPORT-SETMARK")
      .Add("POSTROUTING",
           "-m comment --comment \"CNI portfwd requiring masquerade\" -j CNI-HOSTPORT-MASQ")
      .Add("CNI-HOSTPORT-MASQ", fmt::format("-m mark --mark {} -j MASQUERADE", kMark))
      .Add("CNI-HOSTPORT-SETMARK",
           fmt::format("-m comment --comment \"CNI portfwd masquerade mark\" "
                       "-j MARK --set-xmark {}",
                       kMark));
}

void AddHostPortDnat(Table& nat, const Config& config, Family family) {
  AddPortmap(nat, config, family);
  AddDocker(nat, config, family);
}

void AddDockerFilter(Table& filter, const Config& config, Family family) {
  if (config.docker.bridges.empty()) return;
  if (config.docker.filter == model::DockerFilter::kClosed)
    AddFilterOf28(filter, config.docker.bridges, family);
  else if (config.docker.filter == model::DockerFilter::kIsolated)
    AddFilterOf27(filter, config.docker.bridges, family);
}

// filterDirectAccess
std::string RawText(const Config& config, Family family) {
  Table raw("raw", family);
  for (const char* chain : {"PREROUTING", "OUTPUT"}) raw.Policy(chain);
  if (config.docker.direct_access) return raw.Text();
  for (const model::DockerBridge& bridge : config.docker.bridges)
    for (const model::DockerContainer& container : bridge.containers)
      if (const auto address = model::FirstOf(container.addresses, family))
        raw.Add("PREROUTING",
                fmt::format("-d {} ! -i {} -j DROP", address->ToString(), bridge.name));
  return raw.Text();
}

void AddIpMasq(Table& nat, const Config& config, Family family) {
  for (const HostPorts& ports : config.host_ports) {
    const Prefix* net = NetOf(ports, family);
    if (!ports.ip_masq || net == nullptr) continue;
    const std::string chain = ChainOf("CNI-", ports);
    nat.Chain(chain)
        .Add("POSTROUTING", fmt::format("-s {} -j {}", net->address.ToString(), chain))
        .Add(chain, fmt::format("-d {} -j ACCEPT", net->WithoutHostBits().ToString()))
        .Add(chain, fmt::format("! -d {} -j MASQUERADE",
                                family == Family::kIpv4 ? "224.0.0.0/4" : "ff00::/8"));
  }
}

}  // namespace natrix::oracle
