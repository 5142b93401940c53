// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

#include "maps/abi/service.h"
#include "tests/unit/broken.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The third line is the case's own, from column 48 on.
std::string Service(const std::string& words) {
  return Node("services: [{name: a, clusterIPs: [10.96.0.10], " + words + "}]\n");
}

const std::vector<Broken> kKubeProxy = {
    {"ModeMisspelt",
     Node("kubeProxy: {detectLocalMode: clusterCIDR}\n"),
     {"3:30 \"clusterCIDR\" is no detectLocalMode"},
     "did you mean \"ClusterCIDR\"?"},
    {"ClusterCidrWithHostBits",
     Node("kubeProxy: {clusterCIDR: \"10.16.0.0/14,10.1.0.1/16\"}\n"),
     {"3:40 10.1.0.1/16 has host bits set"}},
    {"NodeCidrWithoutPodCidrs",
     Node("kubeProxy: {detectLocalMode: NodeCIDR, clusterCIDR: 10.16.0.0/14}\n"),
     {"3:30 this mode needs \"node.podCIDRs\""}},
    {"BridgeWithoutItsName",
     Node("kubeProxy: {detectLocalMode: BridgeInterface}\n"),
     {"3:30 this mode needs \"detectLocal.bridgeInterface\""},
     "add `detectLocal: {bridgeInterface: ...}`"},
    {"TheOtherModesDevice",
     Node("kubeProxy: {detectLocalMode: InterfaceNamePrefix, detectLocal: {bridgeInterface: a}}\n"),
     {"3:30 this mode needs \"detectLocal.interfaceNamePrefix\""}},
    {"PatternOfDevices",
     Node("kubeProxy: {detectLocalMode: InterfaceNamePrefix,\n"
          "  detectLocal: {interfaceNamePrefix: cali*}}\n"),
     {"4:38 \"cali*\" is a pattern"}},
    {"MasqueradeAllBesideIptables",
     Node("kubeProxy: {masqueradeAll: true}\n"),
     {"3:13 unknown key \"masqueradeAll\" in \"kubeProxy\""},
     "\"masqueradeAll\" belongs under \"kubeProxy.iptables\""},
    {"NodePortAddressesOfHosts",
     Node("kubeProxy: {nodePortAddresses: [172.18.0.3]}\n"),
     {"3:33 \"172.18.0.3\" has no prefix length"}},
    {"ServicesBesideIpvs",
     Node("ipvs: {clusterIPs: [\"10.96.0.1,tcp:80\"]}\n"
          "services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}]}]\n"),
     {"4:19 \"services\" beside \"ipvs\""},
     "\"ipvs\" is for nodes where kube-proxy serves them in IPVS mode: remove it where natrix "
     "does, "
     "or \"services\" where kube-proxy does"},
    {"NoClusterCidrOfAFamily",
     Node("services: [{name: a, clusterIPs: [10.96.0.1, \"fd00::1\"], ports: [{port: 80}]}]\n"
          "kubeProxy: {clusterCIDR: 10.16.0.0/14}\n"),
     {"3:46 fd00::1 is IPv6, and none of the pods' CIDRs is"},
     "add an IPv6 one to where the first is, at 4:26"},
};
INSTANTIATE_TEST_SUITE_P(KubeProxy, BrokenConfig, testing::ValuesIn(kKubeProxy), NameOf);

const std::vector<Broken> kServices = {
    {"NoPorts", Service(""), {"3:13 an item of \"services\" has no \"ports\""}},
    {"EmptyPorts", Service("ports: []"), {"3:55 \"ports\" is empty"}},
    {"NoClusterIps",
     Node("services: [{name: a, ports: [{port: 80}]}]\n"),
     {"3:13 an item of \"services\" has no \"clusterIPs\""}},
    {"Headless",
     Node("services: [{name: a, clusterIPs: [None], ports: [{port: 80}]}]\n"),
     {"3:35 a headless Service has no address to be called at"}},
    {"Misspelt",
     Service("ports: [{port: 80}], externalIps: [172.18.0.60]"),
     {"3:69 unknown key \"externalIps\" in an item of \"services\""},
     "did you mean \"externalIPs\"?"},
    {"FieldOfKubernetesThatIsIdle",
     Service("ports: [{port: 80, targetPort: http}]"),
     {"3:67 unknown key \"targetPort\" in an item of \"services[].ports\""},
     "this field of Kubernetes decides nothing on a node: leave it out"},
    {"TwoClusterIpsOfAFamily",
     Node("services: [{name: a, clusterIPs: [10.96.0.1, 10.96.0.2], ports: [{port: 80}]}]\n"),
     {"3:46 10.96.0.2 is a second IPv4 ClusterIP"}},
    {"ExternalIpOfAnotherFamily",
     Service("ports: [{port: 80}], externalIPs: [\"fd00::60\"]"),
     {"3:83 fd00::60 is IPv6, and the Service is not"}},
    {"LoadBalancerOfAnotherFamily",
     Service("ports: [{port: 80}], loadBalancerIPs: [\"fd00::60\"]"),
     {"3:87 fd00::60 is IPv6, and the Service is not"}},
    {"SourceRangeWithHostBits",
     Service("ports: [{port: 80}], loadBalancerSourceRanges: [10.0.0.1/8]"),
     {"3:96 10.0.0.1/8 has host bits set"},
     "write 10.0.0.0/8"},
    {"Protocol", Service("ports: [{port: 80, protocol: tcp}]"), {"3:77 \"tcp\" is no protocol"}},
    {"PortOutOfRange",
     Service("ports: [{port: 0, nodePort: 65536}]"),
     {"3:63 0 is too small", "3:76 65536 is too large"}},
    {"PortWithoutName",
     Service("ports: [{port: 80}, {port: 81, name: b}]"),
     {"3:57 one of several ports has no \"name\""}},
    {"PortNameTwice",
     Service("ports: [{port: 80, name: b}, {port: 81, name: b}]"),
     {"3:94 a second port is called \"b\""},
     "the first one is at 3:73"},
    {"PortTwice",
     Service("ports: [{port: 80, name: b}, {port: 80, name: c}]"),
     {"3:35 10.96.0.10 port 80/TCP is a Service's already"}},
    {"AddressOfTwoServices",
     Node("services:\n- {name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}]}\n"
          "- {name: b, clusterIPs: [10.96.0.2], externalIPs: [10.96.0.1], ports: [{port: 80}]}\n"),
     {"5:52 10.96.0.1 port 80/TCP is a Service's already"},
     "the first one is at 4:26"},
    {"NameTwice",
     Node("services:\n- {name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}]}\n"
          "- {name: a, namespace: default, clusterIPs: [10.96.0.2], ports: [{port: 80}]}\n"),
     {"5:10 a second Service is called \"a\" in namespace \"default\""},
     "the first one is at 4:10"},
    {"NodePortTwice",
     Node(
         "services:\n"
         "- {name: a, clusterIPs: [10.96.0.1, \"fd00::1\"], ports: [{port: 80, nodePort: 30080}]}\n"
         "- {name: b, clusterIPs: [10.96.0.2, \"fd00::2\"], ports: [{port: 80, nodePort: "
         "30080}]}\n"),
     {"5:78 NodePort 30080/TCP is taken"},
     "the first one is at 4:78"},
    {"HealthCheckIsANodePort",
     Node("node: {name: n, uplinks: [a], podDevices: [b]}\nservices:\n"
          "- {name: a, clusterIPs: [10.96.0.1], ports: [{port: 80, nodePort: 30080}],\n"
          "   externalTrafficPolicy: Local, healthCheckNodePort: 30080}\n")
         .substr(std::string(kNode).size()),
     {"4:55 NodePort 30080/TCP is taken"},
     "the first one is at 3:67"},
    {"HealthCheckWithoutLocal",
     Service("ports: [{port: 80}], healthCheckNodePort: 32000"),
     {"3:90 \"healthCheckNodePort\" is of Services with a local policy"}},
    {"LocalWithoutNodeName",
     Service("ports: [{port: 80}], internalTrafficPolicy: Local"),
     {"3:92 which endpoints are on this node is not known"}},
    {"AffinityOutOfRange",
     Service("ports: [{port: 80}], sessionAffinity: ClientIP,\n"
             "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}"),
     {"4:54 86401 is too large"},
     "\"timeoutSeconds\" is a number from 1 to 86400"},
    {"AffinityZero",
     Service("ports: [{port: 80}], sessionAffinity: ClientIP,\n"
             "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}"),
     {"4:54 0 is too small"}},
    {"AffinityConfigWithout",
     Service("ports: [{port: 80}], sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}"),
     {"3:93 there is no session affinity to configure"}},
    {"EndpointWithoutPortName",
     Service("ports: [{port: 80, name: b}, {port: 81, name: c}],\n"
             "  endpoints: [{addresses: [10.16.0.1], port: 1}]"),
     {"4:16 an endpoint of a Service with several ports names none"},
     "add `portName: b`, or another one's name"},
    {"EndpointOfNoPort",
     Service("ports: [{port: 80, name: http}],\n"
             "  endpoints: [{addresses: [10.16.0.1], port: 1, portName: htpp}]"),
     {"4:59 the Service has no port \"htpp\""},
     "did you mean \"http\"?"},
    {"EndpointWithoutAddress",
     Service("ports: [{port: 80}], endpoints: [{addresses: [], port: 1}]"),
     {"3:93 an endpoint without an address"}},
    {"EndpointWithTwoAddresses",
     Service("ports: [{port: 80}],\n  endpoints: [{addresses: [10.16.0.1, 10.16.0.2], port: 1}]"),
     {"4:39 10.16.0.2 is of the same family as 10.16.0.1"}},
    {"EndpointTwice",
     Service("ports: [{port: 80}],\n  endpoints: [{addresses: [10.16.0.1], port: 1},\n"
             "    {addresses: [10.16.0.1], port: 2}, {addresses: [10.16.0.1], port: 1}]"),
     {"5:53 10.16.0.1 port 1 is written twice"},
     "the one before is at 4:28"},
    {"EndpointIsNotReadyButYes",
     Service("ports: [{port: 80}],\n  endpoints: [{addresses: [10.16.0.1], port: 1, ready: yes}]"),
     {"4:56 \"yes\" is neither true nor false"}},
    {"HintsOfNobody",
     Service("ports: [{port: 80}],\n"
             "  endpoints: [{addresses: [10.16.0.1], port: 1, hints: {forZones: [zone-a]}}]"),
     {"4:68 an item of \"services[].endpoints[].hints.forZones\" must be a mapping"}},
};
INSTANTIATE_TEST_SUITE_P(Services, BrokenConfig, testing::ValuesIn(kServices), NameOf);

TEST(BrokenConfigs, MoreEndpointsThanTheMapHoldsAreRefused) {
  std::string text = Node("services:\n");
  for (int i = 0; i < 9; ++i) {
    text +=
        fmt::format("- name: s{0}\n  clusterIPs: [10.96.0.{0}]\n  ports: [{{port: 80}}]\n", i + 1);
    text += "  endpoints:\n";
    for (int j = 0; j < 60000; ++j)
      text += fmt::format("  - {{addresses: [10.16.{}.{}], port: 80}}\n", j / 256, j % 256);
  }

  EXPECT_THAT(Problems(LoadText("t.yaml", text)),
              ElementsAre("480036:9 too many: there can be 524288 endpoints of Services"));
}

model::Config Good(const std::string& rest) {
  const Loaded loaded = LoadText("t.yaml",
                                 "node: {name: n1, zone: z1, podCIDRs: [10.16.3.0/24], uplinks: "
                                 "[a], podDevices: [cni0, cali*]}\n" +
                                     rest);
  EXPECT_TRUE(loaded) << loaded.Render();
  return loaded.config.value_or(model::Config{});
}

TEST(ConfigServices, EveryWordIsTaken) {
  const model::Config config = Good(R"(
services:
- name: web
  namespace: shop
  clusterIPs: [10.96.0.10, "fd00:96::10"]
  externalIPs: [172.18.0.60]
  loadBalancerIPs: ["fd00::70"]
  loadBalancerSourceRanges: [0.0.0.0/0, "2001:db8::/32"]
  ports:
  - {name: http, port: 80, nodePort: 30080}
  - {name: dns, protocol: UDP, port: 53}
  - {name: sctp, protocol: SCTP, port: 9}
  externalTrafficPolicy: Local
  internalTrafficPolicy: Local
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}
  healthCheckNodePort: 32000
  endpoints:
  - {addresses: [10.16.0.1, "fd00:16::1"], port: 5353, portName: dns, nodeName: n1, ready: false,
     serving: false, terminating: true, hints: {forZones: [{name: z1}, {name: z2}]}}
  - {addresses: [10.16.0.2], port: 8080, portName: http}
)");

  ASSERT_EQ(config.services.size(), 1u);
  const model::Service& service = config.services[0];
  EXPECT_EQ(config.node.zone, "z1");
  EXPECT_EQ(service.name_space + "/" + service.name, "shop/web");
  EXPECT_EQ(service.cluster_ips.size(), 2u);
  EXPECT_EQ(service.external_ips.at(0).ToString(), "172.18.0.60");
  EXPECT_EQ(service.load_balancer_ips.at(0).ToString(), "fd00::70");
  EXPECT_EQ(service.load_balancer_source_ranges.at(0).ToString(), "0.0.0.0/0");
  EXPECT_EQ(service.load_balancer_source_ranges.size(), 2u);
  ASSERT_EQ(service.ports.size(), 3u);
  EXPECT_EQ(service.ports[0], (model::PortOfService{"http", NX_L4_TCP, 80, 30080}));
  EXPECT_EQ(service.ports[1], (model::PortOfService{"dns", NX_L4_UDP, 53, 0}));
  EXPECT_EQ(service.ports[2].protocol, NX_L4_SCTP);
  EXPECT_EQ(service.external_policy, model::TrafficPolicy::kLocal);
  EXPECT_EQ(service.internal_policy, model::TrafficPolicy::kLocal);
  EXPECT_EQ(service.affinity_seconds, 600u);
  EXPECT_EQ(service.health_check_node_port, 32000);
  ASSERT_EQ(service.endpoints.size(), 3u);
  ASSERT_EQ(service.endpoints[0].size(), 1u);
  EXPECT_TRUE(service.endpoints[0][0].ready);
  EXPECT_TRUE(service.endpoints[0][0].serving);
  EXPECT_FALSE(service.endpoints[0][0].terminating);
  ASSERT_EQ(service.endpoints[1].size(), 1u);
  const model::ServiceEndpoint& dns = service.endpoints[1][0];
  EXPECT_EQ(dns.addresses.size(), 2u);
  EXPECT_EQ(dns.port, 5353);
  EXPECT_EQ(dns.node_name, "n1");
  EXPECT_FALSE(dns.ready);
  EXPECT_FALSE(dns.serving);
  EXPECT_TRUE(dns.terminating);
  EXPECT_THAT(dns.zones, ElementsAre("z1", "z2"));
  EXPECT_THAT(service.endpoints[2], IsEmpty());
}

TEST(ConfigServices, DefaultsAreThoseOfKubernetes) {
  const model::Config config = Good(
      "services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}],\n"
      "  sessionAffinity: ClientIP, endpoints: [{addresses: [10.16.0.1], port: 8080}]}]\n");

  ASSERT_EQ(config.services.size(), 1u);
  const model::Service& service = config.services[0];
  EXPECT_EQ(service.name_space, "default");
  EXPECT_EQ(service.ports.at(0).protocol, NX_L4_TCP);
  EXPECT_EQ(service.affinity_seconds, 10800u);
  EXPECT_EQ(service.external_policy, model::TrafficPolicy::kCluster);
  EXPECT_EQ(service.endpoints.at(0).size(), 1u);  // of the one port, whatever its name
  EXPECT_EQ(config.kube_proxy, model::KubeProxy{});
}

TEST(ConfigServices, OneNodePortMayBeOfTwoProtocols) {
  const model::Config config = Good(
      "services: [{name: a, clusterIPs: [10.96.0.1], ports: [\n"
      "  {name: u, protocol: UDP, port: 53, nodePort: 30053}, {name: t, port: 53, nodePort: "
      "30053}]}]\n");

  EXPECT_EQ(config.services.size(), 1u);
}

TEST(ConfigServices, WhatIsAsItWasIsSharedWithTheConfigurationBefore) {
  const auto service = [](int number, int endpoint) {
    return fmt::format(
        "- {{name: s{0}, clusterIPs: [10.96.0.{0}], ports: [{{port: 80}}],\n"
        "   endpoints: [{{addresses: [10.16.0.{1}], port: 80}}]}}\n",
        number, endpoint);
  };
  const auto load = [](const std::string& services, const model::Config* before) {
    return LoadText("t.yaml", Node("services:\n" + services), before).config.value();
  };
  const model::Config before =
      load(service(1, 1) + service(2, 2) + service(3, 3) + service(4, 4), nullptr);

  // The first is gone, the second changed, the last two changed places, one is new.
  const model::Config after =
      load(service(2, 9) + service(4, 4) + service(3, 3) + service(5, 5), &before);

  ASSERT_EQ(after.services.size(), 4u);
  EXPECT_EQ(after.services[0]->endpoints[0][0].addresses[0].ToString(), "10.16.0.9");
  EXPECT_TRUE(after.services[1].Shares(before.services[3]));
  EXPECT_TRUE(after.services[2].Shares(before.services[2]));
  EXPECT_EQ(after.services[3]->name, "s5");
}

TEST(ConfigKubeProxy, TheModeSaysWhatTheClustersOwnIs) {
  using model::DetectLocal;
  const auto proxy = [](const std::string& words) {
    return Good("kubeProxy: {" + words + "}\n").kube_proxy;
  };

  const auto cluster = proxy("clusterCIDR: \"10.16.0.0/14, fd00:10::/32\"");
  EXPECT_EQ(cluster.detect, DetectLocal::kClusterCidr);
  EXPECT_EQ(cluster.cluster_cidrs.size(), 2u);
  EXPECT_EQ(proxy("clusterCIDR: \"\"").detect, DetectLocal::kNone);
  EXPECT_EQ(proxy("detectLocalMode: ClusterCIDR").detect, DetectLocal::kNone);
  const auto node = proxy("detectLocalMode: NodeCIDR, clusterCIDR: 10.16.0.0/14");
  EXPECT_EQ(node.detect, DetectLocal::kClusterCidr);
  ASSERT_EQ(node.cluster_cidrs.size(), 1u);
  EXPECT_EQ(node.cluster_cidrs[0].ToString(), "10.16.3.0/24");
  const auto bridge =
      proxy("detectLocalMode: BridgeInterface, detectLocal: {bridgeInterface: cni0}");
  EXPECT_EQ(bridge.detect, DetectLocal::kBridgeInterface);
  EXPECT_EQ(bridge.device, "cni0");
  const auto prefix =
      proxy("detectLocalMode: InterfaceNamePrefix, detectLocal: {interfaceNamePrefix: cali}");
  EXPECT_EQ(prefix.detect, DetectLocal::kInterfaceNamePrefix);
  EXPECT_EQ(prefix.device, "cali");
}

TEST(ConfigKubeProxy, OtherWordsAreTaken) {
  const model::KubeProxy proxy =
      Good(
          "kubeProxy: {nodePortAddresses: [172.18.0.0/16, \"::/0\"],\n"
          "  iptables: {masqueradeAll: true, localhostNodePorts: false}}\n")
          .kube_proxy;

  EXPECT_EQ(proxy.node_port_addresses.size(), 2u);
  EXPECT_TRUE(proxy.masquerade_all);
  EXPECT_FALSE(proxy.localhost_node_ports);
}

TEST(ConfigKubeProxy, SocketLbIsTheNodesUnlessWrittenOtherwise) {
  const auto with = [](const std::string& words) {
    return Good("kubeProxy: {" + words + "}\n").kube_proxy.socket_lb;
  };

  EXPECT_EQ(with(""), model::SocketLb::kNode);
  EXPECT_EQ(with("socketLB: all"), model::SocketLb::kAll);
  EXPECT_EQ(with("socketLB: off"), model::SocketLb::kOff);
}

TEST(ConfigKubeProxy, WhatIsInvalidPassesUnlessWrittenOtherwise) {
  const auto with = [](const std::string& words) {
    return Good("kubeProxy: {" + words + "}\n").kube_proxy.invalid;
  };

  EXPECT_EQ(with(""), model::Invalid::kPass);
  EXPECT_EQ(with("invalid: drop"), model::Invalid::kDrop);
  EXPECT_EQ(with("invalid: pass"), model::Invalid::kPass);
}

}  // namespace
}  // namespace natrix::config
