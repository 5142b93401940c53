// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/keys_host_ports.h"

#include <string>

namespace natrix::config {
namespace {

// clang-format off: one paragraph per word reads better than what it makes of it.
// What CNI and Docker say alike of one port.
void AddMapping(std::vector<Key>& keys, const std::string& list) {
  keys.push_back({.path = list + ".hostIP", .type = Type::kHostIp, .example = "172.18.0.3",
     .text = "The one address of the node where it is called. Left out: all of them, and with "
             "`0.0.0.0` or `\"::\"` all of that family."});
  keys.push_back({.path = list + ".hostPort", .type = Type::kCount, .required = true,
     .example = "8080",
     .text = "The port of the node. No Service has it as NodePort at that address, and no other "
             "container. Never used as a source port.",
     .least = 1, .most = 65535});
  keys.push_back({.path = list + ".containerPort", .type = Type::kCount, .required = true,
     .example = "80", .text = "The container's port.", .least = 1, .most = 65535});
  keys.push_back({.path = list + ".protocol", .type = Type::kChoice, .fallback = "tcp",
     .example = "udp", .text = "Its protocol.", .choices = {"tcp", "udp", "sctp"}});
}

}  // namespace

std::vector<Key> HostPortKeys() {
  std::vector<Key> keys{
    {.path = "hostPorts", .type = Type::kMaps, .fallback = "[]",
     .example = "[{container: web, addresses: [10.88.0.5/16], mappings: [{hostPort: 8080, "
                "containerPort: 80}]}]",
     .text = "Containers with ports of the node: what CNI's plugin portmap does, in the words of "
             "its configuration."},
    {.path = "hostPorts[].container", .type = Type::kContainer, .required = true, .example = "web",
     .text = "A name or an ID, for people. No two have the same."},
    {.path = "hostPorts[].addresses", .type = Type::kInterfaces, .required = true,
     .example = "[10.88.0.5/16, \"fd00:88::5/64\"]",
     .text = "The container's addresses as in CNI's result, with the prefix length of their network; "
             "at most one of each family."},
    {.path = "hostPorts[].mappings", .type = Type::kMaps, .required = true,
     .example = "[{hostPort: 8080, containerPort: 80}]",
     .text = "CNI's `portMappings`."},
  };
  AddMapping(keys, "hostPorts[].mappings[]");
  keys.insert(keys.end(), {
    {.path = "hostPorts[].snat", .type = Type::kBool, .fallback = "true", .example = "false",
     .text = "Whether callers of the container's own network are masqueraded (hairpin)."},
    {.path = "hostPorts[].masqAll", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "All callers are. Needs `snat`."},
    {.path = "hostPorts[].ipMasq", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "What the container sends out of its network is masqueraded: `ipMasq` of the plugins "
             "bridge and ptp."},

    {.path = "docker", .type = Type::kMap,
     .text = "What Docker's daemon does for its bridge networks."},
    {.path = "docker.userlandProxy", .type = Type::kBool, .fallback = "true", .example = "false",
     .text = "`userland-proxy` of daemon.json. With it, 127.0.0.1 and callers of the bridge itself "
             "are the proxy's; without, they are translated as all others."},
    {.path = "docker.directAccess", .type = Type::kBool, .fallback = "true", .example = "false",
     .text = "Whether what comes by another device than its bridge gets to a container's own address. "
             "Docker drops it from 28 on (raw PREROUTING), answers, too."},
    {.path = "docker.bridgesReturn", .type = Type::kBool, .fallback = "false", .example = "true",
     .text = "Whether chain DOCKER begins with `-i` BRIDGE `-j RETURN` for each bridge, as that of older "
             "Dockers: what containers call is the userland proxy's, whichever bridge they are on. "
             "Needs `userlandProxy`."},
    {.path = "docker.filter", .type = Type::kChoice, .fallback = "none", .example = "v28",
     .text = "Which Docker's filter rules stand in FORWARD. `v27`, and older: nothing goes from one "
             "bridge to another. `v28`, and newer: what comes from elsewhere goes into a bridge to "
             "published ports only. Either way answers pass, and what has kube-proxy's mark.",
     .choices = {"none", "v27", "v28"}},
    {.path = "docker.bridges", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: docker0, subnets: [172.17.0.0/16]}]",
     .text = "Its bridge networks: what leaves one is masqueraded."},
    {.path = "docker.bridges[].name", .type = Type::kDevice, .required = true, .example = "docker0",
     .text = "The bridge's device, one of `node.podDevices`."},
    {.path = "docker.bridges[].subnets", .type = Type::kCidrs, .required = true,
     .example = "[172.17.0.0/16]", .text = "The network's subnets."},
    {.path = "docker.bridges[].containers", .type = Type::kMaps, .fallback = "[]",
     .example = "[{name: web, addresses: [172.17.0.2], ports: [{hostPort: 8080, containerPort: 80}]}]",
     .text = "The containers on it that publish ports, and without `directAccess` all others."},
    {.path = "docker.bridges[].containers[].name", .type = Type::kContainer, .required = true,
     .example = "web", .text = "Its name. No two of one bridge have the same."},
    {.path = "docker.bridges[].containers[].addresses", .type = Type::kAddresses, .required = true,
     .example = "[172.17.0.2]",
     .text = "Its addresses in the subnets, at most one of each family."},
    {.path = "docker.bridges[].containers[].ports", .type = Type::kMaps, .fallback = "[]",
     .example = "[{hostPort: 8080, containerPort: 80}]", .text = "What it publishes."},
  });
  AddMapping(keys, "docker.bridges[].containers[].ports[]");
  return keys;
}
// clang-format on

}  // namespace natrix::config
