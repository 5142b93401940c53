// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/netns/node.h"

// `natrix sets`, held against the kernel's own ipset.
namespace natrix::netns {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSubnets = R"(node: {name: node1, uplinks: [eth0], podDevices: [ovn0]}
serviceCIDRs: [10.96.0.0/12, "fd00:10:96::/112"]
otherNodes: [172.18.0.4, "fd00:172:18::4"]
subnets:
- name: net1
  cidrs: [10.0.11.0/24, "fd00:10:11::/64"]
  natOutgoing: true
  natOutgoingPolicyRules:
  - {match: {srcIPs: 10.0.11.0/24, dstIPs: 10.0.12.0/24}, action: forward}
  - {match: {srcIPs: 10.0.11.128/26, dstIPs: "114.114.114.114,8.8.8.8"}, action: nat}
  - {match: {srcIPs: 0.0.0.0/0, dstIPs: "10.0.0.0/8,10.0.12.0/24,10.0.12.7"}, action: nat}
  - {match: {dstIPs: "0.0.0.0/0,0.0.0.0/1"}, action: forward}
  - {match: {srcIPs: "::/0", dstIPs: "2001:db8::/32,2001:db8::8"}, action: nat}
  - {match: {}, action: nat}
- name: join
  cidrs: [100.64.0.0/16, "fd00:100:64::/112"]
)";
constexpr const char* kIpvs = R"(ipvs:
  clusterIPs: ["10.96.0.1,tcp:443", "10.96.0.10,udp:53", "10.96.0.10,sctp:9", "fd00:10:96::a,udp:53"]
  localNodePortsTCP: [30080, "30100-30102"]
  localNodePortsUDP: [30053]
  externalIPs: ["192.0.2.80,tcp:80", "2001:db8:2::80,tcp:80"]
  localExternalIPs: ["192.0.2.80,tcp:81"]
  loadBalancerIPs: ["203.0.113.80,tcp:80", "203.0.113.80,tcp:81"]
  localLoadBalancerIPs: ["203.0.113.80,tcp:81"]
  nodePortsTCP: [30080, 30090]
  nodePortsUDP: ["30053-30054"]
  nodePortsSCTP: ["172.18.0.3,sctp:30038", "fd00:172:18::3,sctp:30038"]
  localNodePortsSCTP: ["fd00:172:18::3,sctp:30039"]
  loadBalancerFirewall: ["203.0.113.80,tcp:80", "2001:db8:113::80,udp:53"]
  loadBalancerSourceCIDRs: ["203.0.113.80,tcp:80,10.16.0.9/14", "203.0.113.80,tcp:80,8.8.8.8",
    "203.0.113.80,sctp:9,0.0.0.0/0", "2001:db8:113::80,udp:53,fd00:10:11::/64"]
  loadBalancerSourceIPs: ["203.0.113.80,tcp:80,10.32.0.1"]
  loopBack: ["10.0.11.7,tcp:8080,10.0.11.7", "fd00:10:11::7,udp:53,fd00:10:11::7"]
  ips: [10.96.0.1, 203.0.113.80, "fd00:10:96::a"]
  healthCheckNodePorts: [32000]
)";

// What `ipset save` wrote: types and members by name.
struct Saved {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> members;
};

Saved Parse(const std::string& text) {
  Saved saved;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string verb, name, rest;
    words >> verb >> name >> rest;
    if (verb == "create") saved.types[name] = rest;
    if (verb == "add") {
      EXPECT_TRUE(saved.members[name].insert(rest).second) << line;
    }
  }
  return saved;
}

class SetsTest : public NodeTest {
 protected:
  SetsTest() { WriteFile(std::string(kSubnets) + kIpvs); }

  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const Json answer = NatrixJson({"sets"});
    for (const Json& set : answer.at("sets")) names.push_back(set.at("name"));
    return names;
  }
  std::vector<std::string> Members(const std::string& set) {
    return NatrixJson({"sets", set}).at("members");
  }
  // Whether the kernel's set of this name, which holds what `natrix sets` wrote, has the member.
  bool IpsetHas(const std::string& set, const std::string& member) {
    return support::TryCommand(&node(), {"ipset", "test", set, member}).status == 0;
  }
  bool NatrixHas(const std::string& set, const std::string& member) {
    const int status = Natrix({"sets", set, "--test", member}).status;
    EXPECT_THAT(status, testing::AnyOf(0, 1)) << set << " " << member;
    return status == 0;
  }
};

TEST_F(SetsTest, RulesHaveSetsUnderTheNamesThatKubeOvnGivesThem) {
  const auto daemon = Start();

  // The first two IDs are Kube-OVN's own for these rules.
  EXPECT_THAT(Members("ovn40natpr-418e79269dc5-src"), ElementsAre("10.0.11.0/24"));
  EXPECT_THAT(Members("ovn40natpr-418e79269dc5-dst"), ElementsAre("10.0.12.0/24"));
  EXPECT_THAT(Members("ovn40natpr-85a7e8967f7e-dst"),
              ElementsAre("8.8.8.8/32", "114.114.114.114/32"));
  // Rule 3 has destinations only, rule 5 nothing: five rules, nine sets, none of them twice.
  std::size_t v4 = 0, v6 = 0;
  for (const std::string& name : Names()) {
    v4 += name.starts_with("ovn40natpr-");
    v6 += name.starts_with("ovn60natpr-");
  }
  EXPECT_EQ(v4, 7U);
  EXPECT_EQ(v6, 2U);
  EXPECT_THAT(Members("ovn40local-pod-ip-nat"), ElementsAre());
}

TEST_F(SetsTest, KubeProxysAreThereInIpvsModeOnly) {
  auto daemon = Start();
  EXPECT_THAT(Members("KUBE-CLUSTER-IP"),
              ElementsAre("10.96.0.1,tcp:443", "10.96.0.10,udp:53", "10.96.0.10,sctp:9"));
  EXPECT_THAT(Members("KUBE-6-CLUSTER-IP"), ElementsAre("fd00:10:96::a,udp:53"));
  EXPECT_THAT(Members("KUBE-NODE-PORT-LOCAL-TCP"), ElementsAre("30080", "30100", "30101", "30102"));
  EXPECT_THAT(Members("KUBE-6-NODE-PORT-LOCAL-UDP"), ElementsAre("30053"));

  EXPECT_THAT(Members("KUBE-EXTERNAL-IP"), ElementsAre("192.0.2.80,tcp:80"));
  EXPECT_THAT(Members("KUBE-EXTERNAL-IP-LOCAL"), ElementsAre("192.0.2.80,tcp:81"));
  EXPECT_THAT(Members("KUBE-LOAD-BALANCER"),
              ElementsAre("203.0.113.80,tcp:80", "203.0.113.80,tcp:81"));
  EXPECT_THAT(Members("KUBE-LOAD-BALANCER-LOCAL"), ElementsAre("203.0.113.80,tcp:81"));
  EXPECT_THAT(Members("KUBE-NODE-PORT-TCP"), ElementsAre("30080", "30090"));
  EXPECT_THAT(Members("KUBE-6-NODE-PORT-UDP"), ElementsAre("30053", "30054"));
  EXPECT_THAT(Members("KUBE-NODE-PORT-SCTP-HASH"), ElementsAre("172.18.0.3,sctp:30038"));
  EXPECT_THAT(Members("KUBE-6-NODE-PORT-LOCAL-SCTP-HAS"), ElementsAre("fd00:172:18::3,sctp:30039"));
  EXPECT_THAT(Members("KUBE-LOOP-BACK"), ElementsAre("10.0.11.7,tcp:8080,10.0.11.7"));
  EXPECT_THAT(Members("KUBE-6-LOOP-BACK"), ElementsAre("fd00:10:11::7,udp:53,fd00:10:11::7"));
  EXPECT_THAT(Members("KUBE-IPVS-IPS"), ElementsAre("10.96.0.1/32", "203.0.113.80/32"));
  EXPECT_THAT(Members("KUBE-6-IPVS-IPS"), ElementsAre("fd00:10:96::a/128"));
  EXPECT_THAT(Members("KUBE-6-HEALTH-CHECK-NODE-PORT"), ElementsAre("32000"));
  EXPECT_THAT(Members("KUBE-LOAD-BALANCER-FW"), ElementsAre("203.0.113.80,tcp:80"));
  EXPECT_THAT(Members("KUBE-6-LOAD-BALANCER-FW"), ElementsAre("2001:db8:113::80,udp:53"));
  EXPECT_THAT(Members("KUBE-LOAD-BALANCER-SOURCE-CIDR"),
              ElementsAre("203.0.113.80,tcp:80,8.8.8.8/32", "203.0.113.80,tcp:80,10.16.0.0/14",
                          "203.0.113.80,sctp:9,0.0.0.0/0"));
  EXPECT_THAT(Members("KUBE-6-LOAD-BALANCER-SOURCE-CID"),
              ElementsAre("2001:db8:113::80,udp:53,fd00:10:11::/64"));
  EXPECT_THAT(Members("KUBE-LOAD-BALANCER-SOURCE-IP"),
              ElementsAre("203.0.113.80,tcp:80,10.32.0.1"));

  WriteFile(kSubnets);
  Reload(daemon);

  EXPECT_THAT(Names(), Not(Contains(HasSubstr("KUBE"))));
  EXPECT_EQ(Natrix({"sets", "KUBE-CLUSTER-IP"}).status, 6);
  EXPECT_EQ(Natrix({"sets", "KUBE-CLUSTER-IP", "--test", "10.96.0.1,tcp:443"}).status, 6);

  WriteFile(std::string(kSubnets) + "ipvs: {}\n");
  Reload(daemon);
  EXPECT_THAT(Members("KUBE-CLUSTER-IP"), ElementsAre());
}

TEST_F(SetsTest, CalicosAreThereWithItsPoolsOnly) {
  auto daemon = Start();
  EXPECT_THAT(Names(), Not(Contains(HasSubstr("cali"))));
  EXPECT_EQ(Natrix({"sets", "cali40masq-ipam-pools"}).status, 6);

  WriteFile(std::string(kSubnets) +
            "calico: {ipPools: [{name: a, cidr: 10.9.0.0/16, natOutgoing: true},\n"
            "  {name: b, cidr: 10.10.0.0/16, allowedUses: [LoadBalancer]}]}\n");
  Reload(daemon);
  EXPECT_THAT(Members("cali40masq-ipam-pools"), ElementsAre("10.9.0.0/16"));
  EXPECT_THAT(Members("cali40network-ip-pools"), ElementsAre("10.9.0.0/16"));
  EXPECT_THAT(Members("cali40all-ipam-pools"), ElementsAre("10.9.0.0/16", "10.10.0.0/16"));
  EXPECT_THAT(Members("cali60all-hosts-net"), ElementsAre());
}

TEST_F(SetsTest, InIpsetsFormAreWhatIpsetSavesAgain) {
  const auto daemon = Start();
  const std::string text = Natrix({"sets", "--format", "ipset"}).output;

  const auto restored = support::TryCommand(&node(), {"ipset", "restore"}, text);
  ASSERT_EQ(restored.status, 0) << restored.errors << text;
  const Saved ours = Parse(text);
  const Saved kernels = Parse(Run({"ipset", "save"}));

  EXPECT_EQ(ours.types, kernels.types);
  EXPECT_EQ(ours.members, kernels.members);
  EXPECT_THAT(text, HasSubstr("create ovn40subnets hash:net family inet hashsize 1024 maxelem "
                              "1048576\nadd ovn40subnets 10.0.11.0/24\n"));
  EXPECT_EQ(ours.types.at("KUBE-6-NODE-PORT-LOCAL-TCP"), "bitmap:port");
  // /0 is two halves, once.
  std::size_t halves = 0;
  for (const auto& [name, members] : ours.members) {
    halves += members.contains("128.0.0.0/1") && members.contains("0.0.0.0/1");
    halves += members.contains("8000::/1") && members.contains("::/1");
  }
  EXPECT_EQ(halves, 3U);
}

TEST_F(SetsTest, AnswerAsIpsetDoes) {
  const auto daemon = Start();
  ASSERT_EQ(support::TryCommand(&node(), {"ipset", "restore"},
                                Natrix({"sets", "--format", "ipset"}).output)
                .status,
            0);
  std::size_t yes = 0, no = 0;
  const auto compare = [&](const std::string& set, const std::string& member) {
    const bool has = IpsetHas(set, member);
    EXPECT_EQ(NatrixHas(set, member), has) << set << " " << member;
    ++(has ? yes : no);
  };

  for (const std::string& name : Names()) {
    if (name.starts_with("ovn40"))
      for (const char* address :
           {"10.0.11.7", "10.0.11.130", "10.0.12.7", "8.8.8.8", "203.0.113.9"})
        compare(name, address);
    if (name.starts_with("ovn60"))
      for (const char* address : {"fd00:10:11::7", "2001:db8::8", "2001:db9::"})
        compare(name, address);
    if (name == "KUBE-CLUSTER-IP")
      for (const char* service : {"10.96.0.1,tcp:443", "10.96.0.1,443", "10.96.0.1,udp:443",
                                  "10.96.0.10,sctp:9", "10.96.0.2,tcp:443"})
        compare(name, service);
    if (name == "KUBE-IPVS-IPS")
      for (const char* address : {"10.96.0.1", "203.0.113.80", "203.0.113.81"})
        compare(name, address);
    if (name == "KUBE-HEALTH-CHECK-NODE-PORT")
      for (const char* port : {"32000", "32001"}) compare(name, port);
    if (name == "KUBE-6-CLUSTER-IP")
      for (const char* service : {"fd00:10:96::a,udp:53", "fd00:10:96::a,tcp:53"})
        compare(name, service);
    if (name == "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS")
      for (const char* service : {"fd00:172:18::3,sctp:30039", "fd00:172:18::3,sctp:30038"})
        compare(name, service);
    if (name == "KUBE-LOOP-BACK")
      for (const char* loop : {"10.0.11.7,tcp:8080,10.0.11.7", "10.0.11.7,8080,10.0.11.7",
                               "10.0.11.7,udp:8080,10.0.11.7", "10.0.11.7,tcp:8080,10.0.11.8"})
        compare(name, loop);
    if (name == "KUBE-LOAD-BALANCER-SOURCE-CIDR")
      for (const char* call : {"203.0.113.80,tcp:80,10.17.0.1", "203.0.113.80,tcp:80,10.20.0.1",
                               "203.0.113.80,80,8.8.8.8", "203.0.113.80,udp:80,8.8.8.8",
                               "203.0.113.80,tcp:80,10.32.0.1", "203.0.113.80,sctp:9,192.0.2.1"})
        compare(name, call);
    if (name == "KUBE-LOAD-BALANCER-SOURCE-IP")
      for (const char* call : {"203.0.113.80,tcp:80,10.32.0.1", "203.0.113.80,tcp:80,10.17.0.1"})
        compare(name, call);
    if (name == "KUBE-LOAD-BALANCER-FW")
      for (const char* call : {"203.0.113.80,tcp:80", "203.0.113.80,tcp:81"}) compare(name, call);
    if (name.ends_with("-TCP") || name.ends_with("-UDP"))
      for (const char* port : {"30080", "30101", "30103", "30053"}) compare(name, port);
  }
  EXPECT_GT(yes, 20U);
  EXPECT_GT(no, 20U);
}

TEST_F(SetsTest, OneSetInIpsetsFormIsThatOneOnly) {
  const auto daemon = Start();

  const auto one = Natrix({"sets", "KUBE-NODE-PORT-LOCAL-UDP", "--format", "ipset"});

  EXPECT_EQ(one.output,
            "create KUBE-NODE-PORT-LOCAL-UDP bitmap:port range 0-65535\n"
            "add KUBE-NODE-PORT-LOCAL-UDP 30053\n");
}

TEST_F(SetsTest, WhatIsNoMemberOfSuchASetIsAMistake) {
  const auto daemon = Start();
  const auto status = [&](const char* set, const char* member) {
    return Natrix({"sets", set, "--test", member}).status;
  };

  EXPECT_EQ(status("ovn40subnets", "10.0.11.7,tcp:80"), 2);
  EXPECT_EQ(status("ovn40subnets", "net1"), 2);
  EXPECT_EQ(status("ovn40natpr-418e79269dc5-src", "30080"), 2);
  EXPECT_EQ(status("KUBE-CLUSTER-IP", "10.96.0.1"), 2);
  EXPECT_EQ(status("KUBE-CLUSTER-IP", "10.96.0.1,icmp:1"), 2);
  EXPECT_EQ(status("KUBE-CLUSTER-IP", "10.96.0.1,tcp:65536"), 2);
  EXPECT_EQ(status("KUBE-NODE-PORT-LOCAL-TCP", "http"), 2);
  EXPECT_EQ(status("KUBE-LOOP-BACK", "10.0.11.7,tcp:8080"), 2);
  EXPECT_EQ(status("KUBE-LOOP-BACK", "10.0.11.7"), 2);
  EXPECT_EQ(status("KUBE-LOOP-BACK", ""), 2);
  EXPECT_EQ(status("KUBE-LOAD-BALANCER-SOURCE-CIDR", "203.0.113.80,tcp:80"), 2);
  // Of the other family: a good question, and no.
  EXPECT_EQ(status("ovn40natpr-418e79269dc5-src", "fd00:10:11::7"), 1);
  EXPECT_EQ(status("KUBE-CLUSTER-IP", "fd00:10:96::a,udp:53"), 1);
  EXPECT_EQ(status("ovn40natpr-000000000000-src", "10.0.11.7"), 6);
  EXPECT_EQ(Natrix({"sets", "--format", "xml"}).status, 2);
  EXPECT_EQ(Natrix({"sets", "--format", "ipset", "--json"}).status, 2);
}

}  // namespace
}  // namespace natrix::netns
