// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/compile.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <bit>
#include <limits>
#include <string>
#include <vector>

namespace natrix::compile {
namespace {

using model::Address;
using model::Prefix;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Address Addr(const std::string& text) { return Address::Parse(text).value(); }
Prefix Net(const std::string& text) { return Prefix::Parse(text).value(); }

model::Subnet Subnet(const std::string& name, std::vector<std::string> cidrs, bool nat = false) {
  model::Subnet subnet;
  subnet.name = name;
  for (const std::string& cidr : cidrs) subnet.cidrs.push_back(Net(cidr));
  subnet.nat_outgoing = nat;
  return subnet;
}

// "10.16.0.0/16 subnets nat": an entry of nx_net as a test writes it.
std::string Show(const nx_prefix& prefix, const nx_net& net) {
  std::string text = Prefix::FromAbi(prefix).ToString();
  if (net.subnets) text += " subnets";
  if (net.subnets_nat) text += " nat";
  if (net.subnets_distributed_gw) text += " dist";
  if (net.services) text += " services";
  if (net.other_node) text += " node";
  if (net.floating_ip) text += " fip";
  return text;
}

std::vector<std::string> NetsOf(const model::Config& config) {
  std::vector<std::string> list;
  for (const auto& [prefix, net] : Compile(config, {}).net) list.push_back(Show(prefix, net));
  return list;
}

// "subnets-nat 10.16.0.0/16"
std::vector<std::string> SetsOf(const model::Config& config) {
  static constexpr const char* kNames[] = {
#define X(name, value, ipset, type) ipset,
      NX_SETS(X)
#undef X
  };
  std::vector<std::string> list;
  for (const auto& [key, member] : Compile(config, {}).set.All()) {
    const Prefix prefix{Address{key.addr}, static_cast<int>(member.length)};
    EXPECT_EQ(key.length, NX_SET_KEY_BITS + prefix.ToAbi().length);
    list.push_back(std::string(kNames[key.set]) + " " + prefix.ToString());
  }
  return list;
}

TEST(CompileSets, ASubnetIsInTheSetsItsFieldsSay) {
  model::Config config;
  config.subnets = {Subnet("nat", {"10.16.0.0/16", "fd00:10:16::/112"}, true),
                    Subnet("plain", {"10.17.0.0/16"})};
  config.subnets[1].gateway_type = model::GatewayType::kCentralized;

  EXPECT_THAT(SetsOf(config),
              UnorderedElementsAre(
                  "subnets 10.16.0.0/16", "subnets fd00:10:16::/112", "subnets-nat 10.16.0.0/16",
                  "subnets-nat fd00:10:16::/112", "subnets-distributed-gw 10.16.0.0/16",
                  "subnets-distributed-gw fd00:10:16::/112", "subnets 10.17.0.0/16"));
}

TEST(CompileSets, CentralizedSubnetsWithNatAreStillTranslated) {
  model::Config config;
  config.subnets = {Subnet("a", {"10.16.0.0/16"}, true)};
  config.subnets[0].gateway_type = model::GatewayType::kCentralized;

  EXPECT_THAT(NetsOf(config), ElementsAre("10.16.0.0/16 subnets nat"));
}

TEST(CompileSets, OtherVpcsAndUnderlaySubnetsAreInNone) {
  model::Config config;
  config.subnets = {Subnet("vpc", {"10.16.0.0/16"}, true),
                    Subnet("underlay", {"10.17.0.0/16"}, true),
                    Subnet("gateway", {"10.18.0.0/16"}, true)};
  config.subnets[0].vpc = "vpc-1";
  config.subnets[1].vlan = "vlan-100";
  config.subnets[2].vlan = "vlan-100";
  config.subnets[2].logical_gateway = true;

  EXPECT_THAT(SetsOf(config),
              UnorderedElementsAre("subnets 10.18.0.0/16", "subnets-nat 10.18.0.0/16",
                                   "subnets-distributed-gw 10.18.0.0/16"));
}

TEST(CompileSets, OtherNodesAreSingleAddresses) {
  model::Config config;
  config.other_nodes = {Addr("172.18.0.4"), Addr("fd00:172:18::4")};
  config.service_cidrs = {Net("10.96.0.0/12")};

  EXPECT_THAT(SetsOf(config),
              UnorderedElementsAre("other-node 172.18.0.4/32", "other-node fd00:172:18::4/128",
                                   "services 10.96.0.0/12"));
}

TEST(CompileNet, NestedPrefixHasTheMembershipOfAllAroundIt) {
  model::Config config;
  config.subnets = {Subnet("wide", {"10.0.0.0/8"}, true), Subnet("near", {"10.16.0.0/16"})};
  config.subnets[1].gateway_type = model::GatewayType::kCentralized;
  config.service_cidrs = {Net("10.16.5.0/24")};
  config.other_nodes = {Addr("10.16.5.9"), Addr("10.200.0.1")};

  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre("10.0.0.0/8 subnets nat dist", "10.16.0.0/16 subnets nat dist",
                                   "10.16.5.0/24 subnets nat dist services",
                                   "10.16.5.9/32 subnets nat dist services node",
                                   "10.200.0.1/32 subnets nat dist node"));
}

TEST(CompileNet, NestedPrefixesOfIpv6InheritToo) {
  model::Config config;
  config.subnets = {Subnet("wide", {"fd00::/16"}, true)};
  config.service_cidrs = {Net("fd00:10:96::/112")};
  config.other_nodes = {Addr("fd00:10:96::4"), Addr("fe00::1")};

  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre(
                  "fd00::/16 subnets nat dist", "fd00:10:96::/112 subnets nat dist services",
                  "fd00:10:96::4/128 subnets nat dist services node", "fe00::1/128 node"));
}

TEST(CompileNet, NeighboursInheritNothingFromEachOther) {
  model::Config config;
  config.subnets = {Subnet("a", {"10.16.0.0/24"}, true), Subnet("b", {"10.16.1.0/24"})};
  config.subnets[1].gateway_type = model::GatewayType::kCentralized;

  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre("10.16.0.0/24 subnets nat dist", "10.16.1.0/24 subnets"));
}

TEST(CompileNet, OnlyTheExactAddressIsAFloatingIp) {
  model::Config config;
  config.subnets = {Subnet("a", {"172.18.0.0/24"})};
  config.floating_ips = {{Addr("172.18.0.50"), Addr("10.16.0.10")},
                         {Addr("fd00::50"), Addr("fd00:10:16::a")}};

  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre("172.18.0.0/24 subnets dist", "172.18.0.50/32 subnets dist fip",
                                   "fd00::50/128 fip"));
}

TEST(CompileNet, AgreesWithAskingEachSetInTurn) {
  model::Config config;
  for (int i = 0; i < 64; ++i) {
    const std::string cidr = fmt::format("10.{}.0.0/{}", i, 16 + i % 3);
    config.subnets.push_back(Subnet(fmt::format("s{}", i), {cidr}, i % 2 == 0));
  }
  config.service_cidrs = {Net("10.0.0.0/11"), Net("10.8.0.0/14"), Net("10.9.0.0/20")};
  const Wanted wanted = Compile(config, {});

  for (int i = 0; i < 64; ++i) {
    for (const char* rest : {".0.1", ".16.1", ".70.1", ".200.1"}) {
      const Address address = Addr("10." + std::to_string(i) + rest);
      nx_net found{};
      int longest = -1;
      for (const auto& [prefix, net] : wanted.net) {
        const Prefix candidate{Address{prefix.addr}, static_cast<int>(prefix.length) - 96};
        if (!candidate.Contains(address) || candidate.length <= longest) continue;
        longest = candidate.length;
        found = net;
      }
      const auto in = [&](const Prefix& p) { return p.Contains(address); };
      EXPECT_EQ(found.services, std::ranges::any_of(config.service_cidrs, in));
      EXPECT_EQ(found.subnets, in(config.subnets[static_cast<std::size_t>(i)].cidrs[0]));
      EXPECT_EQ(found.subnets_nat, found.subnets && i % 2 == 0);
    }
  }
}

TEST(CompileNet, NothingWrittenMatchesNothing) {
  EXPECT_THAT(NetsOf({}), IsEmpty());
  EXPECT_THAT(SetsOf({}), IsEmpty());
}

TEST(CompileFip, HasBothSides) {
  model::Config config;
  config.floating_ips = {{Addr("172.18.0.50"), Addr("10.16.0.10")}};

  const auto fip = Compile(config, {}).fip;

  const nx_fip_key external{Addr("172.18.0.50").bytes, NX_FIP_EXTERNAL, {}};
  const nx_fip_key internal{Addr("10.16.0.10").bytes, NX_FIP_INTERNAL, {}};
  ASSERT_EQ(fip.size(), 2u);
  EXPECT_EQ(Address{fip.at(external).addr}, Addr("10.16.0.10"));
  EXPECT_EQ(Address{fip.at(internal).addr}, Addr("172.18.0.50"));
}

TEST(CompileFip, ThePodCallsItselfByTheFirstOne) {
  model::Config config;
  config.floating_ips = {{Addr("172.18.0.51"), Addr("10.16.0.10")},
                         {Addr("172.18.0.50"), Addr("10.16.0.10")}};

  const auto fip = Compile(config, {}).fip;

  EXPECT_EQ(fip.size(), 3u);
  const nx_fip_key internal{Addr("10.16.0.10").bytes, NX_FIP_INTERNAL, {}};
  EXPECT_EQ(Address{fip.at(internal).addr}, Addr("172.18.0.51"));
}

TEST(CompileScalars, TimeoutsAreJiffies) {
  model::Config config;
  model::Host host;
  host.hz = 250;

  const nx_config scalars = Compile(config, host).config;

  EXPECT_EQ(scalars.hz, 250u);
  EXPECT_EQ(scalars.timeout[NX_STATE_TCP_ESTABLISHED], 432000u * 250u);
  EXPECT_EQ(scalars.timeout[NX_STATE_UDP], 30u * 250u);
}

TEST(CompileScalars, TimeoutsStayBelowHalfOfTheClock) {
  model::Config config;
  config.timeout_seconds[NX_STATE_UDP] = std::numeric_limits<std::uint32_t>::max();
  model::Host host;
  host.hz = 1000;

  EXPECT_EQ(Compile(config, host).config.timeout[NX_STATE_UDP], 0x7fffffffu);
}

TEST(CompileScalars, AllMarksAreUntrusted) {
  const nx_config scalars = Compile({}, {}).config;

  EXPECT_EQ(scalars.mark_masquerade, 0x4000u);
  EXPECT_EQ(scalars.mark_local, 0x80000u);
  EXPECT_EQ(scalars.mark_policy_nat, 0x90001u);
  EXPECT_EQ(scalars.mark_policy_forward, 0x90002u);
  EXPECT_EQ(scalars.mark_untrusted, 0x94003u);
}

TEST(CompileScalars, TheFirstAddressOfEachFamilyIsTheNodes) {
  model::Config config;
  config.node.addresses = {Addr("fd00::3"), Addr("172.18.0.3"), Addr("172.18.0.4")};

  const nx_config scalars = Compile(config, {}).config;

  EXPECT_EQ(Address{scalars.node4}, Addr("172.18.0.3"));
  EXPECT_EQ(Address{scalars.node6}, Addr("fd00::3"));
}

TEST(CompileScalars, WithoutAnAddressTheNodesIsAllZero) {
  const nx_config scalars = Compile({}, {}).config;

  EXPECT_EQ(Address{scalars.node4}, Address{});
  EXPECT_EQ(Address{scalars.node6}, Address{});
}

TEST(CompileScalars, PortsComeFromBothInputs) {
  model::Config config;
  config.masquerade = {NX_PORT_KEEP, {{30000, 30001}, {65535, 65535}}};
  model::Host host;
  host.ephemeral = {1024, 2048};
  host.reserved = {{31, 32}};

  const Wanted wanted = Compile(config, host);

  EXPECT_EQ(wanted.config.port_choice, NX_PORT_KEEP);
  EXPECT_EQ(wanted.config.ephemeral_min, 1024);
  EXPECT_EQ(wanted.config.ephemeral_max, 2048);
  std::vector<unsigned> reserved;
  for (unsigned port = 0; port < 65536; ++port)
    if ((wanted.port[port / 32].reserved >> (port % 32) & 1) != 0) reserved.push_back(port);
  EXPECT_THAT(reserved, ElementsAre(31, 32, 30000, 30001, 65535));
}

TEST(Diff, OfTheSameIsEmpty) {
  model::Config config;
  config.node.uplinks = {"eth*"};
  config.subnets = {Subnet("a", {"10.16.0.0/16", "fd00::/112"}, true)};
  model::Host host;
  host.devices = {{2, "eth0", {{Addr("172.18.0.3"), 16}}}};
  const Wanted once = Compile(config, host);
  const Wanted again = Compile(config, host);

  EXPECT_TRUE(Diff(once.net, again.net).empty());
  EXPECT_TRUE(Diff(once.set, again.set).empty());
  EXPECT_TRUE(Diff(once.device, again.device).empty());
  EXPECT_TRUE(Diff(once.local, again.local).empty());
}

TEST(Diff, ASubnetMoreCostsItsOwnEntriesOnly) {
  model::Config config;
  for (int i = 0; i < 200; ++i)
    config.subnets.push_back(
        Subnet("s" + std::to_string(i), {"10." + std::to_string(i) + ".0.0/16"}, true));
  const Wanted before = Compile(config, {});
  config.subnets.push_back(Subnet("new", {"10.201.0.0/16"}, true));

  const auto edits = Diff(before.net, Compile(config, {}).net);

  EXPECT_THAT(edits.erase, IsEmpty());
  EXPECT_EQ(edits.write.size(), 1u);
}

}  // namespace
}  // namespace natrix::compile
