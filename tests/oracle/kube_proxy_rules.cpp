// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/kube_proxy_rules.h"

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/oracle/kube_proxy_services.h"
#include "tests/oracle/scene.h"

namespace natrix::oracle {
namespace {

constexpr char kMarkMasquerade[] = "KUBE-MARK-MASQ";

std::string Comment(std::string_view text) {
  return fmt::format("-m comment --comment \"{}\"", text);
}

std::string Jump(std::string_view why, std::string_view match, std::string_view chain) {
  return fmt::format("{}{}{} -j {}", Comment(why), match.empty() ? "" : " ", match, chain);
}

// GetNodeIPs: the node's addresses (scene.h) that --nodeport-addresses names.
std::vector<std::string> NodePortAddresses(const model::KubeProxy& proxy, Family family) {
  const Cast& cast = CastOf(family);
  std::vector<std::string> found;
  for (const std::string& text : {cast.node, cast.node_second, cast.join}) {
    const model::Address address = model::Address::Parse(text).value();
    for (const model::Prefix& prefix : proxy.node_port_addresses)
      if (prefix.Contains(address) && (found.empty() || found.back() != text))
        found.push_back(text);
  }
  return found;
}

// NewNodePortAddresses: a family that none is written for, and one with /0, has them all.
bool AllAddresses(const model::KubeProxy& proxy, Family family) {
  bool none = true;
  for (const model::Prefix& prefix : proxy.node_port_addresses) {
    if (prefix.family() != family) continue;
    if (prefix.length == 0) return true;
    none = false;
  }
  return none;
}

// The chains and rules of one port of one Service.
class PortRules {
 public:
  PortRules(Table& nat, const model::KubeProxy& proxy, const ProxyPort& port,
            const std::string& detector)
      : nat_(nat), proxy_(proxy), port_(port), detector_(detector) {}

  void AddChains() {
    if (uses_cluster()) nat_.Chain(Named("SVC"));
    if (uses_local()) nat_.Chain(Named("SVL"));
    if (uses_external()) nat_.Chain(Named("EXT"));
    if (uses_firewall()) nat_.Chain(Named("FW"));
    for (const ProxyEndpoint& endpoint : port_.reachable) nat_.Chain(endpoint.chain);
  }

  void AddRules() {
    AddDispatch();
    AddInternal();
    if (uses_external()) AddExternal();
    if (uses_firewall()) AddFirewall();
    if (uses_cluster()) AddChoice(Named("SVC"), port_.cluster);
    if (uses_local()) AddChoice(Named("SVL"), port_.local);
    for (const ProxyEndpoint& endpoint : port_.reachable) AddEndpoint(endpoint);
  }

 private:
  bool uses_cluster() const { return !port_.cluster.empty(); }
  bool uses_local() const { return !port_.local.empty(); }
  bool uses_external() const { return port_.has_endpoints && port_.IsExternal(); }
  bool uses_firewall() const {
    return port_.has_endpoints && !port_.load_balancer_ips.empty() && !port_.source_ranges.empty();
  }
  bool has_internal() const {
    return port_.has_endpoints && (!port_.internal_local || uses_local());
  }
  bool has_external() const {
    return port_.has_endpoints && (!port_.external_local || uses_local());
  }
  std::string Named(std::string_view kind) const {
    return fmt::format("KUBE-{}-{}", kind, port_.hash);
  }
  std::string internal_chain() const { return Named(port_.internal_local ? "SVL" : "SVC"); }
  std::string To(const std::string& address) const {
    return fmt::format("-m {0} -p {0} -d {1} --dport {2}", port_.protocol, address, port_.port);
  }
  std::string About(std::string_view what) const { return port_.name + " " + std::string(what); }

  void AddDispatch() {
    if (has_internal())
      nat_.Add("KUBE-SERVICES", Jump(About("cluster IP"), To(port_.cluster_ip), internal_chain()));
    if (!port_.has_endpoints) return;
    for (const std::string& address : port_.external_ips)
      nat_.Add("KUBE-SERVICES", Jump(About("external IP"), To(address), Named("EXT")));
    for (const std::string& address : port_.load_balancer_ips)
      nat_.Add("KUBE-SERVICES",
               Jump(About("loadbalancer IP"), To(address), Named(uses_firewall() ? "FW" : "EXT")));
    if (port_.node_port != 0)
      nat_.Add("KUBE-NODEPORTS",
               Jump(port_.name,
                    fmt::format("-m {0} -p {0} --dport {1}", port_.protocol, port_.node_port),
                    Named("EXT")));
  }

  void AddInternal() {
    if (!has_internal()) return;
    const std::string match = To(port_.cluster_ip);
    if (proxy_.masquerade_all) {
      nat_.Add(internal_chain(), Jump(About("cluster IP"), match, kMarkMasquerade));
    } else if (!detector_.empty()) {
      nat_.Add(internal_chain(),
               Jump(About("cluster IP"), match + " ! " + detector_, kMarkMasquerade));
    }
  }

  void AddExternal() {
    const std::string chain = Named("EXT");
    if (!port_.external_local) {
      nat_.Add(chain,
               Jump(fmt::format("masquerade traffic for {} external destinations", port_.name), "",
                    kMarkMasquerade));
    } else {
      const std::string local = "-m addrtype --src-type LOCAL";
      if (!detector_.empty())
        nat_.Add(chain, Jump(fmt::format("pod traffic for {} external destinations", port_.name),
                             detector_, Named("SVC")));
      nat_.Add(chain, Jump(fmt::format("masquerade LOCAL traffic for {} external destinations",
                                       port_.name),
                           local, kMarkMasquerade))
          .Add(chain,
               Jump(fmt::format("route LOCAL traffic for {} external destinations", port_.name),
                    local, Named("SVC")));
    }
    if (has_external()) nat_.Add(chain, "-j " + Named(port_.external_local ? "SVL" : "SVC"));
  }

  void AddFirewall() {
    const std::string chain = Named("FW");
    const std::string why = About("loadbalancer IP");
    for (const std::string& range : port_.source_ranges)
      nat_.Add(chain, Jump(why, "-s " + range, Named("EXT")));
    if (port_.node_in_ranges)
      for (const std::string& address : port_.load_balancer_ips)
        nat_.Add(chain, Jump(why, "-s " + address, Named("EXT")));
    nat_.Add(chain, Comment(fmt::format(
                        "other traffic to {} will be dropped by KUBE-PROXY-FIREWALL", port_.name)));
  }

  // writeServiceToEndpointRules
  void AddChoice(const std::string& chain, const std::vector<ProxyEndpoint>& endpoints) {
    const auto why = [&](const ProxyEndpoint& endpoint) {
      return fmt::format("{} -> {}", port_.name, endpoint.ToString());
    };
    if (port_.affinity_seconds != 0)
      for (const ProxyEndpoint& endpoint : endpoints)
        nat_.Add(chain, Jump(why(endpoint),
                             fmt::format("-m recent --name {} --rcheck --seconds {} --reap",
                                         endpoint.chain, port_.affinity_seconds),
                             endpoint.chain));
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const std::size_t left = endpoints.size() - i;
      nat_.Add(chain,
               Jump(why(endpoints[i]),
                    left == 1 ? ""
                              : fmt::format("-m statistic --mode random --probability {:.10f}",
                                            1.0 / static_cast<double>(left)),
                    endpoints[i].chain));
    }
  }

  void AddEndpoint(const ProxyEndpoint& endpoint) {
    nat_.Add(endpoint.chain, Jump(port_.name, "-s " + endpoint.address, kMarkMasquerade))
        .Add(endpoint.chain,
             fmt::format("{}{} -m {} -p {} -j DNAT --to-destination {}", Comment(port_.name),
                         port_.affinity_seconds == 0
                             ? ""
                             : fmt::format(" -m recent --name {} --set", endpoint.chain),
                         port_.protocol, port_.protocol, endpoint.ToString()));
  }

  Table& nat_;
  const model::KubeProxy& proxy_;
  const ProxyPort& port_;
  const std::string& detector_;
};

// The last rules of KUBE-SERVICES.
void AddNodePorts(Table& nat, const model::KubeProxy& proxy, Family family) {
  static constexpr char kWhy[] =
      "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
  if (!AllAddresses(proxy, family)) {
    for (const std::string& address : NodePortAddresses(proxy, family))
      nat.Add("KUBE-SERVICES", Jump(kWhy, "-d " + address, "KUBE-NODEPORTS"));
    return;
  }
  std::string match = "-m addrtype --dst-type LOCAL";
  if (family == Family::kIpv6)
    match += " ! -d ::1/128";
  else if (!proxy.localhost_node_ports)
    match += " ! -d 127.0.0.0/8";
  nat.Add("KUBE-SERVICES", Jump(kWhy, match, "KUBE-NODEPORTS"));
}

// What there is no endpoint for: refused if there is none at all, else dropped.
void AddUnserved(Table& filter, const ProxyPort& port) {
  const auto target = [&](std::string_view whose) {
    return port.has_endpoints ? fmt::format("has no {}endpoints", whose) : "has no endpoints";
  };
  const auto add = [&](const char* chain, const std::string& match, std::string_view whose) {
    filter.Add(chain, fmt::format("{} {} -j {}", Comment(port.name + " " + target(whose)), match,
                                  port.has_endpoints ? "DROP" : "REJECT"));
  };
  const auto to = [&](const std::string& address) {
    return fmt::format("-m {0} -p {0} -d {1} --dport {2}", port.protocol, address, port.port);
  };
  const bool internal = port.has_endpoints && (!port.internal_local || !port.local.empty());
  const bool external = port.has_endpoints && (!port.external_local || !port.local.empty());
  if (!internal) add("KUBE-SERVICES", to(port.cluster_ip), "local ");
  if (external) return;
  for (const auto* addresses : {&port.external_ips, &port.load_balancer_ips})
    for (const std::string& address : *addresses)
      add("KUBE-EXTERNAL-SERVICES", to(address), "local ");
  if (port.node_port != 0)
    add("KUBE-EXTERNAL-SERVICES",
        fmt::format("-m addrtype --dst-type LOCAL -m {0} -p {0} --dport {1}", port.protocol,
                    port.node_port),
        "local ");
}

// Each jump was inserted at the head of its chain, so that they stand in reverse.
void AddFilterJumps(Table& filter) {
  const std::string is_new = "-m conntrack --ctstate NEW";
  const auto jump = [&](const char* from, const char* why, const std::string& match,
                        const char* to) { filter.Add(from, Jump(why, match, to)); };
  static constexpr char kFirewall[] = "kubernetes load balancer firewall";
  static constexpr char kPortals[] = "kubernetes service portals";
  static constexpr char kOutside[] = "kubernetes externally-visible service portals";
  filter.Add("INPUT", "-j KUBE-FIREWALL").Add("OUTPUT", "-j KUBE-FIREWALL");
  for (const char* chain : {"INPUT", "OUTPUT", "FORWARD"})
    jump(chain, kFirewall, is_new, "KUBE-PROXY-FIREWALL");
  jump("FORWARD", "kubernetes forwarding rules", "", "KUBE-FORWARD");
  for (const char* chain : {"OUTPUT", "FORWARD"}) jump(chain, kPortals, is_new, "KUBE-SERVICES");
  jump("INPUT", "kubernetes health check service ports", "", "KUBE-NODEPORTS");
  for (const char* chain : {"INPUT", "FORWARD"})
    jump(chain, kOutside, is_new, "KUBE-EXTERNAL-SERVICES");
}

}  // namespace

bool HasKubeProxy(const Config& config) {
  return config.ipvs || !config.services.empty() || config.kube_proxy != model::KubeProxy();
}

void AddKubeProxyNat(Table& nat, const Config& config, Family family) {
  if (!HasKubeProxy(config)) return;
  const std::vector<ProxyPort> ports = ProxyPortsOf(config, family);
  const std::string detector = LocalDetector(config.kube_proxy, family);
  for (const char* chain : {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", kMarkMasquerade})
    nat.Chain(chain);
  for (const char* chain : {"OUTPUT", "PREROUTING"})
    nat.Add(chain, Jump("kubernetes service portals", "", "KUBE-SERVICES"));
  nat.Add("POSTROUTING", Jump("kubernetes postrouting rules", "", "KUBE-POSTROUTING"))
      .Add("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN")
      .Add("KUBE-POSTROUTING", "-j MARK --xor-mark 0x4000")
      .Add("KUBE-POSTROUTING",
           Comment("kubernetes service traffic requiring SNAT") + " -j MASQUERADE" +
               // Where iptables has it.
               (config.masquerade.port_choice == NX_PORT_RANDOM ? " --random-fully" : ""))
      .Add(kMarkMasquerade, "-j MARK --or-mark 0x4000");
  for (const ProxyPort& port : ports) PortRules(nat, config.kube_proxy, port, detector).AddChains();
  for (const ProxyPort& port : ports) PortRules(nat, config.kube_proxy, port, detector).AddRules();
  AddNodePorts(nat, config.kube_proxy, family);
}

void AddKubeProxyFilter(Table& filter, const Config& config, Family family) {
  if (!HasKubeProxy(config)) return;
  for (const char* chain : {"KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD",
                            "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL", "KUBE-FIREWALL"})
    filter.Chain(chain);
  AddFilterJumps(filter);
  if (family == Family::kIpv4 && config.kube_proxy.localhost_node_ports)
    filter.Add("KUBE-FIREWALL", Comment("block incoming localnet connections") +
                                    " -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate "
                                    "RELATED,ESTABLISHED,DNAT -j DROP");
  // The engine has nf_conntrack_tcp_be_liberal set, which makes kube-proxy leave this one out: that
  // is `invalid`'s here.
  if (!config.services.empty() && config.kube_proxy.invalid == model::Invalid::kDrop)
    filter.Add("KUBE-FORWARD", "-m conntrack --ctstate INVALID -j DROP");
  filter
      .Add("KUBE-FORWARD",
           Jump("kubernetes forwarding rules", "-m mark --mark 0x4000/0x4000", "ACCEPT"))
      .Add("KUBE-FORWARD", Jump("kubernetes forwarding conntrack rule",
                                "-m conntrack --ctstate RELATED,ESTABLISHED", "ACCEPT"));
  for (const ProxyPort& port : ProxyPortsOf(config, family)) {
    AddUnserved(filter, port);
    if (port.health_check_port != 0)
      filter.Add("KUBE-NODEPORTS",
                 Jump(port.name + " health check node port",
                      fmt::format("-m tcp -p tcp --dport {}", port.health_check_port), "ACCEPT"));
    if (!port.has_endpoints || port.source_ranges.empty()) continue;
    for (const std::string& address : port.load_balancer_ips)
      filter.Add("KUBE-PROXY-FIREWALL",
                 fmt::format("{} -m {} -p {} -d {} --dport {} -j DROP",
                             Comment(port.name + " traffic not accepted by KUBE-FW"), port.protocol,
                             port.protocol, address, port.port));
  }
}

}  // namespace natrix::oracle
