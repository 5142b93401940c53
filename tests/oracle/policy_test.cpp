// SPDX-License-Identifier: Apache-2.0
//
// natOutgoingPolicyRules: OVN-NAT-POLICY and its chains, R8 to R10.  P1 to P8 are the measured
// cases, F6 to F8 the flows.
#include "tests/oracle/oracle_fixture.h"
#include "tests/oracle/policies.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kRst;
using support::kSyn;

class Policy : public Oracle {
 protected:
  void SetRules(std::vector<model::PolicyRule> rules) {
    Change("ovn-default", [&](model::Subnet& subnet) { subnet.policies = std::move(rules); });
  }
  std::string Around(const std::string& address, int v4, int v6) const {
    const int length = family() == Family::kIpv4 ? v4 : v6;
    return model::Prefix{model::Address::Parse(address).value(), length}
        .WithoutHostBits()
        .ToString();
  }
  std::string Everything() const { return family() == Family::kIpv4 ? "0.0.0.0/0" : "::/0"; }
  PacketSpec Call(const std::string& src, const std::string& dst) {
    PacketSpec spec = Udp(src, dst);
    spec.sport = next_port_++;
    return spec;
  }
  // Whether a new flow keeps the pod's address, with the mark of that decision, or is masqueraded.
  testing::AssertionResult Forwarded(Place from, const std::string& src, const std::string& dst) {
    exchange_.Send(from, Call(src, dst));
    return Arrives(exchange_, {.src = src, .dst = dst, .mark = 0x90002});
  }
  testing::AssertionResult Masqueraded(Place from, const std::string& src, const std::string& dst) {
    exchange_.Send(from, Call(src, dst));
    return Arrives(exchange_, {.src = cast().node, .dst = dst, .port_changed = true});
  }

  std::uint16_t next_port_ = 40000;
};
ORACLE_FAMILIES(Policy);

TEST_P(Policy, P1_F6_F8_ForwardKeepsThePodsAddressAndOthersAreTranslated) {
  SetRules({Forward(cast().pod1, cast().web)});
  EXPECT_TRUE(Forwarded(Place::kPod1, cast().pod1, cast().web));
  // The mark is the first packet's: the nat table sees no other.
  exchange_.Repeat();
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
  exchange_.Reply(Place::kOutside, {.payload = 9});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));

  EXPECT_TRUE(Masqueraded(Place::kPod1, cast().pod1, cast().web2));
  EXPECT_TRUE(Masqueraded(Place::kPod2, cast().pod2, cast().web));
}

TEST_P(Policy, F6_EveryFragmentOfAForwardedDatagramHasTheMark) {
  SetRules({Forward("", cast().web)});
  PacketSpec large = Call(cast().pod1, cast().web);
  large.payload = 3000;
  large.fragment = 1200;
  large.id = 83;
  exchange_.Send(Place::kPod1, large);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 3U) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right)
    EXPECT_EQ(seen.mark, 0x90002U) << exchange_.transcript();
}

TEST_P(Policy, P2_F7_NatIsMasqueradedAndItsMarkCleared) {
  SetRules({Nat("", cast().web), Forward("", cast().web2)});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  EXPECT_TRUE(Forwarded(Place::kPod1, cast().pod1, cast().web2));
}

// Kube-OVN's documentation says that the first one decides; its rules do this.
TEST_P(Policy, P3_P4_NatBeatsForwardInEitherOrder) {
  const model::PolicyRule nat = Nat(cast().pod1, cast().web);
  const model::PolicyRule forward = Forward(cast().pod1, Around(cast().web, 24, 64));
  for (const auto& rules : {std::vector{nat, forward}, std::vector{forward, nat}}) {
    SetRules(rules);
    EXPECT_TRUE(Masqueraded(Place::kPod1, cast().pod1, cast().web));
  }
}

// policyOrder: first-match, for which iptables rules would have to be written otherwise.
TEST_P(Policy, FirstMatchIsWhatTheDocumentationSaysAndTheRulesAreNot) {
  model::Config config = nodes_.config();
  config.policy_order = model::PolicyOrder::kFirstMatch;
  nodes_.Apply(config);
  const model::PolicyRule forward = Forward(cast().pod1, cast().web);
  const model::PolicyRule nat = Nat("", Around(cast().web, 24, 64));
  const Arrival kept{.src = cast().pod1, .dst = cast().web, .mark = 0x90002};
  const Arrival translated{.src = cast().node, .dst = cast().web, .port_changed = true};

  SetRules({forward, nat});
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().web));
  EXPECT_TRUE(LeftShows(exchange_, translated));
  EXPECT_TRUE(RightShows(exchange_, kept));

  // Where they do not meet, and the other way round, there is no difference.
  Exchange after(nodes_);
  after.Send(Place::kPod2, Call(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(after, translated));
  SetRules({nat, forward});
  after.Send(Place::kPod1, Call(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(after, translated));
}

TEST_P(Policy, P7_ASideLeftOutIsAnyAndARuleWithoutSidesMatchesNothing) {
  SetRules({Forward(cast().pod1, "")});
  EXPECT_TRUE(Forwarded(Place::kPod1, cast().pod1, cast().web));
  EXPECT_TRUE(Masqueraded(Place::kPod2, cast().pod2, cast().web));
  SetRules({Forward("", cast().web)});
  EXPECT_TRUE(Forwarded(Place::kPod2, cast().pod2, cast().web));
  EXPECT_TRUE(Masqueraded(Place::kPod2, cast().pod2, cast().web2));
  SetRules({Forward("", "")});
  EXPECT_TRUE(Masqueraded(Place::kPod1, cast().pod1, cast().web));
}

// Kube-OVN's daemon accepts /0 and dies of it, for ipset refuses it: the left side has two halves.
TEST_P(Policy, P8_EverythingIsAPrefixToo) {
  SetRules({Forward(Everything(), cast().web)});
  EXPECT_TRUE(Forwarded(Place::kPod1, cast().pod1, cast().web));
  EXPECT_TRUE(Masqueraded(Place::kPod1, cast().pod1, cast().web2));
  SetRules({Forward(Around(cast().pod1, 31, 127), Everything()), Nat("", cast().web2)});
  EXPECT_TRUE(Forwarded(Place::kPod2, cast().pod2, cast().web));
  EXPECT_TRUE(Masqueraded(Place::kPod2, cast().pod2, cast().web2));
}

TEST_P(Policy, NestedAndOverlappingPrefixesAllMatch) {
  SetRules({Forward(Around(cast().pod1, 24, 112), Around(cast().web, 8, 32)),
            Nat(cast().pod2 + "," + cast().web2, Around(cast().web, 24, 48)),
            Nat(cast().pod1, Around(cast().web, 31, 127)), Forward(cast().pod1, cast().web)});
  const std::string beside = family() == Family::kIpv4 ? "8.8.8.7" : "2001:db8:8::7";
  const std::string near = family() == Family::kIpv4 ? "8.200.0.1" : "2001:db8:ffff::1";
  EXPECT_TRUE(Masqueraded(Place::kPod1, cast().pod1, cast().web));
  EXPECT_TRUE(Forwarded(Place::kPod1, cast().pod1, beside));
  EXPECT_TRUE(Masqueraded(Place::kPod2, cast().pod2, beside));
  EXPECT_TRUE(Forwarded(Place::kPod2, cast().pod2, near));
}

// R3 and R6 come before, and mangle before all.
TEST_P(Policy, IsNotAskedAboutSubnetsAndSegmentsWithoutSyn) {
  SetRules({Nat("", Everything())});
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web2, kRst));
  EXPECT_TRUE(Vanishes(exchange_));
  SetRules({Forward("", Everything())});
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  // P1's mark, and so R2, too.
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().service));
  EXPECT_TRUE(
      Arrives(exchange_, {.src = cast().node, .dst = cast().service, .port_changed = true}));
}

TEST_P(Policy, WithoutNatOutgoingThereIsNone) {
  Change("no-nat", [&](model::Subnet& subnet) { subnet.policies = {Nat("", cast().web)}; });
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().web}));
}

TEST_P(Policy, AnotherOneDoesNotTouchFlowsThatAreThere) {
  SetRules({Forward("", cast().web)});
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web, .mark = 0x90002}));
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().web2));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2, .port_changed = true}));
  SetRules({Forward("", cast().web2), Nat("", cast().web)});
  exchange_.Repeat();
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web2, .port_changed = true}));
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_TRUE(Forwarded(Place::kPod2, cast().pod2, cast().web2));
}

// Bits that a socket of the node set and those of a policy are one mark: 0x10001 and 0x90002 make
// 0x90003, which R9 finds its own in.
TEST_P(Policy, MarksAddUp) {
  Change("join", [&](model::Subnet& subnet) {
    subnet.nat_outgoing = true;
    subnet.policies = {Forward("", cast().web)};
  });
  exchange_.SendFromNode(Call(cast().join, cast().web), 0x10001);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = cast().web, .port_changed = true}));
  exchange_.SendFromNode(Call(cast().join, cast().web), 0x20000000);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().join, .dst = cast().web, .mark = 0x20090002}));
}

}  // namespace
}  // namespace natrix::oracle
