// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/decode_ipvs.h"

#include <fmt/format.h>

#include <string_view>

#include "userspace/config/choice.h"
#include "userspace/config/values.h"

namespace natrix::config {
namespace {

using model::PortRange;
using model::ServicePort;

// The lists of one mapping, and where their members are.
class Lists {
 public:
  Lists(const Mapping& map, Places::Ipvs& places) : map_(map), places_(places) {}

  std::vector<Span> Read(std::string_view word, std::vector<ServicePort>& list) {
    std::vector<Span> places;
    map_.IntoList(list, &places, word, ReadServicePort);
    for (const Span where : places) places_.members.emplace_back(where, 1);
    return places;
  }
  void Read(std::string_view word, std::vector<model::Address>& list) {
    std::vector<Span> places;
    map_.IntoList(list, &places, word, ReadAddress);
    for (const Span where : places) places_.members.emplace_back(where, 1);
  }
  void Read(std::string_view word, std::vector<PortRange>& list) {
    std::vector<Span> places;
    map_.IntoList(list, &places, word, ReadPorts);
    for (std::size_t i = 0; i < list.size(); ++i)
      places_.members.emplace_back(places[i], list[i].last - list[i].first + 1u);
  }
  // kube-proxy's rules ask these sets for SCTP only.
  void ReadSctp(std::string_view word, std::vector<ServicePort>& list) {
    const std::vector<Span> places = Read(word, list);
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list[i].protocol != NX_L4_SCTP)
        map_.diagnostics().Error(places[i], fmt::format("\"{}\" holds SCTP ports only", word),
                                 fmt::format("write `{}: {}`", word, map_.KeyOf(word).example));
  }

 private:
  const Mapping& map_;
  Places::Ipvs& places_;
};

void ReadFirewall(const Mapping& map, Lists& lists, model::Ipvs& ipvs, Places::Ipvs& places) {
  // Each has an entry of its port, and one of all its address' ports.
  for (const Span where : lists.Read("loadBalancerFirewall", ipvs.load_balancer_firewall))
    places.members.emplace_back(where, 1);
  map.IntoList(ipvs.source_cidrs, &places.sources, "loadBalancerSourceCIDRs", ReadSourceRange);
  map.IntoList(ipvs.source_ips, &places.sources, "loadBalancerSourceIPs", ReadLoopBack);
  places.firewall_by = DecodeChoice(map, "loadBalancerFirewallBy", ipvs.firewall_by);
}

}  // namespace

void DecodeIpvs(const Mapping& top, Decoded& out) {
  const auto map = top.Sub("ipvs");
  if (!map) return;
  model::Ipvs& ipvs = out.config.ipvs.emplace();
  Places::Ipvs& places = out.places.ipvs;
  Lists lists(*map, places);
  places.cluster_ips = lists.Read("clusterIPs", ipvs.cluster_ips);
  lists.Read("externalIPs", ipvs.external_ips);
  lists.Read("localExternalIPs", ipvs.local_external_ips);
  lists.Read("loadBalancerIPs", ipvs.load_balancer_ips);
  lists.Read("localLoadBalancerIPs", ipvs.local_load_balancer_ips);
  lists.Read("nodePortsTCP", ipvs.node_ports_tcp);
  lists.Read("nodePortsUDP", ipvs.node_ports_udp);
  lists.ReadSctp("nodePortsSCTP", ipvs.node_ports_sctp);
  lists.Read("localNodePortsTCP", ipvs.local_ports_tcp);
  lists.Read("localNodePortsUDP", ipvs.local_ports_udp);
  lists.ReadSctp("localNodePortsSCTP", ipvs.local_ports_sctp);
  ReadFirewall(*map, lists, ipvs, places);
  lists.Read("ips", ipvs.ips);
  lists.Read("healthCheckNodePorts", ipvs.health_check_ports);
  map->IntoList(ipvs.loop_back, &places.loop_back, "loopBack", ReadLoopBack);
}

}  // namespace natrix::config
