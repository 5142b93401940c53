// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "userspace/compile/compile.h"
#include "userspace/compile/rule_id.h"

namespace natrix::compile {
namespace {

using model::PolicyAction;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

model::Prefix Net(const std::string& text) { return model::Prefix::Parse(text).value(); }

model::PolicyRule Rule(PolicyAction action, const std::vector<std::string>& sources,
                       const std::vector<std::string>& destinations) {
  model::PolicyRule rule{.src_ips = {}, .dst_ips = {}, .sources = {}, .destinations = {}};
  rule.action = action;
  for (const std::string& text : sources) rule.sources.push_back(Net(text));
  for (const std::string& text : destinations) rule.destinations.push_back(Net(text));
  return rule;
}

model::PolicyRule Texts(PolicyAction action, const char* src, const char* dst) {
  model::PolicyRule rule{.src_ips = src, .dst_ips = dst, .sources = {}, .destinations = {}};
  rule.action = action;
  return rule;
}

// The vectors of facts/kube-ovn.md 4; the first is the one in the table of Kube-OVN's rules.
TEST(RuleId, IsWhatKubeOvnComputes) {
  EXPECT_EQ(RuleId("net1", 0, Texts(PolicyAction::kForward, "10.0.11.0/24", "10.0.12.0/24")),
            "418e79269dc5");
  EXPECT_EQ(RuleId("net1", 0, Texts(PolicyAction::kForward, "10.0.11.0/30,10.0.11.254", "")),
            "1615a54fc889");
  EXPECT_EQ(
      RuleId("net1", 1, Texts(PolicyAction::kNat, "10.0.11.128/26", "114.114.114.114,8.8.8.8")),
      "85a7e8967f7e");
  EXPECT_EQ(RuleId("ovn-default", 0, Texts(PolicyAction::kNat, "", "8.8.8.8")), "7aa933b5f6c8");
}

model::Config WithPolicies(std::vector<model::PolicyRule> rules) {
  model::Config config;
  config.subnets.resize(1);
  config.subnets[0].name = "net1";
  config.subnets[0].cidrs = {Net("10.0.11.0/24")};
  config.subnets[0].nat_outgoing = true;
  config.subnets[0].policies = std::move(rules);
  return config;
}

// "src 10.0.0.0/8 101": an entry of nx_policy, rule 0 leftmost.
std::vector<std::string> Show(const Parts<nx_policy_key, nx_policy>& parts, int rules) {
  std::vector<std::string> list;
  for (const auto& [key, bits] : parts.All()) {
    std::string text = key.list % 2 == NX_POLICY_SRC ? "src " : "dst ";
    text += model::Prefix::FromAbi({key.length - 32, key.addr}).ToString() + " ";
    for (int i = 0; i < rules; ++i) text += bits.rule[i / 64] >> (i % 64) & 1 ? '1' : '0';
    list.push_back(text);
  }
  return list;
}

TEST(Policies, APrefixHasTheBitsOfAllAroundItAndOfRulesThatAskForNothing) {
  const auto config = WithPolicies({Rule(PolicyAction::kNat, {"10.0.11.0/24"}, {}),
                                    Rule(PolicyAction::kNat, {"10.0.11.8/29"}, {"8.8.8.8/32"}),
                                    Rule(PolicyAction::kNat, {}, {"8.0.0.0/8"})});
  EXPECT_THAT(
      Show(Compile(config, {}).policy, 3),
      UnorderedElementsAre("src 0.0.0.0/0 001", "src 10.0.11.0/24 101", "src 10.0.11.8/29 111",
                           "dst 0.0.0.0/0 100", "dst 8.0.0.0/8 101", "dst 8.8.8.8/32 111"));
}

TEST(Policies, AllNatRulesComeFirstUnlessTheFirstMatchDecides) {
  auto config = WithPolicies({Rule(PolicyAction::kForward, {}, {"8.0.0.0/8"}),
                              Rule(PolicyAction::kNat, {}, {"9.0.0.0/8"})});
  EXPECT_THAT(Show(Compile(config, {}).policy, 2),
              UnorderedElementsAre("src 0.0.0.0/0 11", "dst 0.0.0.0/0 00", "dst 8.0.0.0/8 01",
                                   "dst 9.0.0.0/8 10"));
  EXPECT_EQ(Compile(config, {}).subnet.All().at(1).nat[0], 1U);
  config.policy_order = model::PolicyOrder::kFirstMatch;
  EXPECT_THAT(Show(Compile(config, {}).policy, 2),
              UnorderedElementsAre("src 0.0.0.0/0 11", "dst 0.0.0.0/0 00", "dst 8.0.0.0/8 10",
                                   "dst 9.0.0.0/8 01"));
  EXPECT_EQ(Compile(config, {}).subnet.All().at(1).nat[0], 2U);
}

TEST(Policies, EachCidrHasTheRulesOfItsFamily) {
  auto config = WithPolicies({Rule(PolicyAction::kNat, {}, {"8.0.0.0/8"}),
                              Rule(PolicyAction::kForward, {}, {"2001:db8::/32"}),
                              Rule(PolicyAction::kForward, {}, {})});
  config.subnets[0].cidrs.push_back(Net("fd00:11::/112"));
  const Wanted wanted = Compile(config, {});
  EXPECT_EQ(wanted.subnet.All().at(1).rules, 1);
  EXPECT_EQ(wanted.subnet.All().at(2).rules, 1);
  EXPECT_THAT(Show(wanted.policy, 1),
              UnorderedElementsAre("src 0.0.0.0/0 1", "dst 0.0.0.0/0 0", "dst 8.0.0.0/8 1",
                                   "src ::/0 1", "dst ::/0 0", "dst 2001:db8::/32 1"));
}

TEST(Policies, AreNotThereWithoutNatOutgoing) {
  auto config = WithPolicies({Rule(PolicyAction::kNat, {}, {"8.0.0.0/8"})});
  config.subnets[0].nat_outgoing = false;
  const Wanted wanted = Compile(config, {});
  EXPECT_EQ(wanted.policy.entries(), 0U);
  EXPECT_EQ(wanted.subnet.All().at(1).rules, 0);
  for (const auto& [key, member] : wanted.set.All()) EXPECT_NE(key.set, NX_SET_SUBNETS_NAT_POLICY);
}

TEST(Policies, RulesHaveSetsByTheirId) {
  const auto config = WithPolicies({Rule(PolicyAction::kNat, {"10.0.11.9/32"}, {"8.0.0.0/8"})});
  const std::string id = RuleId("net1", 0, config.subnets[0].policies[0]);
  std::vector<std::string> sets;
  for (const auto& [key, member] : Compile(config, {}).set.All())
    if (key.set == NX_SET_RULE_SRC || key.set == NX_SET_RULE_DST)
      sets.push_back(
          std::string(key.rule, sizeof(key.rule)) +
          (key.set == NX_SET_RULE_SRC ? "-src " : "-dst ") +
          model::Prefix{model::Address{key.addr}, static_cast<int>(member.length)}.ToString());
  EXPECT_THAT(sets, UnorderedElementsAre(id + "-src 10.0.11.9/32", id + "-dst 8.0.0.0/8"));
}

std::vector<std::string> Numbers(const Wanted& wanted) {
  std::vector<std::string> list;
  for (const auto& [number, subnet] : wanted.subnet.All())
    list.push_back(std::to_string(number) + " " + subnet.name);
  return list;
}

TEST(SubnetNumbers, StayWhenOthersComeAndGo) {
  model::Config config;
  for (const char* name : {"b", "c", "d"}) {
    model::Subnet subnet;
    subnet.name = name;
    subnet.cidrs = {Net(std::string("10.") + std::to_string(name[0] - 'a') + ".0.0/16")};
    config.subnets.push_back(subnet);
  }
  const Wanted first = Compile(config, {});
  EXPECT_THAT(Numbers(first), UnorderedElementsAre("1 b", "2 c", "3 d"));

  model::Config later = config;
  later.subnets.erase(later.subnets.begin() + 1);
  later.subnets.insert(later.subnets.begin(), config.subnets[1]);
  later.subnets[0].name = "a";  // c's CIDR under another name is another subnet
  const Wanted second = Compile(later, {}, {first.subnet, first.made});
  EXPECT_THAT(Numbers(second), UnorderedElementsAre("1 b", "4 a", "3 d"));
  EXPECT_EQ(second.policy.at("b"), first.policy.at("b")) << "made once";
  EXPECT_EQ(second.net.size(), first.net.size());
  for (const auto& [prefix, net] : second.net)
    if (prefix.addr.byte[13] == 3) {
      EXPECT_EQ(net.subnet, 3U);
    }
}

// Two Subnets of different VLANs may have one CIDR.
TEST(SubnetNumbers, EqualCidrsAreTwoSubnetsAndOneMemberOfASet) {
  model::Config config;
  for (const char* name : {"a", "b"}) {
    model::Subnet subnet;
    subnet.name = name;
    subnet.cidrs = {Net("10.1.0.0/16")};
    subnet.vlan = name;
    subnet.logical_gateway = true;
    config.subnets.push_back(subnet);
  }
  const Wanted both = Compile(config, {});
  EXPECT_THAT(Numbers(both), UnorderedElementsAre("1 a", "2 b"));
  EXPECT_EQ(both.net.begin()->second.subnet, 1U) << "the first one has the traffic";

  config.subnets.erase(config.subnets.begin());
  const Wanted one = Compile(config, {}, {both.subnet, both.made});
  EXPECT_THAT(Numbers(one), UnorderedElementsAre("2 b"));
  EXPECT_TRUE(DiffOfSets(both.set, one.set).erase.empty()) << "the other one is still a member";
  EXPECT_FALSE(Diff(both.set, one.set).erase.empty());
}

}  // namespace
}  // namespace natrix::compile
