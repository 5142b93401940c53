// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/broken.h"

namespace natrix::config {
namespace {

using model::PolicyAction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

model::Config Load(const std::string& rest) {
  const Loaded loaded = LoadText("t.yaml", Node(rest));
  EXPECT_TRUE(loaded) << rest << loaded.Render();
  return loaded.config.value_or(model::Config{});
}

template <typename T>
std::vector<std::string> Texts(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(value.ToString());
  return texts;
}

TEST(RuleWords, PolicyRulesAreReadWithTheirText) {
  const model::Config config = Load(
      "subnets:\n"
      "- name: a\n"
      "  cidrs: [10.16.0.0/16]\n"
      "  natOutgoingPolicyRules:\n"
      "  - match: {srcIPs: \"10.16.0.0/24,10.16.1.7\", dstIPs: 192.0.2.1/24}\n"
      "    action: forward\n"
      "  - match:\n"
      "      dstIPs: \"2001:db8::8\"\n"
      "    action: nat\n");

  const std::vector<model::PolicyRule>& rules = config.subnets.at(0).policies;
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].src_ips, "10.16.0.0/24,10.16.1.7");
  EXPECT_THAT(Texts(rules[0].sources), ElementsAre("10.16.0.0/24", "10.16.1.7/32"));
  // An ipset cuts host bits off.
  EXPECT_EQ(rules[0].dst_ips, "192.0.2.1/24");
  EXPECT_THAT(Texts(rules[0].destinations), ElementsAre("192.0.2.0/24"));
  EXPECT_EQ(rules[0].action, PolicyAction::kForward);
  EXPECT_THAT(rules[1].sources, IsEmpty());
  EXPECT_THAT(Texts(rules[1].destinations), ElementsAre("2001:db8::8/128"));
  EXPECT_EQ(rules[1].action, PolicyAction::kNat);
}

TEST(RuleWords, ARuleMayAskForEveryAddress) {
  const model::Config config = Load(
      "subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoingPolicyRules: [\n "
      "{match: {srcIPs: 0.0.0.0/0}, action: nat}, {match: {dstIPs: \"::/0\"}, action: nat}]}]\n");

  EXPECT_THAT(Texts(config.subnets.at(0).policies.at(0).sources), ElementsAre("0.0.0.0/0"));
  EXPECT_THAT(Texts(config.subnets.at(0).policies.at(1).destinations), ElementsAre("::/0"));
}

TEST(RuleWords, ARuleThatAsksForNothingIsKeptAndMatchesNothing) {
  const model::Config config = Load(
      "subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoingPolicyRules: [\n "
      "{action: nat}, {match: {}, action: nat}, {match: {srcIPs: \"\", dstIPs: \"\"}, action: "
      "nat}]}]\n");

  // Kept, because a rule's ID is made of its number.
  ASSERT_EQ(config.subnets.at(0).policies.size(), 3u);
  for (const model::PolicyRule& rule : config.subnets.at(0).policies)
    EXPECT_TRUE(rule.MatchesNothing());
}

TEST(RuleWords, OrdersAreRead) {
  EXPECT_EQ(Load("").policy_order, model::PolicyOrder::kNatFirst);
  EXPECT_EQ(Load("policyOrder: first-match\n").policy_order, model::PolicyOrder::kFirstMatch);
  EXPECT_EQ(Load("").orphan_drop, model::OrphanDrop::kGatewayAddress);
  EXPECT_EQ(Load("dropOrphans: nat-outgoing\n").orphan_drop, model::OrphanDrop::kNatOutgoing);
}

TEST(RuleWords, GatewayNodesAreReadWithAddressesOfBothFamilies) {
  const model::Config config = Load(
      "subnets:\n"
      "- name: a\n"
      "  cidrs: [10.16.0.0/16]\n"
      "  gatewayType: centralized\n"
      "  gatewayNode: node1:172.18.0.50, node1:fd00:172:18::50,node-2.example\n"
      "  enableEcmp: true\n"
      "  activateGateway: node-2.example\n");

  const model::Subnet& subnet = config.subnets.at(0);
  ASSERT_EQ(subnet.gateway_nodes.size(), 3u);
  EXPECT_EQ(subnet.gateway_nodes[0].name, "node1");
  EXPECT_EQ(subnet.gateway_nodes[0].egress->ToString(), "172.18.0.50");
  EXPECT_EQ(subnet.gateway_nodes[1].egress->ToString(), "fd00:172:18::50");
  EXPECT_EQ(subnet.gateway_nodes[2].name, "node-2.example");
  EXPECT_FALSE(subnet.gateway_nodes[2].egress);
  EXPECT_TRUE(subnet.enable_ecmp);
  EXPECT_EQ(subnet.activate_gateway, "node-2.example");
}

TEST(RuleWords, IpvsSetsAreRead) {
  EXPECT_FALSE(Load("").ipvs);
  EXPECT_TRUE(Load("ipvs: {}\n").ipvs);
  const model::Config config = Load(
      "ipvs:\n"
      "  clusterIPs: [\"10.96.0.1,tcp:443\", \"fd00:10:96::a,udp:53\", \"10.96.0.2,sctp:9\"]\n"
      "  localNodePortsTCP: [30080, \"30100-30102\"]\n"
      "  localNodePortsUDP: [30053]\n"
      "  ips: [10.96.0.1, \"fd00:10:96::a\"]\n"
      "  healthCheckNodePorts: [32000, \"32010-32012\"]\n");

  ASSERT_EQ(config.ipvs->ips.size(), 2u);
  EXPECT_EQ(config.ipvs->ips[1].ToString(), "fd00:10:96::a");
  ASSERT_EQ(config.ipvs->health_check_ports.size(), 2u);
  EXPECT_EQ(config.ipvs->health_check_ports[1].last, 32012);
  ASSERT_EQ(config.ipvs->cluster_ips.size(), 3u);
  EXPECT_EQ(config.ipvs->cluster_ips[1].address.ToString(), "fd00:10:96::a");
  EXPECT_EQ(config.ipvs->cluster_ips[1].protocol, NX_L4_UDP);
  EXPECT_EQ(config.ipvs->cluster_ips[1].port, 53);
  EXPECT_EQ(config.ipvs->cluster_ips[2].protocol, NX_L4_SCTP);
  ASSERT_EQ(config.ipvs->local_ports_tcp.size(), 2u);
  EXPECT_EQ(config.ipvs->local_ports_tcp[1].last, 30102);
  EXPECT_EQ(config.ipvs->local_ports_udp.at(0).first, 30053);
}

TEST(MetricsWords, NothingListensUnlessAsked) {
  EXPECT_FALSE(Load("").metrics.listen);
  EXPECT_FALSE(Load("metrics: {}\n").metrics.listen);
}

TEST(MetricsWords, AnAddressLeftOutIsLoopback) {
  for (const char* text : {"9188", "\"9188\"", ":9188", "\":9188\"", "127.0.0.1:9188"})
    EXPECT_EQ(Load(std::string("metrics: {listen: ") + text + "}\n").metrics.listen->ToString(),
              "127.0.0.1:9188")
        << text;
}

TEST(MetricsWords, AnyOtherAddressIsWrittenOut) {
  for (const char* text : {"0.0.0.0:9188", "172.18.0.3:1", "[::1]:9188", "[::]:65535"})
    EXPECT_EQ(Load(std::string("metrics: {listen: \"") + text + "\"}\n").metrics.listen->ToString(),
              text);
}

// A subnet with these rules; the first one is in line 4.
Loaded WithRules(const std::string& rules, const std::string& rest = "") {
  return LoadText("t.yaml", Node("subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoing: true, "
                                 "natOutgoingPolicyRules: [\n " +
                                 rules + " ]}]\n" + rest));
}

std::vector<std::string> Warnings(const Loaded& loaded) {
  std::vector<std::string> list;
  for (const Diagnostic& warning : loaded.warnings) list.push_back(OneLine(warning));
  return list;
}

constexpr const char* kForwardThenNat =
    "{match: {dstIPs: 192.0.2.0/24}, action: forward},\n "
    "{match: {dstIPs: 192.0.2.7}, action: nat}";

TEST(RuleWarnings, NamePairsThatOrdersDecideDifferently) {
  const Loaded loaded = WithRules(kForwardThenNat);

  EXPECT_TRUE(loaded);
  EXPECT_THAT(Warnings(loaded),
              ElementsAre("t.yaml:5:3: subnet \"a\": \"nat\" of rule 1 beats \"forward\" of rule 0 "
                          "at 4:3 where both match; as in Kube-OVN's rules; its documentation says "
                          "the first one decides: `policyOrder: first-match`"));
  EXPECT_THAT(loaded.RenderWarnings(),
              testing::StartsWith("t.yaml:5:3: warning: subnet \"a\": \"nat\" of rule 1 beats"));
}

TEST(RuleWarnings, SayTheOtherWayRoundUnderTheOtherOrder) {
  const Loaded loaded = WithRules(kForwardThenNat, "policyOrder: first-match\n");

  EXPECT_THAT(Warnings(loaded),
              ElementsAre(HasSubstr("\"nat\" of rule 1 gives way to \"forward\" of rule 0")));
}

TEST(RuleWarnings, AreNotForRulesThatAgreeOrNeverMeet) {
  for (const char* rules :
       {"{match: {dstIPs: 192.0.2.7}, action: nat}, {match: {dstIPs: 192.0.2.0/24}, action: "
        "forward}",
        "{match: {dstIPs: 192.0.2.0/24}, action: forward}, {match: {dstIPs: 8.8.8.8}, action: nat}",
        "{match: {dstIPs: 0.0.0.0/0}, action: forward}, {match: {dstIPs: \"::/0\"}, action: nat}",
        "{match: {srcIPs: 10.16.0.1, dstIPs: 8.8.8.8}, action: forward},"
        "{match: {srcIPs: 10.16.0.2, dstIPs: 8.8.8.8}, action: nat}",
        "{action: forward}, {match: {dstIPs: 8.8.8.8}, action: nat}"})
    EXPECT_THAT(Warnings(WithRules(rules)), IsEmpty()) << rules;
}

TEST(RuleWarnings, AreNotForAPolicyThatIsNotInForce) {
  const Loaded loaded =
      LoadText("t.yaml", Node("subnets: [{name: a, cidrs: [10.16.0.0/16], natOutgoing: false, "
                              "natOutgoingPolicyRules: [\n " +
                              std::string(kForwardThenNat) + "]}]\n"));

  EXPECT_TRUE(loaded);
  EXPECT_THAT(Warnings(loaded), IsEmpty());
}

TEST(RuleWarnings, StopAtTenOfASubnet) {
  std::string rules;
  for (int i = 0; i < 8; ++i) rules += " {match: {dstIPs: 8.8.8.8}, action: forward},\n";
  for (int i = 0; i < 8; ++i) rules += " {match: {dstIPs: 8.8.8.8}, action: nat},\n";

  EXPECT_THAT(WithRules(rules).warnings, testing::SizeIs(10));
}

}  // namespace
}  // namespace natrix::config
