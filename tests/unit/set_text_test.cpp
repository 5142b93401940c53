// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "userspace/cli/ipset_text.h"
#include "userspace/cli/set_list.h"

namespace natrix::cli {
namespace {

using model::Family;
using model::Prefix;

NamedSet SetOf(const char* name, const std::vector<const char*>& prefixes) {
  NamedSet set{.name = *ParseSetName(name), .members = {}};
  for (const char* prefix : prefixes) set.members.push_back({.prefix = *Prefix::Parse(prefix)});
  return set;
}

TEST(SetName, TellsFamilyKindAndRule) {
  EXPECT_EQ(ParseSetName("ovn60subnets")->family, Family::kIpv6);
  EXPECT_EQ(ParseSetName("ovn40local-pod-ip-nat")->type, "hash:ip");
  const auto rule = ParseSetName("ovn60natpr-418e79269dc5-dst");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->id, NX_SET_RULE_DST);
  EXPECT_EQ(rule->rule, "418e79269dc5");
  EXPECT_EQ(rule->family, Family::kIpv6);
  EXPECT_EQ(ParseSetName("cali40all-hosts-net")->id, NX_SET_CALI_HOSTS);
  EXPECT_EQ(ParseSetName("cali60network-ip-pools")->family, Family::kIpv6);
  EXPECT_EQ(ParseSetName("KUBE-6-CLUSTER-IP")->kind, SetName::Kind::kService);
  EXPECT_EQ(ParseSetName("KUBE-NODE-PORT-LOCAL-UDP")->protocol, NX_L4_UDP);
  EXPECT_EQ(ParseSetName("KUBE-6-IPVS-IPS")->kind, SetName::Kind::kAddress);
  EXPECT_EQ(ParseSetName("KUBE-6-HEALTH-CHECK-NODE-PORT")->kind, SetName::Kind::kPort);
}

TEST(SetName, IsNothingElse) {
  for (const char* name :
       {"", "ovn40", "subnets", "ovn50subnets", "ovn40subnets ", "ovn40natpr-418e79269dc5",
        "ovn40natpr-418e79269dc-src", "ovn40natpr-418e79269dc55-src", "ovn40natpr-418E79269DC5-src",
        "ovn40natpr-418e79269dc5-any", "ovn40natpr-418e79269dc5-src-", "KUBE-CLUSTER-IP6",
        "KUBE-4-CLUSTER-IP", "cali4-masq-ipam-pools", "cali40subnets", "ovn40masq-ipam-pools"})
    EXPECT_FALSE(ParseSetName(name)) << name;
}

TEST(SetMemberText, IsReadAsItIsWritten) {
  const SetName services = *ParseSetName("KUBE-CLUSTER-IP");
  for (const char* text : {"10.96.0.1,tcp:443", "10.96.0.1,udp:53", "10.96.0.1,sctp:9"})
    EXPECT_EQ(ToText(services, *ParseMember(services, text)), text);
  const SetName services6 = *ParseSetName("KUBE-6-CLUSTER-IP");
  EXPECT_EQ(ToText(services6, *ParseMember(services6, "fd00::a,udp:53")), "fd00::a,udp:53");
  const SetName ports = *ParseSetName("KUBE-NODE-PORT-LOCAL-UDP");
  EXPECT_EQ(ToText(ports, *ParseMember(ports, "30053")), "30053");
  EXPECT_EQ(ToText(services, *ParseMember(services, "10.96.0.1,443")), "10.96.0.1,tcp:443");
  const SetName addresses = *ParseSetName("KUBE-IPVS-IPS");
  EXPECT_EQ(ToText(addresses, *ParseMember(addresses, "10.96.0.1")), "10.96.0.1/32");
  EXPECT_FALSE(ParseMember(addresses, "10.96.0.1,tcp:443"));
}

TEST(IpsetText, OfOneAddressHasNoLength) {
  EXPECT_EQ(IpsetText({SetOf("ovn40other-node", {"172.18.0.4/32", "172.18.0.8/31"})}),
            "create ovn40other-node hash:net family inet hashsize 1024 maxelem 1048576\n"
            "add ovn40other-node 172.18.0.4\n"
            "add ovn40other-node 172.18.0.8/31\n");
  EXPECT_EQ(IpsetText({SetOf("ovn60other-node", {"fd00::4/128"})}),
            "create ovn60other-node hash:net family inet6 hashsize 1024 maxelem 1048576\n"
            "add ovn60other-node fd00::4\n");
}

TEST(IpsetText, OfEveryAddressIsItsHalvesOnce) {
  EXPECT_EQ(
      IpsetText({SetOf("ovn40natpr-418e79269dc5-src", {"0.0.0.0/0", "0.0.0.0/1"})}),
      "create ovn40natpr-418e79269dc5-src hash:net family inet hashsize 1024 maxelem 1048576\n"
      "add ovn40natpr-418e79269dc5-src 0.0.0.0/1\n"
      "add ovn40natpr-418e79269dc5-src 128.0.0.0/1\n");
  EXPECT_EQ(
      IpsetText({SetOf("ovn60natpr-418e79269dc5-dst", {"::/0"})}),
      "create ovn60natpr-418e79269dc5-dst hash:net family inet6 hashsize 1024 maxelem 1048576\n"
      "add ovn60natpr-418e79269dc5-dst ::/1\n"
      "add ovn60natpr-418e79269dc5-dst 8000::/1\n");
}

}  // namespace
}  // namespace natrix::cli
