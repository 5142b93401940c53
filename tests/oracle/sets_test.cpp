// SPDX-License-Identifier: Apache-2.0
//
// Who is in the well-known sets: the kernel's ipset on the left and `natrix sets` on the right are
// asked about the same addresses.
#include <fmt/core.h>

#include <algorithm>

#include "tests/oracle/dice.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/kube_ovn.h"
#include "tests/oracle/oracle_fixture.h"
#include "tests/oracle/policies.h"
#include "tests/support/process.h"

namespace natrix::oracle {
namespace {

using model::Address;
using model::Prefix;

class Sets : public Oracle {
 protected:
  // Prefixes in and beside one another, of every length: subnets of a VLAN each may share
  // addresses, Service CIDRs may lie in one another.
  void NestAtRandom(Dice& dice) {
    model::Config config = nodes_.config();
    config.subnets.clear();
    config.service_cidrs.clear();
    config.other_nodes.clear();
    for (int i = 0; i < 40; ++i) {
      model::Subnet subnet;
      subnet.name = fmt::format("subnet-{}", i);
      subnet.vlan = fmt::format("vlan-{}", i);
      subnet.logical_gateway = !dice.Chance(15);
      if (dice.Chance(10)) subnet.vpc = "vpc-1";
      subnet.cidrs = {AnyPrefix(dice, Family::kIpv4), AnyPrefix(dice, Family::kIpv6)};
      subnet.nat_outgoing = dice.Chance(60);
      if (dice.Chance(50)) subnet.gateway_type = model::GatewayType::kCentralized;
      if (dice.Chance(50)) subnet.policies = {Nat(dice.Chance(50) ? "10.0.0.0/8" : "fd00::/8", "")};
      config.subnets.push_back(std::move(subnet));
    }
    for (int i = 0; i < 12; ++i)
      for (const Family each : {Family::kIpv4, Family::kIpv6}) {
        AddNew(config.service_cidrs, AnyPrefix(dice, each));
        AddNew(config.other_nodes, AnyAddress(dice, each));
      }
    config.floating_ips.clear();
    AddPools(dice, config.calico.emplace());
    nodes_.Apply(config);
  }

  static void AddPools(Dice& dice, model::Calico& calico) {
    std::vector<Prefix> cidrs;
    for (int i = 0; i < 16; ++i)
      for (const Family each : {Family::kIpv4, Family::kIpv6}) {
        AddNew(cidrs, AnyPrefix(dice, each));
        AddNew(calico.hosts, AnyAddress(dice, each));
      }
    for (const Prefix& cidr : cidrs)
      calico.pools.push_back({.name = fmt::format("pool-{}", calico.pools.size()),
                              .cidr = cidr,
                              .nat_outgoing = dice.Chance(50),
                              .disabled = dice.Chance(20),
                              .load_balancer_only = dice.Chance(30)});
    calico.exclude_hosts = true;
  }

  template <typename T>
  static void AddNew(std::vector<T>& list, const T& item) {
    if (std::ranges::find(list, item) == list.end()) list.push_back(item);
  }

  // Few enough that many meet: 8 bits of chance at three places of the address.
  static Address AnyAddress(Dice& dice, Family family) {
    const std::uint32_t a = dice.Below(3), b = dice.Below(4), c = dice.Below(8);
    return Address::Parse(family == Family::kIpv4 ? fmt::format("10.{}.{}.{}", a, b, c)
                                                  : fmt::format("fd00:{}:{}::{}", a, b, c))
        .value();
  }
  static Prefix AnyPrefix(Dice& dice, Family family) {
    static const std::vector<int> kLengths4{8, 14, 15, 16, 20, 22, 23, 24, 28, 29, 30, 31, 32};
    static const std::vector<int> kLengths6{16, 30, 31, 32, 40, 46, 47, 48, 96, 125, 126, 127, 128};
    const int length = dice.Pick(family == Family::kIpv4 ? kLengths4 : kLengths6);
    return Prefix{AnyAddress(dice, family), length}.WithoutHostBits();
  }

  bool Has(Side& side, const std::string& set, const std::string& address) {
    const bool left = &side == &nodes_.left();
    const support::Finished finished = support::TryCommand(
        &side.scene.node(),
        left ? support::Argv{"ipset", "test", set, address}
             : support::Argv{ProgramPath("natrix"), "sets", set, "--test", address});
    EXPECT_LE(finished.status, 1) << finished.errors << finished.output;
    return finished.status == 0;
  }
};
ORACLE_FAMILIES(Sets);

TEST_P(Sets, HoldTheSameAddressesHoweverPrefixesNest) {
  Dice dice(3, 0, static_cast<std::uint32_t>(family()));
  NestAtRandom(dice);
  std::size_t members = 0, asked = 0;
  std::vector<std::string> sets;
  for (const char* name : {"subnets", "subnets-nat", "subnets-distributed-gw", "services",
                           "other-node", "subnets-nat-policy", "local-pod-ip-nat"})
    sets.push_back(OvnPrefix(family()) + std::string(name));
  for (const char* name :
       {"masq-ipam-pools", "network-ip-pools", "all-ipam-pools", "all-hosts-net"})
    sets.push_back((family() == Family::kIpv4 ? "cali40" : "cali60") + std::string(name));
  for (const std::string& set : sets) {
    for (int i = 0; i < 24; ++i, ++asked) {
      const std::string address = AnyAddress(dice, family()).ToString();
      const bool in = Has(nodes_.left(), set, address);
      EXPECT_EQ(Has(nodes_.right(), set, address), in) << set << " " << address;
      members += in;
    }
  }
  // Chance must have tried both answers.
  EXPECT_GT(members, asked / 5);
  EXPECT_LT(members, asked * 4 / 5);
}

}  // namespace
}  // namespace natrix::oracle
