// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>

#include "userspace/config/keys.h"
#include "userspace/model/config.h"

// Words of `kubeProxy`, `services`, `hostPorts` and `docker` one at a time, for the tests of the
// table.
namespace natrix::config {

inline std::string ShowServices(const model::Config& c) {
  std::string out = c.node.zone;
  const auto list = [&](const auto& values) {
    for (const auto& value : values) out += value.ToString() + ",";
    out += "|";
  };
  const model::KubeProxy& p = c.kube_proxy;
  out += fmt::format("|{} {} {} {} {} {}|", static_cast<int>(p.detect), p.device, p.masquerade_all,
                     p.localhost_node_ports, static_cast<int>(p.socket_lb),
                     static_cast<int>(p.invalid));
  list(p.cluster_cidrs);
  list(p.node_port_addresses);
  for (const model::Service& s : c.services) {
    out += fmt::format("{}/{} {} {} {} {} {}|", s.name_space, s.name,
                       static_cast<int>(s.external_policy), static_cast<int>(s.internal_policy),
                       s.affinity_seconds.value_or(0), static_cast<int>(s.load_balancing),
                       s.health_check_node_port);
    list(s.cluster_ips);
    list(s.external_ips);
    list(s.load_balancer_ips);
    list(s.load_balancer_source_ranges);
    for (std::size_t i = 0; i < s.ports.size(); ++i) {
      out += fmt::format("{} {} {} {}:", s.ports[i].name, static_cast<int>(s.ports[i].protocol),
                         s.ports[i].port, s.ports[i].node_port);
      for (const model::ServiceEndpoint& e : s.endpoints[i]) {
        out += fmt::format("{} {} {} {} {} {} ", e.port, e.node_name, e.ready, e.serving,
                           e.terminating, fmt::join(e.zones, "+"));
        list(e.addresses);
      }
    }
  }
  return out;
}

inline std::string ShowMappings(const std::vector<model::PortMapping>& mappings) {
  std::string out;
  for (const model::PortMapping& m : mappings)
    out += fmt::format("{} {} {} {};", m.host_ip ? m.host_ip->ToString() : "", m.host_port,
                       m.container_port, static_cast<int>(m.protocol));
  return out + "|";
}

inline std::string ShowHostPorts(const model::Config& c) {
  std::string out = fmt::format("{:x} {} {} {} {}|", c.marks.host_port, c.docker.userland_proxy,
                                c.docker.direct_access, c.docker.bridges_return,
                                static_cast<int>(c.docker.filter));
  const auto list = [&](const auto& values) {
    for (const auto& value : values) out += value.ToString() + ",";
    out += "|";
  };
  for (const model::HostPorts& p : c.host_ports) {
    out += fmt::format("{} {} {} {} ", p.container, p.snat, p.masq_all, p.ip_masq);
    list(p.addresses);
    out += ShowMappings(p.mappings);
  }
  for (const model::DockerBridge& b : c.docker.bridges) {
    out += b.name + " ";
    list(b.subnets);
    for (const model::DockerContainer& d : b.containers) {
      out += d.name + " ";
      list(d.addresses);
      out += ShowMappings(d.ports);
    }
  }
  return out;
}

inline bool IsServiceWord(const Key& key) {
  return key.path.starts_with("hostPorts") || key.path.starts_with("docker") ||
         key.path.starts_with("kubeProxy") || key.path.starts_with("services") ||
         key.path == "node.zone" || key.path == "node.podCIDRs";
}

// The words under `parent` that have a value, or something under them that has.
inline std::string WordsUnder(const std::string& parent,
                              const std::map<std::string, std::string>& values) {
  std::string out;
  for (const Key* key : KeysUnder(parent)) {
    const auto value = values.find(key->path);
    const std::string under = key->path + (key->type == Type::kMaps ? "[]" : "");
    const auto below = values.lower_bound(under + ".");
    if (value == values.end() && (below == values.end() || !below->first.starts_with(under + ".")))
      continue;
    const std::string words = value == values.end() ? WordsUnder(under, values) : "";
    out += out.empty() ? "" : ", ";
    out += fmt::format("{}: ", key->name());
    out += value != values.end()      ? value->second
           : key->type == Type::kMaps ? "[{" + words + "}]"
                                      : "{" + words + "}";
  }
  return out;
}

// A whole configuration in which the word has this value; "" leaves it out, or where that cannot
// be gives it another.
inline std::string WithServiceWord(const Key& key, const std::string& value) {
  const std::string& path = key.path;
  std::map<std::string, std::string> values = {
      {"node.name", "n1"}, {"node.uplinks", "[eth9]"}, {"node.podDevices", "[\"*\"]"}};
  if (path.starts_with("services[]"))
    values.insert({{"services[].name", "zz"},
                   {"services[].clusterIPs", "[10.99.0.1]"},
                   {"services[].ports[].port", "81"}});
  if (path.starts_with("services[].endpoints[]"))
    values.insert({{"services[].endpoints[].addresses", "[10.98.0.1]"},
                   {"services[].endpoints[].port", "82"}});
  if (path.starts_with("hostPorts[]"))
    values.insert({{"hostPorts[].container", "zz"},
                   {"hostPorts[].addresses", "[10.99.0.5/16]"},
                   {"hostPorts[].mappings[].hostPort", "81"},
                   {"hostPorts[].mappings[].containerPort", "82"}});
  if (path == "hostPorts[].mappings") values[path] = "[{hostPort: 81, containerPort: 83}]";
  if (path.starts_with("docker.bridges[]"))
    values.insert(
        {{"docker.bridges[].name", "br9"}, {"docker.bridges[].subnets", "[172.16.0.0/15]"}});
  if (path.starts_with("docker.bridges[].containers[]"))
    values.insert({{"docker.bridges[].containers[].name", "zz"},
                   {"docker.bridges[].containers[].addresses", "[172.17.0.9]"}});
  if (path.starts_with("docker.bridges[].containers[].ports[]"))
    values.insert({{"docker.bridges[].containers[].ports[].hostPort", "81"},
                   {"docker.bridges[].containers[].ports[].containerPort", "82"}});
  if (path.ends_with("timeoutSeconds")) values["services[].sessionAffinity"] = "ClientIP";
  if (path.ends_with("healthCheckNodePort")) values["services[].externalTrafficPolicy"] = "Local";
  if (path.ends_with("portName")) {
    values["services[].ports"] = "[{port: 81, name: http}, {port: 83, name: other}]";
    values[path] = "other";
  }
  if (path.ends_with("forZones[].name")) values[path] = "zz";
  if (path.ends_with("podCIDRs")) {
    values["kubeProxy.detectLocalMode"] = "NodeCIDR";
    values[path] = "[10.97.0.0/24]";
  }
  if (path.ends_with("detectLocalMode")) {
    values["kubeProxy.clusterCIDR"] = "10.96.0.0/16";
    values["kubeProxy.detectLocal.bridgeInterface"] = "br9";
  }
  if (path.starts_with("kubeProxy.detectLocal.")) {
    values["kubeProxy.detectLocalMode"] =
        path.ends_with("bridgeInterface") ? "BridgeInterface" : "InterfaceNamePrefix";
    values[path] = "zz";
  }
  if (!value.empty()) values[path] = value;
  return "{" + WordsUnder("", values) + "}\n";
}

}  // namespace natrix::config
