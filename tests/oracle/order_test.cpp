// SPDX-License-Identifier: Apache-2.0
//
// Packets that two rules of OVN-POSTROUTING match: the earlier one decides.  R8 to R12 among
// themselves are in policy_test.cpp and centralized_test.cpp.
#include "tests/oracle/oracle_fixture.h"
#include "tests/oracle/policies.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class Order : public Oracle {
 protected:
  // The node sends with a mark; each time from another port.
  void Send(PacketSpec spec, std::uint32_t mark) {
    spec.sport = next_port_++;
    exchange_.SendFromNode(spec, mark);
  }
  Arrival Masqueraded(Place place, const std::string& src, const std::string& dst) const {
    return {place, src, dst, true};
  }

  std::uint16_t next_port_ = 40000;
};
ORACLE_FAMILIES(Order);

TEST_P(Order, TheMasqueradeMarkIsAskedFirst) {
  // R1, R2: the same but for the source, and R1 leaves the mark.
  Send(Udp(cast().service, cast().pod1), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().node, cast().pod1, true, 0x4000}));
  Send(Udp(cast().node, cast().pod1), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kPod1, cast().join, cast().pod1)));
  // R2, R4: to a distributed gateway's pod.  R2, R6: a first segment without SYN.
  Send(Udp(cast().node, cast().pod1), 0x84000);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kPod1, cast().join, cast().pod1)));
  Send(Tcp(cast().node_second, cast().web, kAck), 0x4000);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kOutside, cast().node, cast().web)));
  // R2, R10.
  Send(Udp(cast().node_second, cast().web), 0x94002);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kOutside, cast().node, cast().web)));
}

TEST_P(Order, SubnetsAndTheLocalMarkComeNext) {
  // R3, R4.
  Send(Udp(cast().join, cast().pod1), 0x80000);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kPod1, cast().join, cast().pod1)));
  // R3, R6.
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().pod3, kAck));
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kPod3, cast().join, cast().pod3)));
  // R4, R6; R5, R6.
  Send(Tcp(cast().node, cast().pod1, kAck), 0x80000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().node, cast().pod1, false, 0x80000}));
  Send(Tcp(cast().node_second, cast().web, kAck), 0x80000);
  EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kOutside, cast().node, cast().web)));
  // R5, R9 and R10: bit 19 is in both policy marks.
  for (const std::uint32_t mark : {0x90001U, 0x90002U, 0x90004U}) {
    Send(Udp(cast().node_second, cast().web), mark);
    EXPECT_TRUE(Arrives(exchange_, Masqueraded(Place::kOutside, cast().node, cast().web)));
  }
}

// R6, R8; R6, R11 where no rule of mangle drops it before; R7, R12.
TEST_P(Order, WhatIsLeftAloneComesBeforePolicies) {
  Change("ovn-default", [&](model::Subnet& subnet) {
    subnet.policies = {Nat(cast().pod1, ""), Forward(cast().pod2, "")};
  });
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod1, .dst = cast().web}));
  exchange_.Send(Place::kPod2, Tcp(cast().pod2, cast().web, kAck));
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod2, .dst = cast().web}));
  exchange_.Send(Place::kOutside, Tcp(cast().client, cast().pod1, kSyn));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
}

}  // namespace
}  // namespace natrix::oracle
