// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "maps/abi/service.h"
#include "maps/abi/set.h"
#include "tests/unit/broken.h"
#include "userspace/config/load.h"

// What the words of `kubeProxy` and `services` say together with those of the node.
namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Detecting(const std::string& words) { return Node("kubeProxy: {" + words + "}\n"); }

const std::vector<Broken> kTogether = {
    {"BridgeThatIsNotManaged",
     Detecting("detectLocalMode: BridgeInterface, detectLocal: {bridgeInterface: cni0}"),
     {"3:78 natrix does not manage \"cni0\""},
     "nothing would be the cluster's own: add it to \"node.podDevices\", or name one of those"},
    {"PrefixOfNoManagedDevice",
     Detecting("detectLocalMode: InterfaceNamePrefix, detectLocal: {interfaceNamePrefix: cali}"),
     {"3:86 natrix manages no device whose name begins with \"cali\""},
     "nothing would be the cluster's own: add them to \"node.podDevices\", or write what those "
     "begin with"},
    {"PrefixLongerThanTheName",
     Detecting("detectLocalMode: InterfaceNamePrefix, detectLocal: {interfaceNamePrefix: ovn01}"),
     {"3:86 natrix manages no device whose name begins with \"ovn01\""}},
    {"ClusterIpOfTheNode",
     "node: {addresses: [172.18.0.3, \"fd00::3\"], uplinks: [eth0], podDevices: [ovn0]}\n"
     "services: [{name: a, clusterIPs: [10.96.0.1, \"fd00::3\"], ports: [{port: 80}]}]\n",
     {"2:46 fd00::3 is an address of this node"},
     "in \"node.addresses\" it is at 1:32: a ClusterIP is nobody's own"},
    {"LoadBalancerIpTwice",
     Node("services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}],\n"
          "  externalIPs: [172.18.0.60], loadBalancerIPs: [172.18.0.70, 172.18.0.70]}]\n"),
     {"4:62 172.18.0.70 port 80/TCP is a Service's already"}},
    {"LoadBalancerIpIsTheClusterIp",
     Node("services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}],\n"
          "  loadBalancerIPs: [10.96.0.1]}]\n"),
     {"4:21 10.96.0.1 port 80/TCP is a Service's already"}},
    {"LoadBalancerIpIsAnothersExternalIp",
     Node("services:\n"
          "- {name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}], externalIPs: [172.18.0.60]}\n"
          "- {name: b, clusterIPs: [10.96.0.2], ports: [{port: 80}], loadBalancerIPs: "
          "[172.18.0.60]}\n"),
     {"5:77 172.18.0.60 port 80/TCP is a Service's already"}},
};
INSTANTIATE_TEST_SUITE_P(ServicesTogether, BrokenConfig, testing::ValuesIn(kTogether), NameOf);

std::vector<std::string> ProblemsOf(const std::string& text) {
  return Problems(LoadText("t.yaml", text));
}

TEST(ServicesTogether, AnExternalIpMayBeALoadBalancersToo) {
  EXPECT_THAT(ProblemsOf(Node("services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}],\n"
                              "  externalIPs: [172.18.0.60, 172.18.0.61],\n"
                              "  loadBalancerIPs: [172.18.0.70, 172.18.0.61]}]\n")),
              IsEmpty());
}

TEST(ServicesTogether, ExternalIpsMayBeTheNodesOwn) {
  EXPECT_THAT(ProblemsOf("node: {addresses: [172.18.0.3], uplinks: [eth0], podDevices: [ovn0]}\n"
                         "services: [{name: a, clusterIPs: [10.96.0.1], ports: [{port: 80}],\n"
                         "  externalIPs: [172.18.0.3]}]\n"),
              IsEmpty());
}

TEST(ServicesTogether, ADetectorsDeviceMayBeManagedByAPattern) {
  const auto managed = [](const char* device, const char* mode, const char* word,
                          const char* value) {
    return ProblemsOf(
        fmt::format("node: {{uplinks: [eth0], podDevices: [\"{}\"]}}\n"
                    "kubeProxy: {{detectLocalMode: {}, detectLocal: {{{}: {}}}}}\n",
                    device, mode, word, value));
  };
  EXPECT_THAT(managed("cni[0-9]", "BridgeInterface", "bridgeInterface", "cni0"), IsEmpty());
  EXPECT_THAT(managed("ovn0", "BridgeInterface", "bridgeInterface", "eth0"), IsEmpty());
  for (const char* device : {"cali*", "cali0a", "*", "c*0", "calico?"})
    EXPECT_THAT(managed(device, "InterfaceNamePrefix", "interfaceNamePrefix", "cali"), IsEmpty())
        << device;
}

TEST(ServicesTogether, NodePortsAtLoopbackAreWarnedOfWithoutSockets) {
  const auto warnings = [](const char* value, const char* whose = "off") {
    std::vector<std::string> list;
    for (const Diagnostic& warning :
         LoadText(
             "t.yaml",
             Node(fmt::format("kubeProxy: {{iptables: {{localhostNodePorts: {}}}, socketLB: {}}}\n",
                              value, whose)))
             .warnings)
      list.push_back(OneLine(warning));
    return list;
  };
  EXPECT_THAT(warnings("true"),
              ElementsAre(testing::AllOf(
                  testing::HasSubstr("t.yaml:3:44: NodePorts are not reached at 127.0.0.1"),
                  testing::HasSubstr("write `false`"))));
  EXPECT_THAT(warnings("false"), IsEmpty());
  EXPECT_THAT(warnings("true", "node"), IsEmpty());
}

TEST(ServicesTogether, ThePodsCidrsTakeRoomAmongTheSets) {
  std::string cidrs, nodes;
  for (int i = 0; i < NX_MAX_PREFIXES - 1; ++i)
    nodes += fmt::format("- 10.{}.{}.{}\n", i / 65536, i / 256 % 256, i % 256);
  const auto text = [&](const char* cluster) {
    return Node("otherNodes:\n" + nodes + "kubeProxy:\n  clusterCIDR: \"" + cluster + "\"\n");
  };

  EXPECT_THAT(ProblemsOf(text("11.0.0.0/8")), IsEmpty());
  EXPECT_THAT(ProblemsOf(text("11.0.0.0/8,12.0.0.0/8")),
              ElementsAre("65540:28 one too many: the sets hold 65536 members"));
}

TEST(ServicesTogether, NodePortsTakeRoomAtEachAddressTheyHave) {
  std::string text = "services:\n";
  for (int i = 0; i < 500; ++i) {
    text +=
        fmt::format("- name: s{}\n  clusterIPs: [10.96.{}.{}]\n  ports:\n", i, i / 256, i % 256);
    for (int j = 0; j < 100; ++j)
      text += fmt::format("  - {{name: p{0}, port: {1}, nodePort: {2}}}\n", j, j + 1,
                          i * 100 + j + 1024);
  }
  const auto with = [&](const char* ranges) {
    return ProblemsOf(
        fmt::format("node: {{addresses: [172.18.0.3, 172.18.0.4, \"fd00::3\"], uplinks: [eth0], "
                    "podDevices: [ovn0]}}\nkubeProxy: {{nodePortAddresses: [{}]}}\n{}",
                    ranges, text));
  };

  // 50,000 NodePorts, and as many ports of ClusterIPs.
  for (const char* ranges : {"", "0.0.0.0/0, 172.18.0.0/16", "172.18.0.3/32", "\"fd00::/16\""})
    EXPECT_THAT(with(ranges), IsEmpty()) << ranges;
  EXPECT_THAT(
      with("172.18.0.0/16"),
      ElementsAre(testing::HasSubstr("too many: there can be 131072 addresses with ports")));
}

}  // namespace
}  // namespace natrix::config
