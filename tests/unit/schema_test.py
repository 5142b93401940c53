#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds docs/natrix.schema.json to its promise: an editor that follows it accepts the examples and
objects to what the parser objects to, as far as a schema can say it."""

import copy
import json
import pathlib
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(sys.argv[1])
SCHEMA = json.loads((ROOT / "docs/natrix.schema.json").read_text())

GOOD = {
    "node": {"uplinks": ["eth0"], "podDevices": ["ovn0"]},
    "subnets": [{"name": "a", "cidrs": ["10.16.0.0/16"], "gatewayNode": "node1:172.18.0.50, node2",
                 "natOutgoingPolicyRules": [{"match": {"srcIPs": "10.16.0.0/24,10.16.1.7"}, "action": "nat"}]},
                {"name": "b", "cidrBlock": "10.17.0.0/16,fd00::/112"}],
    "marks": {"masquerade": 0x4000, "local": "0x80000"},
    "masquerade": {"reservedPorts": [8080, "30000-32767"]},
    "policyOrder": "first-match",
    "ipvs": {"clusterIPs": ["10.96.0.1,tcp:443", "fd00::a,udp:53"], "localNodePortsTCP": [30080]},
    "metrics": {"listen": "[::1]:9188"},
    "tproxy": {"probes": [{"podIP": "fd00:241::2", "port": 80}], "onIP": ["172.18.0.3"], "outputMark": "0x90003"},
    "kubeProxy": {"clusterCIDR": "10.16.0.0/14,fd00:10::/32", "detectLocalMode": "ClusterCIDR",
                  "nodePortAddresses": ["172.18.0.0/16"], "iptables": {"masqueradeAll": True}},
    "services": [{"name": "web", "clusterIPs": ["10.96.0.10"], "ports": [{"port": 80, "nodePort": 30080}],
                  "loadBalancerIPs": ["172.18.0.70"], "loadBalancerSourceRanges": ["0.0.0.0/0"],
                  "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}},
                  "endpoints": [{"addresses": ["10.16.0.10"], "port": 8080, "nodeName": "node1",
                                 "hints": {"forZones": [{"name": "zone-a"}]}}]}],
    "hostPorts": [{"container": "web_1", "addresses": ["10.88.0.5/16", "fd00:88::5/64"], "masqAll": True,
                   "mappings": [{"hostIP": "127.0.0.1", "hostPort": 8080, "containerPort": 80, "protocol": "udp"}]}],
    "docker": {"userlandProxy": False,
               "bridges": [{"name": "docker0", "subnets": ["172.17.0.0/16"],
                            "containers": [{"name": "db", "addresses": ["172.17.0.2"],
                                            "ports": [{"hostPort": 5432, "containerPort": 5432}]}]}]},
    "calico": {"ipPools": [{"name": "default-ipv4-ippool", "cidr": "192.168.0.0/16", "natOutgoing": True,
                            "allowedUses": ["Workload", "Tunnel"]}],
               "natOutgoingExclusions": "IPPoolsAndHostIPs", "hosts": ["172.18.0.4"], "natPortRange": "32768:65535",
               "natOutgoingAddress": "172.18.0.70,fd00::70", "natOutgoingInterfaceFilter": "eth+",
               "tunnels": ["vxlan.calico"], "vxlanPort": 4789, "metadata": {"address": "127.0.0.1", "port": 8775}},
    "timeouts": {"udp": "1h30m", "tcpEstablished": "5d"},
}

# What is set where, that must be refused.
BAD = [
    (["subnts"], []),
    (["node"], {"uplinks": ["eth0"]}),
    (["node", "uplinks"], []),
    (["node", "uplinks"], "eth0"),
    (["node", "uplinks"], ["a/b"]),
    (["subnets", 0, "cidrs"], ["10.16.0.0"]),
    (["subnets", 0, "natOutgoing"], "yes"),
    (["subnets", 0, "gatewayType"], "centralised"),
    (["subnets", 0, "gatewayNode"], "node1:"),
    (["subnets", 0, "natOutgoingPolicyRules"], [{"match": {"srcIPs": "10.16.0.0/24"}}]),
    (["subnets", 0, "natOutgoingPolicyRules"], [{"action": "masquerade"}]),
    (["subnets", 0, "natOutgoingPolicyRules"], [{"match": {"dstIPs": "pod"}, "action": "nat"}]),
    (["policyOrder"], "last-match"),
    (["hostPorts", 0, "addresses"], ["10.88.0.5"]),
    (["hostPorts", 0, "mappings", 0, "hostPort"], 0),
    (["hostPorts", 0, "mappings", 0, "protocol"], "TCP"),
    (["docker", "bridges", 0, "containers", 0, "name"], "-db"),
    (["ipvs", "clusterIPs"], ["10.96.0.1:443"]),
    (["ipvs", "localNodePortsTCP"], [0]),
    (["ipvs", "loadBalancerSourceCIDRs"], ["203.0.113.80,10.0.0.0/8"]),
    (["metrics", "listen"], "[::1]"),
    (["metrics", "listen"], "::1:9188"),
    (["metrics", "listen"], 65536),
    (["subnets", 0, "cidrBlock"], "10.16.0.0/16"),
    (["subnets", 0, "name"], "A_b"),
    (["marks", "masquerade"], 0),
    (["marks", "masquerade"], 1 << 32),
    (["masquerade", "reservedPorts"], [70000]),
    (["timeouts", "udp"], "30"),
    (["timeouts", "udp"], ""),
    (["timeouts", "tcpEstablishd"], "5d"),
    (["flows"], {"maxEmbryos": 0}),
    (["floatingIPs"], [{"external": "172.18.0.50"}]),
    (["otherNodes"], ["node2"]),
    (["tproxy"], {"onPort": 8102}),
    (["tproxy", "probes", 0, "port"], "http"),
    (["tproxy", "probes", 0, "port"], 65536),
    (["tproxy", "onIP"], "172.18.0.3"),
    (["tproxy", "table"], 0),
    (["kubeProxy", "detectLocalMode"], "clusterCIDR"),
    (["kubeProxy", "detectLocal"], {"bridgeInterface": "a/b"}),
    (["services", 0, "clusterIPs"], ["None"]),
    (["services", 0, "ports", 0, "protocol"], "tcp"),
    (["services", 0, "ports", 0, "nodePort"], 0),
    (["services", 0, "sessionAffinityConfig", "clientIP", "timeoutSeconds"], 86401),
    (["services", 0, "endpoints", 0, "addresses"], "10.16.0.10"),
    (["services", 0, "targetPort"], 80),
    (["calico", "ipPools", 0, "cidr"], "192.168.0.0"),
    (["calico", "ipPools", 0], {"cidr": "192.168.0.0/16"}),
    (["calico", "ipPools", 0, "allowedUses"], ["Pods"]),
    (["calico", "ipPools", 0, "blockSize"], 26),
    (["calico", "natOutgoingExclusions"], "HostIPs"),
    (["calico", "natPortRange"], "1-2-3"),
    (["calico", "natOutgoingAddress"], ["172.18.0.70"]),
    (["calico", "natOutgoingInterfaceFilter"], "eth*"),
    (["calico", "vxlanPort"], 0),
    (["calico", "metadata"], "none"),
    (["calico", "metadata", "port"], 65536),
]


def main() -> int:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    failed = 0
    for path in sorted((ROOT / "docs/examples").glob("*.yaml")):
        for error in validator.iter_errors(yaml.safe_load(path.read_text())):
            print(f"{path.name}: {error.json_path}: {error.message}")
            failed += 1
    for error in validator.iter_errors(GOOD):
        print(f"refused: {error.json_path}: {error.message}")
        failed += 1
    for where, value in BAD:
        document = copy.deepcopy(GOOD)
        inner = document
        for step in where[:-1]:
            inner = inner[step]
        inner[where[-1]] = value
        if validator.is_valid(document):
            print(f"accepted: {where} = {value!r}")
            failed += 1
    print(f"schema: {len(BAD)} mistakes tried, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
