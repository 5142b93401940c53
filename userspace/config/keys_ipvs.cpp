// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/keys_ipvs.h"

namespace natrix::config {

// clang-format off: one paragraph per word reads better than what it makes of it.
std::vector<Key> IpvsKeys() {
  return {
    {.path = "ipvs", .type = Type::kMap,
     .text = "kube-proxy runs in IPVS mode, and these are its sets. Left out: it does not."},
    {.path = "ipvs.clusterIPs", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"10.96.0.1,tcp:443\", \"fd00:10:96::a,udp:53\"]",
     .text = "Set `KUBE-CLUSTER-IP` / `KUBE-6-CLUSTER-IP`: what pods of `subnets` are masqueraded to, and, as "
             "`kubeProxy` says, who calls it from elsewhere. Written as ipset does."},
    {.path = "ipvs.externalIPs", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"192.0.2.80,tcp:80\"]",
     .text = "Set `KUBE-EXTERNAL-IP`: masqueraded, whoever calls."},
    {.path = "ipvs.localExternalIPs", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"192.0.2.81,tcp:80\"]",
     .text = "Set `KUBE-EXTERNAL-IP-LOCAL`: not masqueraded, `externalTrafficPolicy: Local`."},
    {.path = "ipvs.loadBalancerIPs", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"203.0.113.80,tcp:80\"]",
     .text = "Set `KUBE-LOAD-BALANCER`: masqueraded, but for what is in `localLoadBalancerIPs`, too."},
    {.path = "ipvs.localLoadBalancerIPs", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"203.0.113.81,tcp:80\"]",
     .text = "Set `KUBE-LOAD-BALANCER-LOCAL`: those with `externalTrafficPolicy: Local`."},
    {.path = "ipvs.nodePortsTCP", .type = Type::kPorts, .fallback = "[]", .example = "[30080]",
     .text = "Set `KUBE-NODE-PORT-TCP`: masqueraded at the node's own addresses, but for what is in "
             "`localNodePortsTCP`, too."},
    {.path = "ipvs.nodePortsUDP", .type = Type::kPorts, .fallback = "[]", .example = "[30053]",
     .text = "Set `KUBE-NODE-PORT-UDP`."},
    {.path = "ipvs.nodePortsSCTP", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"172.18.0.3,sctp:30038\"]",
     .text = "Set `KUBE-NODE-PORT-SCTP-HASH`, with the node's addresses."},
    {.path = "ipvs.localNodePortsTCP", .type = Type::kPorts, .fallback = "[]", .example = "[30080]",
     .text = "Set `KUBE-NODE-PORT-LOCAL-TCP`: NodePorts of Services with `externalTrafficPolicy: Local`."},
    {.path = "ipvs.localNodePortsUDP", .type = Type::kPorts, .fallback = "[]", .example = "[30053]",
     .text = "Set `KUBE-NODE-PORT-LOCAL-UDP`."},
    {.path = "ipvs.localNodePortsSCTP", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"172.18.0.3,sctp:30038\"]",
     .text = "Set `KUBE-NODE-PORT-LOCAL-SCTP-HASH`."},
    {.path = "ipvs.loadBalancerFirewall", .type = Type::kServicePorts, .fallback = "[]",
     .example = "[\"203.0.113.80,tcp:80\"]",
     .text = "Set `KUBE-LOAD-BALANCER-FW`, of Services with `loadBalancerSourceRanges`: only who is in one of the "
             "next two sets may call."},
    {.path = "ipvs.loadBalancerSourceCIDRs", .type = Type::kSourceRanges, .fallback = "[]",
     .example = "[\"203.0.113.80,tcp:80,198.51.100.0/24\"]",
     .text = "Set `KUBE-LOAD-BALANCER-SOURCE-CIDR`: what is called, and who may."},
    {.path = "ipvs.loadBalancerSourceIPs", .type = Type::kLoopBacks, .fallback = "[]",
     .example = "[\"203.0.113.80,tcp:80,203.0.113.80\"]",
     .text = "Set `KUBE-LOAD-BALANCER-SOURCE-IP`: the same, by address; kube-proxy's for the node itself."},
    {.path = "ipvs.loadBalancerFirewallBy", .type = Type::kChoice, .fallback = "filter", .example = "mark",
     .text = "How the others are dropped. `filter`: any packet of theirs, to the node or through it, as by "
             "kube-proxy's chain `KUBE-PROXY-FIREWALL` since v1.25. `mark`: a flow's first packet is marked "
             "with `marks.drop`, as by its chain `KUBE-FIREWALL` before.",
     .choices = {"filter", "mark"}},
    {.path = "ipvs.ips", .type = Type::kAddresses, .fallback = "[]",
     .example = "[10.96.0.1, \"fd00:10:96::1\"]",
     .text = "Set `KUBE-IPVS-IPS`: what kube-proxy has bound to `kube-ipvs0`. Who calls one of them on a port that is "
             "in none of `clusterIPs`, `externalIPs`, `localExternalIPs`, `loadBalancerIPs` and "
             "`healthCheckNodePorts`, or by a protocol without ports, a ping, is told that the port is unreachable: "
             "its chain `KUBE-IPVS-FILTER`."},
    {.path = "ipvs.healthCheckNodePorts", .type = Type::kPorts, .fallback = "[]", .example = "[32000]",
     .text = "Set `KUBE-HEALTH-CHECK-NODE-PORT`: where kube-proxy answers a load balancer's health checks."},
    {.path = "ipvs.loopBack", .type = Type::kLoopBacks, .fallback = "[]",
     .example = "[\"10.16.0.10,tcp:8080,10.16.0.10\"]",
     .text = "Set `KUBE-LOOP-BACK`: an endpoint and who is masqueraded on the way to it, itself when it is "
             "called by itself."},
  };
}
// clang-format on

}  // namespace natrix::config
