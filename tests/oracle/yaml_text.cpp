// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "tests/oracle/rules.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Config;
using model::Prefix;
using model::Subnet;

// ["a", "b"]: quoted, since an IPv6 prefix is full of colons.
template <typename Range, typename ToText>
std::string YamlList(const Range& range, ToText to_text) {
  std::vector<std::string> items;
  for (const auto& item : range) items.push_back('"' + to_text(item) + '"');
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string GatewayText(const Subnet& subnet) {
  std::vector<std::string> nodes;
  for (const model::GatewayNode& node : subnet.gateway_nodes)
    nodes.push_back(node.egress ? node.name + ":" + node.egress->ToString() : node.name);
  std::string text;
  if (!nodes.empty()) text += fmt::format("    gatewayNode: \"{}\"\n", fmt::join(nodes, ","));
  if (subnet.enable_ecmp) text += "    enableEcmp: true\n";
  if (!subnet.activate_gateway.empty())
    text += fmt::format("    activateGateway: {}\n", subnet.activate_gateway);
  return text;
}

std::string PolicyText(const Subnet& subnet) {
  std::string text = subnet.policies.empty() ? "" : "    natOutgoingPolicyRules:\n";
  for (const model::PolicyRule& rule : subnet.policies) {
    std::vector<std::string> match;
    if (!rule.src_ips.empty()) match.push_back(fmt::format("srcIPs: \"{}\"", rule.src_ips));
    if (!rule.dst_ips.empty()) match.push_back(fmt::format("dstIPs: \"{}\"", rule.dst_ips));
    text += fmt::format("      - {{match: {{{}}}, action: {}}}\n", fmt::join(match, ", "),
                        rule.action == model::PolicyAction::kNat ? "nat" : "forward");
  }
  return text;
}

std::string SubnetText(const Subnet& subnet) {
  std::string text = fmt::format(
      "  - name: {}\n    cidrs: {}\n    gatewayType: {}\n    natOutgoing: {}\n", subnet.name,
      YamlList(subnet.cidrs, [](const Prefix& p) { return p.ToString(); }),
      subnet.gateway_type == model::GatewayType::kDistributed ? "distributed" : "centralized",
      subnet.nat_outgoing);
  if (subnet.vpc != Subnet().vpc) text += fmt::format("    vpc: {}\n", subnet.vpc);
  if (!subnet.vlan.empty()) text += fmt::format("    vlan: {}\n", subnet.vlan);
  if (subnet.logical_gateway) text += "    logicalGateway: true\n";
  return text + GatewayText(subnet) + PolicyText(subnet);
}

std::string IpvsText(const model::Ipvs& ipvs) {
  const auto service = [](const model::ServicePort& port) {
    return fmt::format("{},{}:{}", port.address.ToString(),
                       port.protocol == NX_L4_TCP   ? "tcp"
                       : port.protocol == NX_L4_UDP ? "udp"
                                                    : "sctp",
                       port.port);
  };
  const auto range = [](const model::PortRange& ports) {
    return ports.first == ports.last ? fmt::to_string(ports.first)
                                     : fmt::format("{}-{}", ports.first, ports.last);
  };
  const auto loop = [&](const model::LoopBack& loop_back) {
    return service(loop_back.endpoint) + "," + loop_back.source.ToString();
  };
  std::string text = "ipvs:\n";
  const auto add = [&](const char* word, const auto& list, const auto& to_text) {
    if (!list.empty()) text += fmt::format("  {}: {}\n", word, YamlList(list, to_text));
  };
  text += fmt::format("  clusterIPs: {}\n", YamlList(ipvs.cluster_ips, service));
  add("externalIPs", ipvs.external_ips, service);
  add("localExternalIPs", ipvs.local_external_ips, service);
  add("loadBalancerIPs", ipvs.load_balancer_ips, service);
  add("localLoadBalancerIPs", ipvs.local_load_balancer_ips, service);
  add("nodePortsTCP", ipvs.node_ports_tcp, range);
  add("nodePortsUDP", ipvs.node_ports_udp, range);
  add("nodePortsSCTP", ipvs.node_ports_sctp, service);
  add("localNodePortsTCP", ipvs.local_ports_tcp, range);
  add("localNodePortsUDP", ipvs.local_ports_udp, range);
  add("localNodePortsSCTP", ipvs.local_ports_sctp, service);
  add("loadBalancerFirewall", ipvs.load_balancer_firewall, service);
  add("loadBalancerSourceCIDRs", ipvs.source_cidrs, [&](const model::SourceRange& allowed) {
    return service(allowed.called) + "," + allowed.source.ToString();
  });
  add("loadBalancerSourceIPs", ipvs.source_ips, loop);
  if (ipvs.firewall_by == model::FirewallBy::kMark) text += "  loadBalancerFirewallBy: mark\n";
  add("loopBack", ipvs.loop_back, loop);
  add("ips", ipvs.ips, [](const Address& ip) { return ip.ToString(); });
  add("healthCheckNodePorts", ipvs.health_check_ports, range);
  return text;
}

std::string ProbeText(const model::Tproxy& tproxy) {
  std::string text =
      fmt::format("tproxy:\n  onPort: {}\n  onIP: {}\n  probes:\n", tproxy.on_port,
                  YamlList(tproxy.on_ip, [](const Address& a) { return a.ToString(); }));
  for (const model::Probe& probe : tproxy.probes)
    text += fmt::format("    - {{podIP: \"{}\", port: {}}}\n", probe.pod_ip.ToString(), probe.port);
  return text;
}

std::string KubeProxyText(const model::KubeProxy& proxy) {
  const auto prefix = [](const Prefix& p) { return p.ToString(); };
  std::vector<std::string> cidrs;
  for (const Prefix& cidr : proxy.cluster_cidrs) cidrs.push_back(cidr.ToString());
  std::string text = "kubeProxy:\n";
  switch (proxy.detect) {
    case model::DetectLocal::kNone:
      break;
    case model::DetectLocal::kClusterCidr:
      text += fmt::format("  clusterCIDR: \"{}\"\n  detectLocalMode: ClusterCIDR\n",
                          fmt::join(cidrs, ","));
      break;
    case model::DetectLocal::kBridgeInterface:
      text += fmt::format(
          "  detectLocalMode: BridgeInterface\n  detectLocal: {{bridgeInterface: {}}}\n",
          proxy.device);
      break;
    case model::DetectLocal::kInterfaceNamePrefix:
      text += fmt::format(
          "  detectLocalMode: InterfaceNamePrefix\n  detectLocal: {{interfaceNamePrefix: {}}}\n",
          proxy.device);
      break;
  }
  return text + fmt::format(
                    "  nodePortAddresses: {}\n"
                    "  invalid: {}\n"
                    "  iptables: {{masqueradeAll: {}, localhostNodePorts: {}}}\n",
                    YamlList(proxy.node_port_addresses, prefix),
                    proxy.invalid == model::Invalid::kDrop ? "drop" : "pass", proxy.masquerade_all,
                    proxy.localhost_node_ports);
}

std::string EndpointText(const model::ServiceEndpoint& endpoint, const std::string& port_name) {
  std::string text =
      fmt::format("      - {{addresses: {}, port: {}, ready: {}, serving: {}, terminating: {}",
                  YamlList(endpoint.addresses, [](const Address& a) { return a.ToString(); }),
                  endpoint.port, endpoint.ready, endpoint.serving, endpoint.terminating);
  if (!port_name.empty()) text += ", portName: " + port_name;
  if (!endpoint.node_name.empty()) text += ", nodeName: " + endpoint.node_name;
  std::vector<std::string> zones;
  for (const std::string& zone : endpoint.zones) zones.push_back("{name: " + zone + "}");
  if (!zones.empty()) text += fmt::format(", hints: {{forZones: [{}]}}", fmt::join(zones, ", "));
  return text + "}\n";
}

std::string PortText(const model::PortOfService& port) {
  const char* protocol = port.protocol == NX_L4_TCP   ? "TCP"
                         : port.protocol == NX_L4_UDP ? "UDP"
                                                      : "SCTP";
  std::string text = fmt::format("      - {{protocol: {}, port: {}", protocol, port.port);
  if (!port.name.empty()) text += ", name: " + port.name;
  if (port.node_port != 0) text += fmt::format(", nodePort: {}", port.node_port);
  return text + "}\n";
}

// Endpoints have a portName if there are several ports; a Service has no word of what is default.
std::string ServiceText(const model::Service& service) {
  const auto address = [](const Address& a) { return a.ToString(); };
  const auto policy = [](model::TrafficPolicy value) {
    return value == model::TrafficPolicy::kLocal ? "Local" : "Cluster";
  };
  std::string text =
      fmt::format("  - name: {}\n    namespace: {}\n    clusterIPs: {}\n", service.name,
                  service.name_space, YamlList(service.cluster_ips, address));
  if (!service.external_ips.empty())
    text += fmt::format("    externalIPs: {}\n", YamlList(service.external_ips, address));
  if (!service.load_balancer_ips.empty())
    text += fmt::format("    loadBalancerIPs: {}\n", YamlList(service.load_balancer_ips, address));
  if (!service.load_balancer_source_ranges.empty())
    text += fmt::format("    loadBalancerSourceRanges: {}\n",
                        YamlList(service.load_balancer_source_ranges,
                                 [](const Prefix& p) { return p.ToString(); }));
  text += fmt::format("    externalTrafficPolicy: {}\n    internalTrafficPolicy: {}\n",
                      policy(service.external_policy), policy(service.internal_policy));
  if (service.affinity_seconds)
    text += fmt::format(
        "    sessionAffinity: ClientIP\n"
        "    sessionAffinityConfig: {{clientIP: {{timeoutSeconds: {}}}}}\n",
        *service.affinity_seconds);
  if (service.health_check_node_port != 0)
    text += fmt::format("    healthCheckNodePort: {}\n", service.health_check_node_port);
  text += "    ports:\n";
  for (const model::PortOfService& port : service.ports) text += PortText(port);
  std::string endpoints;
  for (std::size_t i = 0; i < service.ports.size(); ++i)
    for (const model::ServiceEndpoint& endpoint : service.endpoints[i])
      endpoints += EndpointText(endpoint, service.ports.size() > 1 ? service.ports[i].name : "");
  return text + (endpoints.empty() ? "" : "    endpoints:\n") + endpoints;
}

std::string MappingText(const model::PortMapping& mapping) {
  return fmt::format(
      "{{{}hostPort: {}, containerPort: {}, protocol: {}}}",
      mapping.host_ip ? fmt::format("hostIP: \"{}\", ", mapping.host_ip->ToString()) : "",
      mapping.host_port, mapping.container_port,
      mapping.protocol == NX_L4_TCP   ? "tcp"
      : mapping.protocol == NX_L4_UDP ? "udp"
                                      : "sctp");
}

std::string MappingsText(const std::vector<model::PortMapping>& mappings) {
  std::vector<std::string> items;
  for (const model::PortMapping& mapping : mappings) items.push_back(MappingText(mapping));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string HostPortsText(const model::HostPorts& ports) {
  return fmt::format(
      "  - container: {}\n    addresses: {}\n    mappings: {}\n"
      "    snat: {}\n    masqAll: {}\n    ipMasq: {}\n",
      ports.container, YamlList(ports.addresses, [](const Prefix& p) { return p.ToString(); }),
      MappingsText(ports.mappings), ports.snat, ports.masq_all, ports.ip_masq);
}

std::string DockerText(const model::Docker& docker) {
  static constexpr const char* kFilters[] = {"none", "v27", "v28"};
  std::string text = fmt::format(
      "docker:\n  userlandProxy: {}\n  directAccess: {}\n  bridgesReturn: {}\n  filter: {}\n"
      "  bridges:\n",
      docker.userland_proxy, docker.direct_access, docker.bridges_return,
      kFilters[static_cast<int>(docker.filter)]);
  for (const model::DockerBridge& bridge : docker.bridges) {
    text += fmt::format("    - name: {}\n      subnets: {}\n      containers:{}\n", bridge.name,
                        YamlList(bridge.subnets, [](const Prefix& p) { return p.ToString(); }),
                        bridge.containers.empty() ? " []" : "");
    for (const model::DockerContainer& container : bridge.containers)
      text +=
          fmt::format("        - {{name: {}, addresses: {}, ports: {}}}\n", container.name,
                      YamlList(container.addresses, [](const Address& a) { return a.ToString(); }),
                      MappingsText(container.ports));
  }
  return text;
}

std::string CalicoText(const model::Calico& calico) {
  const auto address = [](const Address& a) { return a.ToString(); };
  const auto same = [](const std::string& text) { return text; };
  std::string text = calico.pools.empty() ? "calico:\n  ipPools: []\n" : "calico:\n  ipPools:\n";
  for (const model::IpPool& pool : calico.pools)
    text += fmt::format(
        "    - {{name: {}, cidr: \"{}\", natOutgoing: {}, disabled: {}, allowedUses: [{}]}}\n",
        pool.name, pool.cidr.ToString(), pool.nat_outgoing, pool.disabled,
        pool.load_balancer_only ? "LoadBalancer" : "Workload, Tunnel");
  if (calico.exclude_hosts) text += "  natOutgoingExclusions: IPPoolsAndHostIPs\n";
  if (!calico.hosts.empty()) text += fmt::format("  hosts: {}\n", YamlList(calico.hosts, address));
  if (calico.port_range)
    text += fmt::format("  natPortRange: \"{}:{}\"\n", calico.port_range->first,
                        calico.port_range->last);
  std::vector<std::string> nat_address;
  for (const Address& own : calico.nat_address) nat_address.push_back(own.ToString());
  if (!nat_address.empty())
    text += fmt::format("  natOutgoingAddress: \"{}\"\n", fmt::join(nat_address, ","));
  if (!calico.interface_filter.empty())
    text += fmt::format("  natOutgoingInterfaceFilter: \"{}\"\n", calico.interface_filter);
  if (!calico.tunnels.empty())
    text += fmt::format("  tunnels: {}\n", YamlList(calico.tunnels, same));
  if (calico.vxlan_port) text += fmt::format("  vxlanPort: {}\n", *calico.vxlan_port);
  if (calico.metadata)
    text += fmt::format("  metadata: {{address: {}, port: {}}}\n",
                        calico.metadata->address.ToString(), calico.metadata->port);
  return text;
}

}  // namespace

std::string YamlText(const Config& config) {
  const auto address = [](const Address& a) { return a.ToString(); };
  const auto prefix = [](const Prefix& p) { return p.ToString(); };
  const auto same = [](const std::string& text) { return text; };
  std::string text =
      fmt::format("node:\n  name: {}\n  addresses: {}\n  uplinks: {}\n  podDevices: {}\n",
                  config.node.name, YamlList(config.node.addresses, address),
                  YamlList(config.node.uplinks, same), YamlList(config.node.pod_devices, same));
  if (!config.node.zone.empty()) text += fmt::format("  zone: {}\n", config.node.zone);
  text += config.subnets.empty() ? "subnets: []\n" : "subnets:\n";
  for (const Subnet& subnet : config.subnets) text += SubnetText(subnet);
  text += fmt::format("serviceCIDRs: {}\n", YamlList(config.service_cidrs, prefix));
  text += fmt::format("otherNodes: {}\n", YamlList(config.other_nodes, address));
  if (config.policy_order == model::PolicyOrder::kFirstMatch) text += "policyOrder: first-match\n";
  if (config.orphan_drop == model::OrphanDrop::kNatOutgoing) text += "dropOrphans: nat-outgoing\n";
  if (config.ipvs) text += IpvsText(*config.ipvs);
  text += config.floating_ips.empty() ? "floatingIPs: []\n" : "floatingIPs:\n";
  for (const model::FloatingIp& fip : config.floating_ips)
    text += fmt::format("  - {{external: \"{}\", internal: \"{}\"}}\n", fip.external.ToString(),
                        fip.internal.ToString());
  if (config.calico) text += CalicoText(*config.calico);
  if (config.masquerade.port_choice == NX_PORT_KEEP) text += "masquerade: {randomFully: false}\n";
  std::vector<std::string> marks;
  if (config.marks.drop != 0) marks.push_back(fmt::format("drop: {:#x}", config.marks.drop));
  if (config.marks.host_port != model::Marks().host_port)
    marks.push_back(fmt::format("hostPort: {:#x}", config.marks.host_port));
  if (!marks.empty()) text += fmt::format("marks: {{{}}}\n", fmt::join(marks, ", "));
  if (config.kube_proxy != model::KubeProxy()) text += KubeProxyText(config.kube_proxy);
  if (!config.services.empty()) text += "services:\n";
  for (const model::Service& service : config.services) text += ServiceText(service);
  if (!config.host_ports.empty()) text += "hostPorts:\n";
  for (const model::HostPorts& ports : config.host_ports) text += HostPortsText(ports);
  if (!config.docker.bridges.empty()) text += DockerText(config.docker);
  return config.tproxy.probes.empty() ? text : text + ProbeText(config.tproxy);
}

}  // namespace natrix::oracle
