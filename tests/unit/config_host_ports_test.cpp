// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/broken.h"
#include "userspace/config/load.h"

// `hostPorts` and `docker`, right and wrong.
namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Mapped(const std::string& mapping, const std::string& more = "") {
  return Node("hostPorts:\n- {container: a, addresses: [10.88.0.5/16], mappings: [" + mapping +
              "]" + more + "}\n");
}
constexpr const char* kWeb = "{hostPort: 8080, containerPort: 80}";
std::string Bridge(const std::string& containers) {
  return "node: {uplinks: [eth0], podDevices: [docker0]}\n#\n"
         "docker: {bridges: [{name: docker0, subnets: [172.17.0.0/16],\n  containers: [" +
         containers + "]}]}\n";
}

const std::vector<Broken> kBroken = {
    {"HostPortLeftOut",
     Mapped("{containerPort: 80}"),
     {"4:57 an item of \"hostPorts[].mappings\" has no \"hostPort\""}},
    {"HostPortTooLarge",
     Mapped("{hostPort: 65536, containerPort: 80}"),
     {"4:67 65536 is too large"}},
    {"ProtocolOfKubernetes",
     Mapped("{hostPort: 1, containerPort: 2, protocol: TCP}"),
     {"4:98 \"TCP\" is no protocol"},
     "did you mean \"tcp\"?"},
    {"AddressWithoutItsNetwork",
     Node("hostPorts: [{container: a, addresses: [10.88.0.5], mappings: []}]\n"),
     {"3:40 \"10.88.0.5\" has no prefix length", "3:62 \"mappings\" is empty"}},
    {"NetworkForAnAddress",
     Node("hostPorts:\n- {container: a, addresses: [10.88.0.0/16],\n"
          "  mappings: [{hostPort: 1, containerPort: 2}]}\n"),
     {"4:30 10.88.0.0/16 is a network, not an address"},
     "write the container's own address with the network's prefix length"},
    {"TwoAddressesOfAFamily",
     Node("hostPorts:\n- {container: a, addresses: [10.88.0.5/16, 10.88.0.6/16],\n"
          "  mappings: [{hostPort: 1, containerPort: 2}]}\n"),
     {"4:44 10.88.0.6 is a second IPv4 address"}},
    {"HostIpOfTheOtherFamily",
     Mapped("{hostIP: \"fd00::3\", hostPort: 1, containerPort: 2}"),
     {"4:65 fd00::3 is IPv6, and the container has no such address"}},
    {"HostIpOfIpv6sLoopback",
     Mapped("{hostIP: \"::1\", hostPort: 1, containerPort: 2}"),
     {"4:65 a container cannot be reached at ::1"}},
    {"MasqAllWithoutSnat",
     Mapped(kWeb, ", snat: false, masqAll: true"),
     {"4:116 \"masqAll\" without \"snat\""}},
    {"PortTwice",
     Mapped(std::string(kWeb) + ", {hostPort: 8080, containerPort: 81}"),
     {"4:104 port 8080/tcp is another container's"},
     "the first one is at 4:67"},
    {"PortEverywhereAndAtOneAddress",
     Mapped("{hostIP: 172.18.0.3, hostPort: 8080, containerPort: 80}, " + std::string(kWeb)),
     {"4:124 port 8080/tcp is another container's"}},
    {"ContainerTwice",
     Node("hostPorts:\n- {container: a, addresses: [10.88.0.5/16], mappings: [{hostPort: 1, "
          "containerPort: 2}]}\n"
          "- {container: a, addresses: [10.88.0.6/16], mappings: [{hostPort: 2, containerPort: "
          "2}]}\n"),
     {"5:15 a second container is called \"a\""}},
    {"NodePortOfAService",
     Mapped(kWeb) + "services: [{name: s, clusterIPs: [10.96.0.1], ports: [{port: 80, nodePort: "
                    "8080}]}]\n",
     {"4:67 port 8080/tcp is a Service's NodePort"},
     "who calls it would not reach the container: the NodePort is at 5:76"},
    {"ExternalIpOfAService",
     Mapped("{hostIP: 172.18.0.3, hostPort: 80, containerPort: 80}") +
         "services: [{name: s, clusterIPs: [10.96.0.1], externalIPs: [172.18.0.3], ports: "
         "[{port: 80}]}]\n",
     {"4:87 port 80/tcp is a Service's at this address"}},
    {"DockersPortOfPortmap",
     Bridge("{name: b, addresses: [172.17.0.2], ports: [{hostPort: 8080, containerPort: 80}]}") +
         "hostPorts: [{container: a, addresses: [10.88.0.5/16],\n"
         "  mappings: [{hostPort: 8080, containerPort: 80}]}]\n",
     {"4:70 port 8080/tcp is another container's"},
     "the first one is at 6:25"},
    {"BridgeThatIsNotManaged",
     Node("docker: {bridges: [{name: docker0, subnets: [172.17.0.0/16]}]}\n"),
     {"3:27 natrix does not manage \"docker0\""}},
    {"ContainerOutsideTheSubnets",
     Bridge("{name: b, addresses: [172.18.0.2], ports: [{hostPort: 1, containerPort: 80}]}"),
     {"4:38 172.18.0.2 is in no subnet of \"docker0\""},
     "they are at 3:46"},
    {"ContainersOfOneAddress",
     Bridge("{name: b, addresses: [172.17.0.2], ports: [{hostPort: 1, containerPort: 80}]},\n"
            "  {name: c, addresses: [172.17.0.2], ports: [{hostPort: 2, containerPort: 80}]}"),
     {"5:25 172.17.0.2 is another container's"}},
    {"BridgesReturnWithoutProxy",
     Node("docker: {userlandProxy: false, bridgesReturn: true}\n"),
     {"3:47 \"bridgesReturn\" without \"userlandProxy\""},
     "without its proxy Docker has no such rule: remove one of the two"},
    {"SubnetsOfTwoBridgesOverlap",
     "node: {uplinks: [eth0], podDevices: [docker0, br1]}\n#\n"
     "docker: {bridges: [{name: docker0, subnets: [172.17.0.0/16]},\n"
     "  {name: br1, subnets: [172.17.8.0/24]}]}\n",
     {"4:25 172.17.8.0/24 overlaps 172.17.0.0/16"}},
    {"NetworksWithIpMasqOverlap",
     Node("hostPorts:\n- {container: a, addresses: [10.88.0.5/16], ipMasq: true,\n"
          "  mappings: [{hostPort: 1, containerPort: 2}]}\n"
          "- {container: b, addresses: [10.88.0.6/16], ipMasq: true,\n"
          "  mappings: [{hostPort: 2, containerPort: 2}]}\n"
          "- {container: c, addresses: [10.88.0.7/24], ipMasq: true,\n"
          "  mappings: [{hostPort: 3, containerPort: 2}]}\n"),
     {"8:30 10.88.0.0/24 overlaps 10.88.0.0/16"}},
    {"MarkSharedWithMasquerade",
     Node("marks: {hostPort: 0x6000}\n"),
     {"3:19 marks \"masquerade\" (0x4000) and \"hostPort\" (0x6000) share 0x4000"}},
};
INSTANTIATE_TEST_SUITE_P(HostPorts, BrokenConfig, testing::ValuesIn(kBroken), NameOf);

std::vector<std::string> ProblemsOf(const std::string& text) {
  return Problems(LoadText("t.yaml", text));
}

TEST(ConfigHostPorts, OnePortAtTwoAddressesOrOfTwoProtocolsIsFine) {
  EXPECT_THAT(ProblemsOf(Mapped("{hostIP: 172.18.0.3, hostPort: 80, containerPort: 80},\n"
                                " {hostIP: 127.0.0.1, hostPort: 80, containerPort: 81},\n"
                                " {hostPort: 80, containerPort: 80, protocol: udp}")),
              IsEmpty());
}

TEST(ConfigHostPorts, TheirMarkMayBeKubeProxys) {
  EXPECT_THAT(ProblemsOf(Node("marks: {hostPort: 0x4000}\n")), testing::IsEmpty());
}

TEST(ConfigHostPorts, ANodePortElsewhereIsInNobodysWay) {
  const std::string service =
      "services: [{name: s, clusterIPs: [10.96.0.1], ports: [{port: 80, nodePort: 8080}]}]\n"
      "kubeProxy: {nodePortAddresses: [172.18.0.0/24]}\n";
  EXPECT_THAT(ProblemsOf(Mapped(kWeb) + service), IsEmpty());
  EXPECT_THAT(
      ProblemsOf(Mapped("{hostIP: 172.19.0.3, hostPort: 8080, containerPort: 80}") + service),
      IsEmpty());
  EXPECT_THAT(
      ProblemsOf(Mapped("{hostIP: 172.18.0.3, hostPort: 8080, containerPort: 80}") + service),
      ElementsAre("4:87 port 8080/tcp is a Service's NodePort"));
}

TEST(ConfigHostPorts, ANodePortOfTheOtherFamilyIsAnother) {
  EXPECT_THAT(ProblemsOf(Mapped(kWeb) + "services: [{name: s, clusterIPs: [\"fd00::1\"], ports: "
                                        "[{port: 80, nodePort: 8080}]}]\n"),
              IsEmpty());
}

}  // namespace
}  // namespace natrix::config
