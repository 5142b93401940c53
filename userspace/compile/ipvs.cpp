// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/ipvs.h"

#include <arpa/inet.h>

#include <vector>

namespace natrix::compile {
namespace {

// Sets by what they hold, as the map has them.
class Members {
 public:
  void Add(nx_port_sets set, const std::vector<model::ServicePort>& services) {
    for (const auto& [address, protocol, port] : services) Add(set, address.bytes, protocol, port);
  }
  void Add(nx_port_sets set, nx_l4 protocol, const std::vector<model::PortRange>& ranges) {
    for (const model::PortRange& range : ranges)
      for (std::uint32_t port = range.first; port <= range.last; ++port)
        Add(set, {}, protocol, static_cast<std::uint16_t>(port));
  }
  // Of a packet whose port cannot be told: whether one of the address' may be called by some only.
  // A member of KUBE-IPVS-IPS has none at all.
  void AddAnyPort(nx_port_sets set, const std::vector<model::ServicePort>& services) {
    for (const model::ServicePort& service : services) Add(set, service.address.bytes, {}, 0);
  }
  void AddAnyPort(nx_port_sets set, const std::vector<model::Address>& addresses) {
    for (const model::Address& address : addresses) Add(set, address.bytes, {}, 0);
  }
  Table<nx_port_key, nx_port_member> Take() { return std::move(table_); }

 private:
  void Add(nx_port_sets set, const nx_addr& address, nx_l4 protocol, std::uint16_t port) {
    nx_port_sets& sets = table_[{address, htons(port), protocol, 0}].sets;
    sets = static_cast<nx_port_sets>(sets | set);
  }

  Table<nx_port_key, nx_port_member> table_;
};

}  // namespace

Table<nx_port_key, nx_port_member> PortSets(const model::Ipvs& ipvs) {
  Members members;
  members.Add(NX_IN_CLUSTER_IP, ipvs.cluster_ips);
  members.Add(NX_IN_EXTERNAL_IP, ipvs.external_ips);
  members.Add(NX_IN_EXTERNAL_IP_LOCAL, ipvs.local_external_ips);
  members.Add(NX_IN_LOAD_BALANCER, ipvs.load_balancer_ips);
  members.Add(NX_IN_LOAD_BALANCER_LOCAL, ipvs.local_load_balancer_ips);
  members.Add(NX_IN_NODE_PORT, NX_L4_TCP, ipvs.node_ports_tcp);
  members.Add(NX_IN_NODE_PORT, NX_L4_UDP, ipvs.node_ports_udp);
  members.Add(NX_IN_NODE_PORT, ipvs.node_ports_sctp);
  members.Add(NX_IN_NODE_PORT_LOCAL, NX_L4_TCP, ipvs.local_ports_tcp);
  members.Add(NX_IN_NODE_PORT_LOCAL, NX_L4_UDP, ipvs.local_ports_udp);
  members.Add(NX_IN_NODE_PORT_LOCAL, ipvs.local_ports_sctp);
  members.Add(NX_IN_LOAD_BALANCER_FW, ipvs.load_balancer_firewall);
  members.AddAnyPort(NX_IN_LOAD_BALANCER_FW, ipvs.load_balancer_firewall);
  members.AddAnyPort(NX_IN_IPVS_IPS, ipvs.ips);
  members.Add(NX_IN_HEALTH_CHECK_NODE_PORT, NX_L4_TCP, ipvs.health_check_ports);
  return members.Take();
}

Table<nx_loop_key, nx_loop> LoopBacks(const model::Ipvs& ipvs) {
  Table<nx_loop_key, nx_loop> table;
  for (const auto& [endpoint, source] : ipvs.loop_back)
    table.emplace(nx_loop_key{endpoint.address.bytes, source.bytes, htons(endpoint.port),
                              endpoint.protocol, 0},
                  nx_loop{1});
  return table;
}

Table<nx_range_key, nx_range> SourceRanges(const model::Ipvs& ipvs) {
  Table<nx_range_key, nx_range> table;
  const auto add = [&](nx_range_set set, const model::ServicePort& called,
                       const model::Prefix& source) {
    const nx_prefix abi = source.ToAbi();
    table.emplace(nx_range_key{.length = NX_RANGE_KEY_BITS + abi.length,
                               .dst = called.address.bytes,
                               .port = htons(called.port),
                               .proto = called.protocol,
                               .set = set,
                               .src = abi.addr},
                  nx_range{1});
  };
  for (const auto& [called, source] : ipvs.source_cidrs) add(NX_RANGE_CIDR, called, source);
  for (const auto& [called, source] : ipvs.source_ips)
    add(NX_RANGE_IP, called, model::Prefix::Of(source));
  return table;
}

nx_ranges RangesOf(const model::Ipvs& ipvs) {
  if (ipvs.load_balancer_firewall.empty()) return NX_RANGES_NONE;
  return ipvs.firewall_by == model::FirewallBy::kMark ? NX_RANGES_MARK : NX_RANGES_FILTER;
}

}  // namespace natrix::compile
