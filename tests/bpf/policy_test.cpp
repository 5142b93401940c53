// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "maps/abi/subnet.h"
#include "tests/bpf/datapath.h"

// natOutgoingPolicyRules and the egress address of a centralized gateway: R8 to R11.
namespace natrix {
namespace {

using namespace support;
using model::PolicyAction;

constexpr PolicyAction kNat = PolicyAction::kNat;
constexpr PolicyAction kForward = PolicyAction::kForward;

std::vector<model::Prefix> Prefixes(const std::vector<std::string>& texts) {
  std::vector<model::Prefix> list;
  for (const std::string& text : texts) list.push_back(*model::Prefix::Parse(text));
  return list;
}

class Policy : public Datapath {
 protected:
  model::Subnet& subnet() { return config.subnets[0]; }
  void Rule(PolicyAction action, const std::vector<std::string>& sources,
            const std::vector<std::string>& destinations) {
    subnet().policies.push_back({.src_ips = {},
                                 .dst_ips = {},
                                 .sources = Prefixes(sources),
                                 .destinations = Prefixes(destinations),
                                 .action = action});
  }
  std::string Host(const char* address) const {
    return fmt::format("{}/{}", address, v6() ? 128 : 32);
  }
  std::string Every() const { return v6() ? "::/0" : "0.0.0.0/0"; }
  std::string Wide() const { return v6() ? "2001:db8::/32" : "198.51.0.0/16"; }
  std::string Elsewhere() const { return v6() ? "2001:db9::/32" : "192.0.2.0/24"; }
  model::Address Egress() const {
    return *model::Address::Parse(v6() ? "fd00:172:18::51" : "172.18.0.51");
  }
  void Centralize() {
    subnet().gateway_type = model::GatewayType::kCentralized;
    subnet().gateway_nodes = {{"node1", Egress()}};
  }
  // A flow of its own each time: what was decided about one stays.
  Outcome Out(const char* from, const char* to, std::uint32_t mark = 0) {
    PacketSpec spec = Udp(from, to);
    spec.sport = port_++;
    return Run(Hook::kOut, spec, mark);
  }
  Outcome Out() { return Out(cast().pod, cast().web); }

 private:
  std::uint16_t port_ = 41000;
};
NATRIX_BOTH_FAMILIES(Policy);

TEST_P(Policy, ForwardKeepsThePodsAddressAndSetsItsMark) {
  Rule(kForward, {Host(cast().pod)}, {Host(cast().web)});
  Apply();
  const Outcome out = Out();
  EXPECT_THAT(out, PassedFor(NX_R_KEEP_POLICY));
  EXPECT_EQ(out.src(), cast().pod);
  EXPECT_EQ(out.mark, 0x90002U);
}

TEST_P(Policy, NatMasqueradesAndClearsTheMark) {
  Rule(kNat, {Host(cast().pod)}, {Host(cast().web)});
  Apply();
  const Outcome out = Run(Hook::kOut, Udp(cast().pod, cast().web), 0x100);
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_POLICY));
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_EQ(out.mark, 0U);
}

TEST_P(Policy, BothSidesMustMatch) {
  Rule(kForward, {Host(cast().pod)}, {Elsewhere()});
  Rule(kForward, {Host(cast().other_pod)}, {Host(cast().web)});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(Policy, AnEmptySideIsAny) {
  Rule(kForward, {}, {Wide()});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP_POLICY));
  EXPECT_THAT(Out(cast().other_pod, cast().web), PassedFor(NX_R_KEEP_POLICY));
  EXPECT_THAT(Out(cast().pod, cast().router),
              PassedFor(v6() ? NX_R_KEEP_POLICY : NX_R_MASQ_OUTGOING));
  subnet().policies.clear();
  Rule(kForward, {Host(cast().pod)}, {});
  Apply();
  EXPECT_THAT(Out(cast().pod, cast().router), PassedFor(NX_R_KEEP_POLICY));
  EXPECT_THAT(Out(cast().other_pod, cast().router), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(Policy, BothSidesEmptyMatchNothing) {
  Rule(kForward, {}, {});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(Policy, EveryAddressIsARange) {
  Rule(kForward, {Every()}, {Every()});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP_POLICY));
}

TEST_P(Policy, RulesOfTheOtherFamilyMatchNothing) {
  Rule(kForward, {}, {v6() ? "0.0.0.0/0" : "::/0"});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(Policy, NatBeatsForwardInEitherOrder) {
  for (const bool nat_first : {true, false}) {
    subnet().policies.clear();
    Rule(nat_first ? kNat : kForward, {Host(cast().pod)}, {});
    Rule(nat_first ? kForward : kNat, {}, {Host(cast().web)});
    Apply();
    EXPECT_THAT(Out(cast().pod, cast().web), PassedFor(NX_R_MASQ_POLICY)) << nat_first;
  }
}

TEST_P(Policy, FirstMatchDecidesWhereThatIsAskedFor) {
  config.policy_order = model::PolicyOrder::kFirstMatch;
  Rule(kForward, {Host(cast().pod)}, {});
  Rule(kNat, {}, {Host(cast().web)});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP_POLICY));
  EXPECT_THAT(Out(cast().other_pod, cast().web), PassedFor(NX_R_MASQ_POLICY));
}

TEST_P(Policy, ANestedPrefixMatchesWhatIsAroundItToo) {
  Rule(kForward, {}, {Wide()});
  Rule(kNat, {Host(cast().other_pod)}, {Host(cast().web)});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP_POLICY)) << "its longest match has both bits";
  EXPECT_THAT(Out(cast().other_pod, cast().web), PassedFor(NX_R_MASQ_POLICY));
}

TEST_P(Policy, EveryOneOfTheMostRulesCounts) {
  for (int i = 0; i < NX_POLICY_RULES - 1; ++i) Rule(kForward, {Host(cast().pod)}, {Elsewhere()});
  Rule(kForward, {Host(cast().pod)}, {Host(cast().web)});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP_POLICY));
  subnet().policies.back().action = kNat;
  config.policy_order = model::PolicyOrder::kFirstMatch;
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_MASQ_POLICY)) << "the last bit of the last word";
}

TEST_P(Policy, IsNotAskedBetweenSubnetsNorForMarkedPackets) {
  Rule(kForward, {}, {Every()});
  Apply();
  EXPECT_THAT(Out(cast().pod, cast().kept_pod), PassedFor(NX_R_MASQ_SUBNETS));
  EXPECT_THAT(Out(cast().pod, cast().web, 0x4000), PassedFor(NX_R_MASQ_MARK));
}

TEST_P(Policy, NeedsNatOutgoing) {
  Rule(kNat, {}, {Every()});
  subnet().nat_outgoing = false;
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_KEEP));
}

TEST_P(Policy, IsItsSubnetsOwn) {
  Rule(kForward, {}, {Every()});
  config.subnets[1].nat_outgoing = true;
  Apply();
  EXPECT_THAT(Out(cast().kept_pod, cast().web), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(Policy, ACentralizedGatewayHasItsOwnAddress) {
  Centralize();
  Apply();
  const Outcome out = Run(Hook::kOut, Udp(cast().pod, cast().web), 0x100);
  EXPECT_THAT(out, PassedFor(NX_R_SNAT_EGRESS));
  EXPECT_EQ(out.src(), Egress().ToString());
  EXPECT_EQ(out.mark, 0x100U) << "SNAT --to-source leaves the mark";
  EXPECT_THAT(Out(cast().pod, cast().kept_pod), PassedFor(NX_R_MASQ_SUBNETS));
}

TEST_P(Policy, AnActiveGatewayIsThisNodeOrAllOfThem) {
  Centralize();
  subnet().gateway_nodes.insert(subnet().gateway_nodes.begin(), {"node2", std::nullopt});
  Apply();
  EXPECT_THAT(Out(), PassedFor(NX_R_MASQ_OUTGOING)) << "the first one is active";
  subnet().activate_gateway = "node1";
  Apply();
  EXPECT_THAT(Out(cast().other_pod, cast().web), PassedFor(NX_R_SNAT_EGRESS));
  subnet().activate_gateway = "node2";
  subnet().enable_ecmp = true;
  Apply();
  EXPECT_THAT(Out(cast().other_pod, cast().router), PassedFor(NX_R_SNAT_EGRESS));
}

// P6 of the measured cases.
TEST_P(Policy, PolicyNatGetsTheDevicesAddressNotTheGateways) {
  Centralize();
  Rule(kNat, {Host(cast().pod)}, {});
  Apply();
  const Outcome out = Out();
  EXPECT_THAT(out, PassedFor(NX_R_MASQ_POLICY));
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_THAT(Out(cast().other_pod, cast().web), PassedFor(NX_R_SNAT_EGRESS));
}

TEST_P(Policy, OrphansOfAnEgressAddressAreDropped) {
  Centralize();
  Apply();
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck)), DroppedFor(NX_R_ORPHAN));
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck), 0x4000), DroppedFor(NX_R_ORPHAN))
      << "mangle comes before nat";
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kFin | kAck)), PassedFor(NX_R_INVALID))
      << "C1c: a FIN is INVALID, and leaks";
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().kept_pod, kAck)), PassedFor(NX_R_MASQ_SUBNETS))
      << "not towards another subnet";
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web)), PassedFor(NX_R_SNAT_EGRESS))
      << "C1: the SYN after it is translated";
}

TEST_P(Policy, OrphansOfEveryNatSubnetAreDroppedWhereThatIsAskedFor) {
  config.orphan_drop = model::OrphanDrop::kNatOutgoing;
  Apply();
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().pod, cast().web, kAck)), DroppedFor(NX_R_ORPHAN));
  EXPECT_THAT(Run(Hook::kOut, Tcp(cast().kept_pod, cast().web, kAck)),
              PassedFor(NX_R_KEEP_NON_SYN));
}

}  // namespace
}  // namespace natrix
