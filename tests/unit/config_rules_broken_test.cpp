// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/broken.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;

// A subnet whose policy is one rule; the rule's match begins at 5:14.
std::string Rule(const std::string& match, const std::string& action = "nat") {
  return Node(
      "subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoing: true, natOutgoingPolicyRules: [\n"
      " {action: " +
      action +
      ",\n"
      "     match: {" +
      match + "}}]}]\n");
}

const std::vector<Broken> kRules = {
    {"NoPrefix",
     Rule("srcIPs: 10.16.0"),
     {"5:22 \"10.16.0\" is neither an address nor a CIDR"},
     "write them one after another: `srcIPs: \"10.16.0.0/24,10.16.1.7\"`"},
    {"SecondPrefix",
     Rule("srcIPs: \"10.16.0.1,pod\""),
     {"5:33 \"pod\" is neither an address nor a CIDR"}},
    {"PrefixTooLong",
     Rule("dstIPs: 10.0.0.0/33"),
     {"5:22 \"10.0.0.0/33\" is neither an address nor a CIDR"}},
    {"PrefixOfIpv6TooLong",
     Rule("dstIPs: \"fd00::/129\""),
     {"5:23 \"fd00::/129\" is neither an address nor a CIDR"}},
    {"Range",
     Rule("srcIPs: 10.16.0.1-10.16.0.9"),
     {"5:22 \"10.16.0.1-10.16.0.9\" is neither an address nor a CIDR"}},
    {"TrailingComma",
     Rule("srcIPs: \"10.16.0.1,\""),
     {"5:33 \"\" is neither an address nor a CIDR"}},
    {"ListInsteadOfText",
     Rule("srcIPs: [10.16.0.1]"),
     {"5:22 a list where addresses or CIDRs in one string belongs"},
     "write `srcIPs: \"10.16.0.0/24,10.16.1.7\"`"},
    {"SidesOfTwoFamilies",
     Rule("srcIPs: 10.16.0.0/24, dstIPs: \"2001:db8::/32\""),
     {"5:45 10.16.0.0/24 and 2001:db8::/32 are of different families in one rule"},
     "write a rule for each family"},
    {"ListOfTwoFamilies",
     Rule("dstIPs: \"8.8.8.8,2001:db8::8\""),
     {"5:31 8.8.8.8/32 and 2001:db8::8/128 are of different families in one rule"}},
    {"UnknownWordInMatch",
     Rule("srcIP: 10.16.0.1"),
     {"5:14 unknown key \"srcIP\" in \"subnets[].natOutgoingPolicyRules[].match\""},
     "did you mean \"srcIPs\"?"},
    {"UnknownAction",
     Rule("srcIPs: 10.16.0.1", "masquerade"),
     {"4:11 \"masquerade\" is no action"},
     "write one of: nat, forward"},
    {"ActionNearlyRight",
     Rule("srcIPs: 10.16.0.1", "foward"),
     {"4:11 \"foward\" is no action"},
     "did you mean \"forward\"?"},
    {"ActionInCapitals", Rule("srcIPs: 10.16.0.1", "NAT"), {"4:11 \"NAT\" is no action"}},
    {"ActionWithoutValue", Rule("srcIPs: 10.16.0.1", "~"), {"4:11 \"action\" has no value here"}},
    {"NoAction",
     Node("subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoingPolicyRules: [{match: {}}]}]\n"),
     {"3:70 an item of \"subnets[].natOutgoingPolicyRules\" has no \"action\""},
     "add `action: forward`, with your own value"},
    {"RulesNoList",
     Node("subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoingPolicyRules: {action: nat}}]\n"),
     {"3:68 \"natOutgoingPolicyRules\" must be a list of mappings"}},
    {"MatchNoMapping",
     Node("subnets: [{name: a, cidrs: [10.16.0.0/16],\n"
          " natOutgoingPolicyRules: [{match: 10.16.0.1, action: nat}]}]\n"),
     {"4:35 \"subnets[].natOutgoingPolicyRules[].match\" must be a mapping"}},
    {"RulesAtTheTop",
     Node("natOutgoingPolicyRules: []\n"),
     {"3:1 unknown key \"natOutgoingPolicyRules\""},
     "\"natOutgoingPolicyRules\" belongs under \"subnets[]\""},
    {"UnknownOrder",
     Node("policyOrder: first\n"),
     {"3:14 \"first\" is no policyOrder"},
     "write one of: nat-first, first-match"},
    {"UnknownOrphans",
     Node("dropOrphans: true\n"),
     {"3:14 \"true\" is no dropOrphans"},
     "write one of: gateway-address, nat-outgoing"},
};
INSTANTIATE_TEST_SUITE_P(Rules, BrokenConfig, testing::ValuesIn(kRules), NameOf);

// A centralized subnet with these words; they begin at 4:2.
std::string Gateway(const std::string& words) {
  return Node("subnets: [{name: a, cidrs: [10.16.0.0/16], gatewayType: centralized,\n " + words +
              "}]\n");
}

const std::vector<Broken> kGateways = {
    {"BadAddress",
     Gateway("gatewayNode: \"node1:172.18.0.500\""),
     {"4:22 \"172.18.0.500\" is not an address"},
     "write an IPv4 address like 172.18.0.3 or an IPv6 one like fd00::3"},
    {"BadSecondAddress",
     Gateway("gatewayNode: \"node1:172.18.0.50,node2:172.18\""),
     {"4:40 \"172.18\" is not an address"}},
    {"NoAddressAfterTheColon", Gateway("gatewayNode: \"node1:\""), {"4:22 \"\" is not an address"}},
    {"CidrInsteadOfAddress",
     Gateway("gatewayNode: \"node1:172.18.0.50/24\""),
     {"4:22 \"172.18.0.50/24\" is not an address"}},
    {"MulticastAddress",
     Gateway("gatewayNode: \"node1:224.0.0.1\""),
     {"4:22 224.0.0.1 is a multicast address"}},
    {"BadName", Gateway("gatewayNode: Node_1"), {"4:15 \"Node_1\" is not a name"}},
    {"EmptyName", Gateway("gatewayNode: \"node1,,node2\""), {"4:22 \"\" is not a name"}},
    {"List",
     Gateway("gatewayNode: [node1]"),
     {"4:15 a list where nodes in one string belongs"},
     "write `gatewayNode: \"node1:172.18.0.50,node2\"`"},
    {"TwoAddressesOfAFamily",
     Gateway("gatewayNode: \"node1:172.18.0.50,node1:172.18.0.51\""),
     {"4:34 gateway node \"node1\" has an entry of this family"},
     "the first one is at 4:16"},
    {"ActivateUnknown",
     Gateway("gatewayNode: node1, activateGateway: node2"),
     {"4:39 \"node2\" is none of the gateway nodes"},
     "\"activateGateway\" names one of \"gatewayNode\""},
    {"EcmpNoBool",
     Gateway("gatewayNode: node1, enableEcmp: yes"),
     {"4:34 \"yes\" is neither true nor false"},
     "write `enableEcmp: true`"},
    {"EcmpInCapitals",
     Gateway("enableECMP: true"),
     {"4:2 unknown key \"enableECMP\" in an item of \"subnets\""},
     "did you mean \"enableEcmp\"?"},
};
INSTANTIATE_TEST_SUITE_P(Gateways, BrokenConfig, testing::ValuesIn(kGateways), NameOf);

const std::vector<Broken> kIpvs = {
    {"IpvsNoMapping", Node("ipvs: true\n"), {"3:7 \"ipvs\" must be a mapping"}},
    {"ServicePortWithoutProtocol",
     Node("ipvs: {clusterIPs: [\"10.96.0.1:443\"]}\n"),
     {"3:21 \"10.96.0.1:443\" is no service port"},
     "write it as `ipset save` does: 10.96.0.1,tcp:443 or fd00:10:96::a,udp:53"},
    {"ServicePortWithoutPort",
     Node("ipvs: {clusterIPs: [\"10.96.0.1,tcp\"]}\n"),
     {"3:21 \"10.96.0.1,tcp\" is no service port"}},
    {"ServicePortOfAnUnknownProtocol",
     Node("ipvs: {clusterIPs: [\"10.96.0.1,icmp:443\"]}\n"),
     {"3:21 \"10.96.0.1,icmp:443\" is no service port"}},
    {"ServicePortZero",
     Node("ipvs: {clusterIPs: [\"10.96.0.1,tcp:0\"]}\n"),
     {"3:21 \"10.96.0.1,tcp:0\" is no service port"}},
    {"ServicePortTooLarge",
     Node("ipvs: {clusterIPs: [\"10.96.0.1,tcp:65536\"]}\n"),
     {"3:21 \"10.96.0.1,tcp:65536\" is no service port"}},
    {"ServicePortByName",
     Node("ipvs: {clusterIPs: [\"kube-dns,udp:53\", \"10.96.0.1,tcp:https\"]}\n"),
     {"3:21 \"kube-dns,udp:53\" is no service port",
      "3:40 \"10.96.0.1,tcp:https\" is no service port"}},
    {"ServicePortUnquoted",
     Node("ipvs: {clusterIPs: [10.96.0.1,tcp:443]}\n"),
     {"3:21 \"10.96.0.1\" is no service port", "3:31 \"tcp:443\" is no service port"}},
    {"NodePortZero",
     Node("ipvs: {localNodePortsTCP: [0]}\n"),
     {"3:28 there is no port 0"},
     "ports are from 1 to 65535"},
    {"NodePortTooLarge",
     Node("ipvs: {localNodePortsUDP: [30053, 65536]}\n"),
     {"3:35 there is no port 65536"}},
    {"NodePortRangeBackwards",
     Node("ipvs: {localNodePortsTCP: [\"32767-30000\"]}\n"),
     {"3:28 range 32767-30000 ends before it begins"}},
    {"NodePortsNoList",
     Node("ipvs: {localNodePortsTCP: 30080}\n"),
     {"3:27 \"localNodePortsTCP\" must be a list of ports"},
     "write `localNodePortsTCP: [30080]`"},
    {"SctpSetOfTcp",
     Node("ipvs: {nodePortsSCTP: [\"172.18.0.3,sctp:30038\", \"172.18.0.3,tcp:30038\"]}\n"),
     {"3:49 \"nodePortsSCTP\" holds SCTP ports only"},
     "write `nodePortsSCTP: [\"172.18.0.3,sctp:30038\"]`"},
    {"LoopBackWithoutSource",
     Node("ipvs: {loopBack: [\"10.16.0.10,tcp:8080\"]}\n"),
     {"3:19 \"10.16.0.10,tcp:8080\" is no endpoint with a source of its family"},
     "write it as `ipset save` does: 10.16.0.10,tcp:8080,10.16.0.10"},
    {"LoopBackOfTwoFamilies",
     Node("ipvs: {loopBack: [\"10.16.0.10,tcp:8080,fd00::1\"]}\n"),
     {"3:19 \"10.16.0.10,tcp:8080,fd00::1\" is no endpoint with a source of its family"}},
    {"SourceCidrWithoutPort",
     Node("ipvs: {loadBalancerSourceCIDRs: [\"203.0.113.80,198.51.100.0/24\"]}\n"),
     {"3:34 \"203.0.113.80,198.51.100.0/24\" is no service port with a CIDR of its family"},
     "write it as `ipset save` does: 203.0.113.80,tcp:80,198.51.100.0/24"},
    {"SourceCidrOfTwoFamilies",
     Node("ipvs: {loadBalancerSourceCIDRs: [\"203.0.113.80,tcp:80,::/0\"]}\n"),
     {"3:34 \"203.0.113.80,tcp:80,::/0\" is no service port with a CIDR of its family"}},
    {"SourceCidrTooLong",
     Node("ipvs: {loadBalancerSourceCIDRs: [\"203.0.113.80,tcp:80,10.0.0.0/33\", \"\"]}\n"),
     {"3:34 \"203.0.113.80,tcp:80,10.0.0.0/33\" is no service port with a CIDR of its family",
      "3:69 \"\" is no service port with a CIDR of its family"}},
    {"SourceIpWithACidr",
     Node("ipvs: {loadBalancerSourceIPs: [\"203.0.113.80,tcp:80,10.0.0.0/8\"]}\n"),
     {"3:32 \"203.0.113.80,tcp:80,10.0.0.0/8\" is no endpoint with a source of its family"},
     "write it as `ipset save` does: 203.0.113.80,tcp:80,203.0.113.80"},
    {"FirewallBySomethingElse",
     Node("ipvs: {loadBalancerFirewallBy: nat}\n"),
     {"3:32 \"nat\" is no loadBalancerFirewallBy"}},
    {"FirewallByAMarkThatNobodyDropsBy",
     Node("ipvs: {loadBalancerFirewallBy: mark}\n"),
     {"3:32 nothing is dropped by a mark"},
     "write `marks: {drop: 0x8000}`, which is kubelet's, too"},
    {"LoopBackOfNothing",
     Node("ipvs: {loopBack: [\"\", \",\"]}\n"),
     {"3:19 \"\" is no endpoint with a source of its family",
      "3:23 \",\" is no endpoint with a source of its family"}},
    {"ClusterIpOfAFamilyWithoutRange",
     Node("kubeProxy: {clusterCIDR: 10.16.0.0/14}\n"
          "ipvs: {clusterIPs: [\"10.96.0.1,tcp:80\", \"fd00::1,tcp:80\", \"fd00::2,tcp:80\"]}\n"),
     {"4:41 fd00::1 is IPv6, and none of the pods' CIDRs is"},
     "add an IPv6 one to where the first is, at 3:26"},
    {"IpvsIpWithAPort",
     Node("ipvs: {ips: [10.96.0.1, \"10.96.0.1,tcp:80\", 10.96.0.0/24]}\n"),
     {"3:25 \"10.96.0.1,tcp:80\" is not an address", "3:45 \"10.96.0.0/24\" is not an address"}},
    {"HealthCheckPortZero",
     Node("ipvs: {healthCheckNodePorts: [0]}\n"),
     {"3:31 there is no port 0"}},
    {"UnknownSet", Node("ipvs: {nodePorts: []}\n"), {"3:8 unknown key \"nodePorts\" in \"ipvs\""}},
};
INSTANTIATE_TEST_SUITE_P(Ipvs, BrokenConfig, testing::ValuesIn(kIpvs), NameOf);

const std::vector<Broken> kListen = {
    {"NoPort",
     Node("metrics: {listen: 127.0.0.1}\n"),
     {"3:19 \"127.0.0.1\" has no port"},
     "write 127.0.0.1:9188 or [::1]:9188"},
    {"NoPortAfterBrackets", Node("metrics: {listen: \"[::1]\"}\n"), {"3:19 \"[::1]\" has no port"}},
    {"Ipv6WithoutBrackets",
     Node("metrics: {listen: \"fd00:0:0:0:0:0:0:1:9188\"}\n"),
     {"3:19 \"fd00:0:0:0:0:0:0:1:9188\" is not an address and port"},
     "an IPv6 address has brackets around it: write \"[fd00:0:0:0:0:0:0:1]:9188\""},
    // It is an address with and without its last group.
    {"Ipv6WithoutBracketsCutShort",
     Node("metrics: {listen: \"::1:9188\"}\n"),
     {"3:19 \"::1:9188\" has no port"}},
    {"BracketsAroundIpv4",
     Node("metrics: {listen: \"[127.0.0.1]:9188\"}\n"),
     {"3:19 \"[127.0.0.1]:9188\" is not an address and port"}},
    {"HostName",
     Node("metrics: {listen: localhost:9188}\n"),
     {"3:19 \"localhost:9188\" is not an address and port"},
     "write 127.0.0.1:9188"},
    {"Star",
     Node("metrics: {listen: \"*:9188\"}\n"),
     {"3:19 \"*:9188\" is not an address and port"},
     "write 0.0.0.0:9188 or [::]:9188"},
    {"PortZero", Node("metrics: {listen: \":0\"}\n"), {"3:19 there is no port 0"}},
    {"PortTooLarge", Node("metrics: {listen: 65536}\n"), {"3:19 there is no port 65536"}},
    {"PortByName",
     Node("metrics: {listen: \"127.0.0.1:http\"}\n"),
     {"3:19 \"127.0.0.1:http\" is not an address and port"}},
    {"PortWithSign",
     Node("metrics: {listen: \":+9188\"}\n"),
     {"3:19 \":+9188\" is not an address and port"}},
    {"Multicast",
     Node("metrics: {listen: \"[ff02::1]:9188\"}\n"),
     {"3:19 ff02::1 is a multicast address"},
     "write an address of this node"},
    {"Off", Node("metrics: {listen: false}\n"), {"3:19 \"false\" is not an address and port"}},
    {"Empty", Node("metrics: {listen: \"\"}\n"), {"3:19 \"\" is not an address and port"}},
    {"ListenWithoutValue", Node("metrics: {listen: }\n"), {"3:11 \"listen\" has no value here"}},
    {"MetricsNoMapping", Node("metrics: \":9188\"\n"), {"3:10 \"metrics\" must be a mapping"}},
};
INSTANTIATE_TEST_SUITE_P(Listen, BrokenConfig, testing::ValuesIn(kListen), NameOf);

// `count` rules of each of these families.
std::string ManyRules(int count, const std::vector<std::string>& destinations) {
  std::string text = std::string(kNode) +
                     "subnets:\n- name: a\n  cidrs: [10.16.0.0/16]\n  natOutgoingPolicyRules:\n";
  for (int i = 0; i < count; ++i)
    for (const std::string& destination : destinations)
      text += fmt::format("  - {{match: {{dstIPs: \"{}\"}}, action: nat}}\n", destination);
  return text;
}

TEST(BrokenRules, MoreOfAFamilyThanTheMapsHoldAreRefused) {
  EXPECT_THAT(Problems(LoadText("t.yaml", ManyRules(1024, {"8.8.8.8", "2001:db8::8"}))),
              ElementsAre());
  // Line 7 holds the first one.
  EXPECT_THAT(
      Problems(LoadText("t.yaml", ManyRules(1025, {"8.8.8.8"}))),
      ElementsAre("1031:6 one too many: a subnet has 1024 policy rules of a family at most"));
  EXPECT_THAT(
      Problems(LoadText("t.yaml", ManyRules(1025, {"8.8.8.8", "2001:db8::8"}))),
      ElementsAre("2055:6 one too many: a subnet has 1024 policy rules of a family at most"));
}

TEST(BrokenRules, MorePortsThanTheMapsHoldAreRefused) {
  const auto with = [](const std::string& udp, int services) {
    std::string text = std::string(kNode) + "ipvs:\n  localNodePortsTCP: [\"1-65000\"]\n" +
                       "  localNodePortsUDP: [\"" + udp + "\"]\n" +
                       (services > 0 ? "  clusterIPs:\n" : "");
    for (int i = 1; i <= services; ++i) text += fmt::format("  - 10.96.0.1,tcp:{}\n", i);
    return Problems(LoadText("t.yaml", text));
  };

  EXPECT_THAT(with("1-500", 36), ElementsAre());
  EXPECT_THAT(with("1-500", 38),
              ElementsAre("43:5 too many: the sets of \"ipvs\" hold 65536 members"));
  // Without a single service, too.
  EXPECT_THAT(with("1-537", 0),
              ElementsAre("5:23 too many: the sets of \"ipvs\" hold 65536 members"));
}

}  // namespace
}  // namespace natrix::config
