// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/compile.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "userspace/compile/ipvs.h"
#include "userspace/compile/jiffies.h"
#include "userspace/compile/membership.h"
#include "userspace/compile/networks.h"
#include "userspace/compile/subnets.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;

// As the wire has it.
__be16 BigEndian(std::uint16_t port) {
  return std::endian::native == std::endian::little ? __builtin_bswap16(port) : port;
}

nx_addr FirstOf(Family family, const std::vector<Address>& addresses) {
  return model::FirstOf(addresses, family).value_or(Address{}).bytes;
}

nx_detect DetectionOf(const model::KubeProxy& proxy) {
  switch (proxy.detect) {
    case model::DetectLocal::kNone:
      return NX_DETECT_NONE;
    case model::DetectLocal::kClusterCidr:
      return NX_DETECT_PREFIX;
    case model::DetectLocal::kBridgeInterface:
    case model::DetectLocal::kInterfaceNamePrefix:
      return NX_DETECT_DEVICE;
  }
  return NX_DETECT_NONE;
}

nx_sockets SocketsOf(const model::Config& config) {
  if (!model::TranslatesCalls(config)) return NX_SOCKETS_NONE;
  return config.kube_proxy.socket_lb == model::SocketLb::kAll ? NX_SOCKETS_ALL : NX_SOCKETS_NODE;
}

// Whether what comes in by it is the cluster's own.
bool IsClusters(const model::KubeProxy& proxy, const std::string& device) {
  return (proxy.detect == model::DetectLocal::kBridgeInterface && device == proxy.device) ||
         (proxy.detect == model::DetectLocal::kInterfaceNamePrefix &&
          device.starts_with(proxy.device));
}

// The wider side of the VXLAN port.
nx_port_span BesidePort(std::uint16_t port) {
  if (port - 1 > 65535 - port) return {1, static_cast<__u16>(port - 1)};
  return {static_cast<__u16>(port + 1), 65535};
}

nx_calico CalicoScalars(const model::Calico& calico) {
  nx_calico scalars{};
  scalars.nat4 = FirstOf(Family::kIpv4, calico.nat_address);
  scalars.nat6 = FirstOf(Family::kIpv6, calico.nat_address);
  if (calico.port_range) scalars.ports = {calico.port_range->first, calico.port_range->last};
  if (calico.vxlan_port) scalars.tunnel_ports = BesidePort(*calico.vxlan_port);
  scalars.present = 1;
  scalars.tunnels = !calico.tunnels.empty();
  return scalars;
}

constexpr __u8 kBothSides = NX_DEVICE_SIDE(0) | NX_DEVICE_SIDE(1);

bool IsTunnel(const model::Calico& calico, const std::string& device) {
  return std::ranges::find(calico.tunnels, device) != calico.tunnels.end();
}

void MarkForCalico(const model::Calico& calico, const std::string& device, nx_device& entry) {
  if (PassesFilter(calico, device)) entry.nat_outgoing = kBothSides;
  if (!IsTunnel(calico, device)) return;
  // Felix has the rule in the families that the tunnel has an address of.
  if (entry.addr4[0].length) entry.tunnel4 = kBothSides;
  if (entry.addr6[0].length) entry.tunnel6 = kBothSides;
}

nx_config Scalars(const model::Config& config, const model::Host& host, const Services& services) {
  nx_config scalars{};
  scalars.hz = host.hz;
  for (std::size_t state = 0; state < NX_STATE_COUNT; ++state)
    scalars.timeout[state] = Jiffies(config.timeout_seconds[state], host.hz);
  const model::Marks& marks = config.marks;
  scalars.mark_masquerade = marks.masquerade;
  scalars.mark_local = marks.local;
  scalars.mark_policy_nat = marks.policy_nat;
  scalars.mark_policy_forward = marks.policy_forward;
  scalars.mark_untrusted =
      marks.masquerade | marks.local | marks.policy_nat | marks.policy_forward | marks.drop;
  // A pod's packet must not find the way that only probes of this node take.
  if (!config.tproxy.probes.empty())
    scalars.mark_untrusted |= config.tproxy.output_mark | config.tproxy.prerouting_mark;
  scalars.ephemeral_min = host.ephemeral.first;
  scalars.ephemeral_max = host.ephemeral.last;
  scalars.node4 = FirstOf(Family::kIpv4, config.node.addresses);
  scalars.node6 = FirstOf(Family::kIpv6, config.node.addresses);
  if (config.calico) scalars.calico = CalicoScalars(*config.calico);
  scalars.calico.floating_ips = !config.floating_ips.empty();
  scalars.port_choice = config.masquerade.port_choice;
  scalars.ipvs = config.ipvs.has_value();
  scalars.loop_back = config.ipvs && !config.ipvs->loop_back.empty();
  if (config.ipvs) scalars.ranges = RangesOf(*config.ipvs);
  scalars.ipvs_filter = config.ipvs && !config.ipvs->ips.empty();
  scalars.mark_drop = marks.drop;
  scalars.ovn =
      !config.subnets.empty() || !config.service_cidrs.empty() || !config.other_nodes.empty();
  scalars.detect = DetectionOf(config.kube_proxy);
  scalars.masquerade_all = config.kube_proxy.masquerade_all;
  // portmap's chains are there once a container asks for them.
  if (model::AsksForHostPortMark(config)) {
    scalars.mark_host_port = marks.host_port;
    scalars.mark_untrusted |= marks.host_port;
  }
  scalars.networks = NetworksOf(config.docker);
  // A flow out of a container's network is told from an answer by being remembered.
  if (!config.services.empty())
    scalars.services = NX_ASK_SERVICES;
  else if (!config.host_ports.empty() || scalars.networks)
    scalars.services = NX_ASK_HOST_PORTS;
  scalars.node_ports = services.at_any_address > 0;
  scalars.localhost_node_ports = config.kube_proxy.localhost_node_ports;
  scalars.sockets = SocketsOf(config);
  // Without Services flows are not all remembered.
  scalars.drop_invalid =
      !config.services.empty() && config.kube_proxy.invalid == model::Invalid::kDrop;
  return scalars;
}

// Two externals of one pod are two entries outside; the pod calling itself leaves with the first
// one written, as the first matching rule of cali-fip-snat has it.  And who serves metadata.
Table<nx_fip_key, nx_fip> FloatingIps(const model::Config& config) {
  Table<nx_fip_key, nx_fip> table;
  for (const model::FloatingIp& floating : config.floating_ips) {
    table.emplace(nx_fip_key{floating.external.bytes, NX_FIP_EXTERNAL, {}},
                  nx_fip{.addr = floating.internal.bytes, .port = 0, .pad = {}});
    table.emplace(nx_fip_key{floating.internal.bytes, NX_FIP_INTERNAL, {}},
                  nx_fip{.addr = floating.external.bytes, .port = 0, .pad = {}});
  }
  if (config.calico && config.calico->metadata) {
    const model::Endpoint& metadata = *config.calico->metadata;
    table.emplace(
        nx_fip_key{Address::Parse(model::kMetadataAddress).value().bytes, NX_FIP_METADATA, {}},
        nx_fip{.addr = metadata.address.bytes, .port = BigEndian(metadata.port), .pad = {}});
  }
  return table;
}

Table<nx_probe_key, nx_probe> Probes(const model::Tproxy& tproxy) {
  Table<nx_probe_key, nx_probe> table;
  for (const model::Probe& probe : tproxy.probes)
    table.emplace(nx_probe_key{probe.pod_ip.bytes, BigEndian(probe.port), 0},
                  nx_probe{.proxy = FirstOf(probe.pod_ip.family(), tproxy.on_ip),
                           .proxy_port = BigEndian(tproxy.on_port),
                           .pad = 0,
                           .mark_output = tproxy.output_mark,
                           .mark_prerouting = tproxy.prerouting_mark});
  return table;
}

bool IsLinkLocal6(const Address& address) {
  return address.family() == Family::kIpv6 && address.bytes.byte[0] == 0xfe &&
         (address.bytes.byte[1] & 0xc0) == 0x80;
}

bool MayMasquerade(const model::DeviceAddress& candidate) {
  return !candidate.secondary && !candidate.deprecated && !candidate.link_scope &&
         !IsLinkLocal6(candidate.address);
}

// Appends what a device offers of a family, as far as there is room.
void Offer(nx_device_addr (&list)[NX_DEVICE_ADDRS], Family family, const model::Device& device) {
  nx_device_addr* next =
      std::find_if(std::begin(list), std::end(list), [](const auto& own) { return !own.length; });
  for (const model::DeviceAddress& candidate : device.addresses) {
    if (!MayMasquerade(candidate) || candidate.address.family() != family) continue;
    if (next == std::end(list)) return;
    next->addr = candidate.address.bytes;
    next->length = model::Prefix{candidate.address, candidate.length}.ToAbi().length;
    ++next;
  }
}

// A device without an address of its own, as those of single pods, masquerades with another
// device's: IPv4 with the first there is (inet_select_addr, net/ipv4/devinet.c), IPv6 with that of
// all which is nearest to the destination (ipv6_dev_get_saddr, net/ipv6/addrconf.c).
void Borrow(nx_device& entry, const std::vector<model::Device>& others) {
  const bool needs4 = !entry.addr4[0].length, needs6 = !entry.addr6[0].length;
  for (const model::Device& other : others) {
    if (needs4 && !entry.addr4[0].length) {
      Offer(entry.addr4, Family::kIpv4, other);
      std::fill(std::begin(entry.addr4) + 1, std::end(entry.addr4), nx_device_addr{});
    }
    if (needs6) Offer(entry.addr6, Family::kIpv6, other);
  }
}

// Whether a frame is all that a device asks for: a tunnel's that comes with the route is not in it,
// and of kinds that nobody has tried nobody knows.
bool TakesFrames(const model::Device& device) {
  if (device.link != model::Link::kEthernet) return false;
  // What leaves by a port is chosen by the device above it, anew for each packet.
  if (!device.port_of.empty() && device.port_of != "vrf") return false;
  constexpr std::array<std::string_view, 10> kKinds = {
      "", "veth", "bridge", "bond", "team", "vlan", "macvlan", "vxlan", "openvswitch", "netkit"};
  return !device.needs_metadata && std::ranges::find(kKinds, device.kind) != kKinds.end();
}

std::uint8_t WaysOf(const model::Node& node, const model::Device& device, nx_device_role role) {
  std::uint8_t ways = 0;
  if (device.link == model::Link::kBare) ways |= NX_DEVICE_BARE;
  if (TakesFrames(device)) ways |= NX_DEVICE_STRAIGHT;
  // bpf_redirect_peer() goes past the qdisc, which may be there to limit the pod (CNI's bandwidth).
  if (role == NX_DEVICE_POD && device.kind == "veth" && device.peer_elsewhere &&
      device.qdisc == "noqueue")
    ways |= NX_DEVICE_PEER;
  if (IsWithoutFastPath(node, device.name)) ways |= NX_DEVICE_NO_SHORT_CUT;
  return ways;
}

nx_device DeviceEntry(const model::Device& device, nx_device_role role, bool cluster,
                      std::uint8_t bridge) {
  nx_device entry{};
  device.name.copy(entry.name, sizeof(entry.name) - 1);
  entry.role = role;
  entry.cluster = cluster ? kBothSides : 0;
  entry.bridge[0] = entry.bridge[1] = bridge;
  Offer(entry.addr4, Family::kIpv4, device);
  Offer(entry.addr6, Family::kIpv6, device);
  return entry;
}

void Reserve(std::array<nx_port_word, NX_PORT_WORDS>& words,
             const std::vector<model::PortRange>& ranges) {
  for (const model::PortRange& range : ranges)
    for (std::uint32_t port = range.first; port <= range.last; ++port)
      words[port / 32].reserved |= 1u << (port % 32);
}

}  // namespace

Wanted Compile(const model::Config& config, const model::Host& host) {
  return Compile(config, host, {.subnets = {}, .made = {}, .services = nullptr});
}

Wanted Compile(const model::Config& config, const model::Host& host, const Previous& previous) {
  Wanted wanted;
  wanted.services = MakeServices(config, host.hz, previous.services);
  FollowHost(config, host, wanted);
  wanted.made = MakeParts(config, previous.subnets, previous.made);
  for (const auto& [name, part] : wanted.made) {  // in the order that these have, too
    wanted.subnet.emplace_hint(wanted.subnet.end(), name, part->subnet);
    wanted.policy.emplace_hint(wanted.policy.end(), name, part->policy);
    wanted.set.emplace_hint(wanted.set.end(), name, part->set);
  }
  for (const auto& [prefix, net] : Memberships(config, wanted.made))
    wanted.net.emplace(prefix.ToAbi(), net);
  wanted.set.emplace("", std::make_shared<const Table<nx_set_key, nx_set_member>>(
                             SetEntries(OtherSetsOf(config))));
  wanted.fip = FloatingIps(config);
  if (config.ipvs) {
    wanted.ports = PortSets(*config.ipvs);
    wanted.loop = LoopBacks(*config.ipvs);
    wanted.range = SourceRanges(*config.ipvs);
  }
  wanted.probe = Probes(config.tproxy);
  return wanted;
}

void FollowHost(const model::Config& config, const model::Host& host, Wanted& wanted) {
  wanted.services = WithHost(std::move(wanted.services), host);
  wanted.config = Scalars(config, host, *wanted.services);
  wanted.device.clear();
  wanted.xdp.clear();
  wanted.local.clear();
  wanted.port.fill({});
  for (const model::Device& device : host.devices) {
    if (const auto role = RoleOf(config.node, device.name);
        role && device.link != model::Link::kOther) {
      nx_device entry = DeviceEntry(device, *role, IsClusters(config.kube_proxy, device.name),
                                    BridgeOf(config.docker, device));
      entry.ways = WaysOf(config.node, device, *role);
      if (auto plan = XdpOn(config, device, *role))
        wanted.xdp.emplace(device.ifindex, *std::move(plan));
      MarkForXdp(config, device, *role, entry);
      entry.mtu = std::min<std::uint32_t>(device.mtu, UINT16_MAX);
      if (config.calico) MarkForCalico(*config.calico, device.name, entry);
      Borrow(entry, host.devices);
      wanted.device.emplace(device.ifindex, entry);
    }
    // Of several devices with one address a tunnel has it: what it sends from there is right.
    const bool tunnel = config.calico && IsTunnel(*config.calico, device.name);
    for (const model::DeviceAddress& own : device.addresses) {
      const auto entry = wanted.local.emplace(own.address.bytes, nx_local{device.ifindex}).first;
      if (tunnel) entry->second.ifindex = device.ifindex;
    }
  }
  Reserve(wanted.port, config.masquerade.reserved_ports);
  Reserve(wanted.port, host.reserved);
  for (std::size_t i = 0; i < NX_PORT_WORDS; ++i)
    wanted.port[i].reserved |= wanted.services->reserved[i].reserved;
}

}  // namespace natrix::compile
