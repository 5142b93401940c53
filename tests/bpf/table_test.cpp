// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>

#include "tests/bpf/datapath.h"

// The flow tables under pressure: halves lost, tables full, keys taken.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class Table : public Datapath {
 protected:
  nx_tuple Key(const PacketSpec& spec) const { return TupleOf(Build(spec, kMacs)[0]); }
};
NATRIX_BOTH_FAMILIES(Table);

TEST_P(Table, AHalfThatLostItsPartnerMakesItAgain) {
  const PacketSpec spec = Udp(cast().pod, cast().web);
  const Outcome first = Run(Hook::kOut, spec);
  const PacketSpec answer = Answer(first, spec);
  EraseEmbryo(Key(answer));
  const Outcome second = Run(Hook::kOut, spec);
  EXPECT_EQ(second.sport(), first.sport());
  EXPECT_TRUE(Embryo(Key(answer)));

  EraseEmbryo(Key(spec));
  EXPECT_EQ(Run(Hook::kUplinkIn, answer).dst(), cast().pod);
  EXPECT_TRUE(Established(Key(spec))) << "made again from the reply half, and established";
}

TEST_P(Table, AHalfWhosePartnersKeyWasTakenStartsOver) {
  const PacketSpec spec = Udp(cast().pod, cast().web);
  const Outcome first = Run(Hook::kOut, spec);
  const nx_tuple reply = Key(Answer(first, spec));
  nx_flow other = *Embryo(reply);
  EraseEmbryo(reply);
  other.dport = htobe16(1);  // somebody else's now
  SetEmbryo(reply, other);
  const Outcome second = Run(Hook::kOut, spec);
  EXPECT_THAT(second, PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_NE(second.sport(), first.sport()) << "one tuple must not be shared";
}

TEST_P(Table, AFloodOfNewFlowsPushesOutNoEstablishedOne) {
  const PacketSpec spec = Udp(cast().pod, cast().web);
  const Outcome first = Run(Hook::kOut, spec);
  Run(Hook::kUplinkIn, Answer(first, spec));
  PacketSpec flood = Udp(cast().other_pod, cast().web);
  for (int i = 0; i < 3000; ++i) {
    flood.sport = static_cast<std::uint16_t>(2000 + i);
    Run(Hook::kOut, flood);
  }
  EXPECT_LE(CountEmbryos(), 1024U);
  const Outcome later = Run(Hook::kOut, spec);
  EXPECT_THAT(later, PassedFor(NX_R_FLOW_TRANSLATED));
  EXPECT_EQ(later.sport(), first.sport());
}

TEST_P(Table, AFullTableKeepsNewFlowsAmongTheEmbryos) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  for (int i = 0; i < 200; ++i) {  // room for 128 flows
    spec.sport = static_cast<std::uint16_t>(2000 + i);
    const Outcome out = Run(Hook::kOut, spec);
    ASSERT_FALSE(out.dropped);
    EXPECT_EQ(Run(Hook::kUplinkIn, Answer(out, spec)).dst(), cast().pod) << i;
  }
  EXPECT_EQ(CountEstablished() % 2, 0U) << "never half a flow";
  EXPECT_LE(CountEstablished(), 256U);
  EXPECT_GT(CountEmbryos(), 0U);
}

}  // namespace
}  // namespace natrix
