// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/keys_services.h"

#include <algorithm>
#include <iterator>

namespace natrix::config {

// clang-format off: one paragraph per word reads better than what it makes of it.
std::vector<Key> ServiceKeys() {
  return {
    {.path = "kubeProxy", .type = Type::kMap,
     .text = "What kube-proxy is told about the cluster, in the words of its KubeProxyConfiguration. "
             "For `services`, and for the masquerade of `ipvs`."},
    {.path = "kubeProxy.clusterCIDR", .type = Type::kCidrText,
     .example = "\"10.16.0.0/14,fd00:10::/32\"",
     .text = "The pods' addresses, separated by commas: who calls a ClusterIP from elsewhere is "
             "masqueraded. Left out: nobody is for that."},
    {.path = "kubeProxy.detectLocalMode", .type = Type::kChoice, .fallback = "ClusterCIDR",
     .example = "BridgeInterface",
     .text = "How the cluster's own traffic is told: by its source (`ClusterCIDR`: `clusterCIDR`; "
             "`NodeCIDR`: `node.podCIDRs`), or by the device it comes in by (`detectLocal`).",
     .choices = {"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"}},
    {.path = "kubeProxy.detectLocal", .type = Type::kMap,
     .text = "The device, for the two modes that ask for one."},
    {.path = "kubeProxy.detectLocal.bridgeInterface", .type = Type::kDevice, .example = "cni0",
     .text = "With `BridgeInterface`: the device's name."},
    {.path = "kubeProxy.detectLocal.interfaceNamePrefix", .type = Type::kDevice, .example = "cali",
     .text = "With `InterfaceNamePrefix`: what the names of the devices begin with."},
    {.path = "kubeProxy.nodePortAddresses", .type = Type::kCidrs, .fallback = "[]",
     .example = "[172.18.0.0/16]",
     .text = "Which of the node's addresses have NodePorts. A family that is left out: all of them. "
             "Those of loopback have none."},
    {.path = "kubeProxy.iptables", .type = Type::kMap,
     .text = "Words that kube-proxy keeps under this name."},
    {.path = "kubeProxy.iptables.masqueradeAll", .type = Type::kBool, .fallback = "false",
     .example = "true", .text = "Everything that calls a ClusterIP is masqueraded."},
    {.path = "kubeProxy.iptables.localhostNodePorts", .type = Type::kBool, .fallback = "true",
     .example = "false",
     .text = "Whether the node's own processes reach NodePorts at 127.0.0.1 (IPv4, while "
             "`nodePortAddresses` names no addresses of that family). From elsewhere nobody does."},
    {.path = "kubeProxy.socketLB", .type = Type::kChoice, .fallback = "node", .example = "all",
     .text = "Whose calls of Services, host ports and floating IPs are translated where they are made, in the socket: those of the "
             "`node`'s own processes; of `all`, pods too, at ClusterIPs; or `off`, nobody's. A natrix word. What comes "
             "in by a device is translated in any case; what the node itself sends, here only.",
     .choices = {"node", "all", "off"}},
    {.path = "kubeProxy.invalid", .type = Type::kChoice, .fallback = "pass", .example = "drop",
     .text = "While there are `services`: what is to be forwarded, begins no flow and belongs to none (a late RST or "
             "FIN, an ICMP error about nothing, an impossible header). `drop`, as KUBE-FORWARD does, asks that natrix "
             "sees every flow both ways and in clear: operations.md says where it does not. `pass`, as KUBE-FORWARD "
             "does with the sysctl `nf_conntrack_tcp_be_liberal`. A natrix word.",
     .choices = {"drop", "pass"}},

    {.path = "services", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: web, clusterIPs: [10.96.0.10], ports: [{port: 80}]}]",
     .text = "Kubernetes' Services with their endpoints, which natrix translates in kube-proxy's "
             "place. Headless ones are left out."},
    {.path = "services[].name", .type = Type::kName, .required = true, .example = "web",
     .text = "The Service's name. No two of one namespace have the same."},
    {.path = "services[].namespace", .type = Type::kName, .fallback = "default", .example = "shop",
     .text = "Its namespace."},
    {.path = "services[].clusterIPs", .type = Type::kAddresses, .required = true,
     .example = "[10.96.0.10, \"fd00:10:96::10\"]",
     .text = "Its ClusterIPs, at most one of each family. The Service is of these families, and so "
             "are its NodePorts."},
    {.path = "services[].externalIPs", .type = Type::kAddresses, .fallback = "[]",
     .example = "[172.18.0.60]", .text = "Its external IPs."},
    {.path = "services[].loadBalancerIPs", .type = Type::kAddresses, .fallback = "[]",
     .example = "[172.18.0.70]",
     .text = "The addresses of its load balancer: `status.loadBalancer.ingress[].ip` whose `ipMode` "
             "is not `Proxy`."},
    {.path = "services[].loadBalancerSourceRanges", .type = Type::kCidrs, .fallback = "[]",
     .example = "[203.0.113.0/24]",
     .text = "Who may call it at `loadBalancerIPs`. Without one of a family, everybody of that family "
             "may; `/0` is allowed."},
    {.path = "services[].ports", .type = Type::kMaps, .required = true, .example = "[{port: 80}]",
     .text = "Its ports."},
    {.path = "services[].ports[].name", .type = Type::kName, .example = "http",
     .text = "The port's name. Needed when there are several, which have different ones."},
    {.path = "services[].ports[].protocol", .type = Type::kChoice, .fallback = "TCP",
     .example = "UDP", .text = "The protocol.", .choices = {"TCP", "UDP", "SCTP"}},
    {.path = "services[].ports[].port", .type = Type::kCount, .required = true, .example = "80",
     .text = "The port at all of the Service's addresses.", .least = 1, .most = 65535},
    {.path = "services[].ports[].nodePort", .type = Type::kCount, .example = "30080",
     .text = "The port at the node's own addresses. Never used as a source port.",
     .least = 1, .most = 65535},
    {.path = "services[].externalTrafficPolicy", .type = Type::kChoice, .fallback = "Cluster",
     .example = "Local",
     .text = "`Local`: who calls from outside the cluster reaches endpoints on this node only "
             "(`node.name`), and keeps its address.",
     .choices = {"Cluster", "Local"}},
    {.path = "services[].internalTrafficPolicy", .type = Type::kChoice, .fallback = "Cluster",
     .example = "Local", .text = "The same for callers of a ClusterIP.",
     .choices = {"Cluster", "Local"}},
    {.path = "services[].sessionAffinity", .type = Type::kChoice, .fallback = "None",
     .example = "ClientIP", .text = "`ClientIP`: a client keeps its endpoint.",
     .choices = {"None", "ClientIP"}},
    {.path = "services[].sessionAffinityConfig", .type = Type::kMap,
     .text = "How long it does. Needs `sessionAffinity: ClientIP`."},
    {.path = "services[].sessionAffinityConfig.clientIP", .type = Type::kMap, .text = "As above."},
    {.path = "services[].sessionAffinityConfig.clientIP.timeoutSeconds", .type = Type::kCount,
     .fallback = "10800", .example = "600",
     .text = "Seconds since the client's last new connection.", .least = 1, .most = 86400},
    {.path = "services[].loadBalancing", .type = Type::kChoice, .fallback = "random",
     .example = "maglev",
     .text = "How an endpoint is chosen for a new connection: at `random`, as kube-proxy does, or by "
             "its addresses and ports (`maglev`), so that all nodes choose the same, and another one "
             "for few when an endpoint comes or goes. A natrix word.",
     .choices = {"random", "maglev"}},
    {.path = "services[].healthCheckNodePort", .type = Type::kCount, .example = "32000",
     .text = "Where kube-proxy answers a load balancer's health checks, of a Service with "
             "`externalTrafficPolicy: Local`. Never used as a source port.",
     .least = 1, .most = 65535},
    {.path = "services[].endpoints", .type = Type::kMaps, .fallback = "[]",
     .example = "[{addresses: [10.16.0.10], port: 8080}]",
     .text = "What answers: the endpoints of its EndpointSlices, one for each port."},
    {.path = "services[].endpoints[].addresses", .type = Type::kAddresses, .required = true,
     .example = "[10.16.0.10]", .text = "The endpoint's address, at most one of each family."},
    {.path = "services[].endpoints[].port", .type = Type::kCount, .required = true,
     .example = "8080", .text = "Its port.", .least = 1, .most = 65535},
    {.path = "services[].endpoints[].portName", .type = Type::kName, .example = "http",
     .text = "Which of the Service's ports it answers for. Needed when there are several."},
    {.path = "services[].endpoints[].nodeName", .type = Type::kName, .example = "node1",
     .text = "The node it is on."},
    {.path = "services[].endpoints[].ready", .type = Type::kBool, .fallback = "true",
     .example = "false", .text = "Condition `ready`."},
    {.path = "services[].endpoints[].serving", .type = Type::kBool, .fallback = "true",
     .example = "false", .text = "Condition `serving`."},
    {.path = "services[].endpoints[].terminating", .type = Type::kBool, .fallback = "false",
     .example = "true",
     .text = "Condition `terminating`. Endpoints that serve and terminate are chosen when none is "
             "ready."},
    {.path = "services[].endpoints[].hints", .type = Type::kMap, .text = "Topology hints."},
    {.path = "services[].endpoints[].hints.forZones", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: zone-a}]",
     .text = "Zones that should use it. Heeded when all ready endpoints have some, and one is for "
             "`node.zone`."},
    {.path = "services[].endpoints[].hints.forZones[].name", .type = Type::kName, .required = true,
     .example = "zone-a", .text = "A zone's name."},
  };
}
// clang-format on

bool IsIdleServiceField(std::string_view name) {
  static constexpr std::string_view kIdle[] = {
      "allocateLoadBalancerNodePorts",
      "appProtocol",
      "ipFamilies",
      "ipFamilyPolicy",
      "loadBalancerClass",
      "publishNotReadyAddresses",
      "selector",
      "targetPort",
      "targetRef",
      "trafficDistribution",
      "type",
  };
  return std::ranges::find(kIdle, name) != std::end(kIdle);
}

}  // namespace natrix::config
