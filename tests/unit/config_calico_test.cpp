// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/broken.h"

// `calico`: Felix' words.
namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What stands behind `calico: {` begins at 3:10.
std::string Calico(const std::string& words) { return Node("calico: {" + words + "}\n"); }
std::string Pools(const std::string& pools) { return Calico("ipPools: [" + pools + "]"); }

TEST(ConfigCalico, IsReadWithAllItsWords) {
  const Loaded loaded = LoadText("t.yaml", R"(
node: {uplinks: [eth0], podDevices: ["cali*", vxlan.calico]}
calico:
  ipPools:
  - {name: default, cidr: 192.168.0.0/16, natOutgoing: true, allowedUses: [Workload, LoadBalancer]}
  - {name: outside, cidr: "fd00:1::/64", disabled: true, allowedUses: [LoadBalancer]}
  natOutgoingExclusions: IPPoolsAndHostIPs
  hosts: [172.18.0.4]
  natPortRange: 32768:65535
  natOutgoingAddress: 172.18.0.70, fd00::70
  natOutgoingInterfaceFilter: eth+
  tunnels: [vxlan.calico]
  vxlanPort: 4789
  metadata: {address: 172.18.0.4, port: 8776}
)");
  ASSERT_TRUE(loaded) << loaded.Render();
  EXPECT_THAT(loaded.warnings, IsEmpty());
  const model::Calico& calico = loaded.config->calico.value();
  ASSERT_EQ(calico.pools.size(), 2U);
  EXPECT_EQ(calico.pools[0].cidr.ToString(), "192.168.0.0/16");
  EXPECT_TRUE(calico.pools[0].nat_outgoing);
  EXPECT_FALSE(calico.pools[0].load_balancer_only) << "pods are in it, too";
  EXPECT_FALSE(calico.pools[1].nat_outgoing);
  EXPECT_TRUE(calico.pools[1].disabled);
  EXPECT_TRUE(calico.pools[1].load_balancer_only);
  EXPECT_TRUE(calico.exclude_hosts);
  EXPECT_EQ(calico.hosts.at(0).ToString(), "172.18.0.4");
  EXPECT_EQ(calico.port_range.value().first, 32768);
  EXPECT_EQ(calico.port_range.value().last, 65535);
  ASSERT_EQ(calico.nat_address.size(), 2U);
  EXPECT_EQ(calico.nat_address[1].ToString(), "fd00::70");
  EXPECT_EQ(calico.interface_filter, "eth+");
  EXPECT_THAT(calico.tunnels, ElementsAre("vxlan.calico"));
  EXPECT_EQ(calico.vxlan_port, 4789);
  EXPECT_EQ(calico.metadata.value().ToString(), "172.18.0.4:8776");
}

TEST(ConfigCalico, MetadataIsWhereFelixHasItUnlessItIsLeftOut) {
  const Loaded loaded = LoadText("t.yaml", Calico("metadata: {}"));
  ASSERT_TRUE(loaded) << loaded.Render();
  EXPECT_EQ(loaded.config->calico->metadata.value().ToString(), "127.0.0.1:8775");
  EXPECT_FALSE(LoadText("t.yaml", Calico("")).config->calico->metadata);
  EXPECT_TRUE(LoadText("t.yaml", Calico("metadata: {address: 127.0.0.5}")));
}

TEST(ConfigCalico, TunnelsAreOfAnyKind) {
  const Loaded loaded = LoadText("t.yaml", R"(
node: {uplinks: [eth0], podDevices: ["*.cali", tunl0]}
calico: {tunnels: [tunl0, wireguard.cali, wg-v6.cali]}
)");
  ASSERT_TRUE(loaded) << loaded.Render();
  EXPECT_THAT(loaded.config->calico.value().tunnels,
              ElementsAre("tunl0", "wireguard.cali", "wg-v6.cali"));
}

TEST(ConfigCalico, PortsOfTheRangeAreWrittenInThreeWays) {
  for (const auto& [text, first, last] :
       {std::tuple("20000-20099", 20000, 20099), std::tuple("\"20000:20099\"", 20000, 20099),
        std::tuple("20000", 20000, 20000)}) {
    const Loaded loaded = LoadText("t.yaml", Calico(fmt::format("natPortRange: {}", text)));
    ASSERT_TRUE(loaded) << loaded.Render();
    EXPECT_EQ(loaded.config->calico->port_range.value().first, first);
    EXPECT_EQ(loaded.config->calico->port_range.value().last, last);
  }
}

TEST(ConfigCalico, HostsThatNobodyAsksForAreWarnedOf) {
  const Loaded loaded = LoadText("t.yaml", Calico("hosts: [172.18.0.4]"));
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded.RenderWarnings(), HasSubstr("3:18: warning"));
  EXPECT_THAT(loaded.RenderWarnings(), HasSubstr("IPPoolsAndHostIPs"));
}

TEST(ConfigCalico, TheFilterIsThatOfIptables) {
  model::Calico calico;
  EXPECT_TRUE(PassesFilter(calico, "eth0"));
  calico.interface_filter = "eth0";
  EXPECT_TRUE(PassesFilter(calico, "eth0"));
  EXPECT_FALSE(PassesFilter(calico, "eth01"));
  calico.interface_filter = "eth+";
  EXPECT_TRUE(PassesFilter(calico, "eth"));
  EXPECT_TRUE(PassesFilter(calico, "eth01"));
  EXPECT_FALSE(PassesFilter(calico, "et"));
}

const std::vector<Broken> kBroken = {
    {"PoolWithoutName",
     Pools("{cidr: 10.0.0.0/8}"),
     {"3:21 an item of \"calico.ipPools\" has no \"name\""}},
    {"PoolWithoutCidr", Pools("{name: a}"), {"3:21 an item of \"calico.ipPools\" has no \"cidr\""}},
    {"HostBits",
     Pools("{name: a, cidr: 10.0.0.1/8}"),
     {"3:36 10.0.0.1/8 has host bits set"},
     "write 10.0.0.0/8"},
    {"EveryAddress", Pools("{name: a, cidr: 0.0.0.0/0}"), {"3:36 0.0.0.0/0 is every address"}},
    {"SecondName",
     Pools("{name: a, cidr: 10.0.0.0/8}, {name: a, cidr: 11.0.0.0/8}"),
     {"3:56 a second pool is called \"a\""},
     "the first one is at 3:27"},
    {"SecondCidr",
     Pools("{name: a, cidr: 10.0.0.0/8}, {name: b, cidr: 10.0.0.0/8}"),
     {"3:65 10.0.0.0/8 is a pool already"},
     "the first one is at 3:36"},
    {"FieldOfThePoolThatDecidesNothing",
     Pools("{name: a, cidr: 10.0.0.0/8, blockSize: 26}"),
     {"3:48 unknown key \"blockSize\" in an item of \"calico.ipPools\""},
     "this field of Calico's IPPool decides nothing about a node's translation: leave it out"},
    {"MisspeltField",
     Pools("{name: a, cidr: 10.0.0.0/8, natoutgoing: true}"),
     {"3:48 unknown key \"natoutgoing\" in an item of \"calico.ipPools\""},
     "did you mean \"natOutgoing\"?"},
    {"UnknownUse",
     Pools("{name: a, cidr: 10.0.0.0/8, allowedUses: [Pods]}"),
     {"3:62 \"Pods\" is no allowedUses"},
     "write one of: Workload, Tunnel, LoadBalancer"},
    {"UsesInOneWord",
     Pools("{name: a, cidr: 10.0.0.0/8, allowedUses: Tunnel}"),
     {"3:61 \"allowedUses\" must be a list of words"},
     "write `allowedUses: [Tunnel]`"},
    {"UnknownExclusion",
     Calico("natOutgoingExclusions: HostIPs"),
     {"3:33 \"HostIPs\" is no natOutgoingExclusions"}},
    {"HostTwice",
     Calico("natOutgoingExclusions: IPPoolsAndHostIPs, hosts: [10.0.0.1, 10.0.0.1]"),
     {"3:70 10.0.0.1 is written twice"}},
    {"HostIsNoAddress", Calico("hosts: [node2]"), {"3:18 \"node2\" is not an address"}},
    {"RangeBackwards",
     Calico("natPortRange: \"200:100\""),
     {"3:24 range 200:100 ends before it begins"},
     "write \"100:200\""},
    {"RangeWithPort0", Calico("natPortRange: 0-100"), {"3:24 there is no port 0"}},
    {"RangeTooLarge", Calico("natPortRange: 1-65536"), {"3:24 there is no port 65536"}},
    {"RangeOfThree",
     Calico("natPortRange: 1-2-3"),
     {"3:24 \"1-2-3\" is no port and no range of ports"},
     "write \"32768:65535\""},
    {"RangeIsAList",
     Calico("natPortRange: [1, 2]"),
     {"3:24 a list where a range of ports belongs"}},
    {"AddressTwiceInAFamily",
     Calico("natOutgoingAddress: \"10.0.0.1,10.0.0.2\""),
     {"3:40 10.0.0.2 is a second IPv4 address"},
     "\"natOutgoingAddress\" has one of each family; the first one is at 3:31"},
    {"AddressIsNone", Calico("natOutgoingAddress: 10.0.0"), {"3:30 \"10.0.0\" is not an address"}},
    {"FilterIsAPatternOfTheShell",
     Calico("natOutgoingInterfaceFilter: eth*"),
     {"3:38 \"eth*\" is no device name"},
     "write one of up to 15 characters, or `eth+` for all that begin with \"eth\""},
    {"FilterIsTooLong",
     Calico("natOutgoingInterfaceFilter: abcdefghijklmnop"),
     {"3:38 \"abcdefghijklmnop\" is no device name"}},
    {"FilterWithThePlusInside",
     Calico("natOutgoingInterfaceFilter: e+h"),
     {"3:38 \"e+h\" is no device name"}},
    {"TunnelThatIsNotManaged",
     Calico("tunnels: [vxlan.calico]"),
     {"3:20 natrix does not manage \"vxlan.calico\""},
     "add it to \"node.podDevices\""},
    {"TunnelIsAPattern", Calico("tunnels: [\"vxlan*\"]"), {"3:20 \"vxlan*\" is a pattern"}},
    {"TunnelTwice", Calico("tunnels: [ovn0, ovn0]"), {"3:26 \"ovn0\" is written twice"}},
    {"VxlanPort0", Calico("vxlanPort: 0"), {"3:21 0 is too small"}},
    {"MetadataOfIpv6",
     Calico("metadata: {address: \"fd00::4\"}"),
     {"3:30 fd00::4 serves no metadata"},
     "write the IPv4 address of a host: who asks has one, too"},
    {"MetadataAtAnyAddress",
     Calico("metadata: {address: 0.0.0.0}"),
     {"3:30 0.0.0.0 is the unspecified address"}},
    {"MetadataAtLocalhostOfIpv6",
     Calico("metadata: {address: \"::1\"}"),
     {"3:30 ::1 serves no metadata"}},
    {"MetadataAtPort0", Calico("metadata: {port: 0}"), {"3:27 0 is too small"}},
    {"MetadataIsAnAddress",
     Calico("metadata: none"),
     {"3:20 \"calico.metadata\" must be a mapping"}},
    {"MetadataIsAFloatingIp",
     Calico("metadata: {}") + "floatingIPs: [{external: 169.254.169.254, internal: 10.0.0.1}]\n",
     {"4:26 169.254.169.254 is where metadata is called"},
     "a floating IP would have all of it: leave out one of the two"},
    {"UnknownWord",
     Calico("ippools: []"),
     {"3:10 unknown key \"ippools\" in \"calico\""},
     "did you mean \"ipPools\"?"},
};

class BrokenCalico : public BrokenConfig {};

TEST_P(BrokenCalico, IsRefusedWithItsPlace) {
  const Loaded loaded = LoadText("t.yaml", GetParam().text);

  EXPECT_FALSE(loaded);
  EXPECT_THAT(Problems(loaded), testing::ElementsAreArray(GetParam().problems)) << loaded.Render();
  if (!GetParam().help.empty() && !loaded.diagnostics.empty()) {
    EXPECT_EQ(loaded.diagnostics[0].help, GetParam().help);
  }
}

INSTANTIATE_TEST_SUITE_P(Calico, BrokenCalico, testing::ValuesIn(kBroken), NameOf);

}  // namespace
}  // namespace natrix::config
