// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// A TCP connection's states, as nf_conntrack's, and which table it lives in.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class TcpState : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    pod_ = Tcp(cast().pod, cast().web);
    const Outcome out = Run(Hook::kOut, pod_);
    web_ = Answer(out, pod_);
    original_ = TupleOf(Build(pod_, kMacs)[0]);
    reply_ = TupleOf(Build(web_, kMacs)[0]);
  }
  Outcome FromPod(int flags) {
    pod_.tcp_flags = static_cast<std::uint8_t>(flags);
    return Run(Hook::kOut, pod_);
  }
  Outcome FromWeb(int flags) {
    web_.tcp_flags = static_cast<std::uint8_t>(flags);
    return Run(Hook::kUplinkIn, web_);
  }
  void Handshake() {
    FromWeb(kSyn | kAck);
    FromPod(kAck);
  }
  // Both halves always agree.
  nx_state State() const {
    auto one = Established(original_);
    auto other = Established(reply_);
    if (!one) one = Embryo(original_);
    if (!other) other = Embryo(reply_);
    EXPECT_TRUE(one && other);
    if (!one || !other) return NX_STATE_OTHER;
    EXPECT_EQ(one->state, other->state);
    return one->state;
  }
  bool IsEstablished() const {
    EXPECT_EQ(Established(original_).has_value(), Established(reply_).has_value());
    return Established(original_).has_value();
  }

  PacketSpec pod_, web_;
  nx_tuple original_{}, reply_{};
};
NATRIX_BOTH_FAMILIES(TcpState);

TEST_P(TcpState, HandshakeAndNotTheSynAckEstablishes) {
  EXPECT_EQ(State(), NX_STATE_TCP_SYN_SENT);
  FromWeb(kSyn | kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_SYN_RECV);
  EXPECT_FALSE(IsEstablished()) << "a flood against an open port must stay among the embryos";
  FromPod(kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_ESTABLISHED);
  EXPECT_TRUE(IsEstablished());
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(TcpState, ClosesFromThePodsSide) {
  Handshake();
  FromPod(kFin | kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_FIN_WAIT);
  FromWeb(kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_CLOSE_WAIT);
  FromWeb(kFin | kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_LAST_ACK);
  FromPod(kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_TIME_WAIT);
}

TEST_P(TcpState, ClosesFromBothSidesAtOnce) {
  Handshake();
  FromPod(kFin | kAck);
  FromWeb(kFin | kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_LAST_ACK);
  FromWeb(kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_TIME_WAIT);
}

TEST_P(TcpState, AResetShortensTheTimeoutAndDeletesNothing) {
  Handshake();
  EXPECT_THAT(FromWeb(kRst | kAck), PassedFor(NX_R_FLOW_TRANSLATED));
  EXPECT_EQ(State(), NX_STATE_TCP_CLOSE);
  EXPECT_THAT(FromPod(kAck), PassedFor(NX_R_FLOW_TRANSLATED)) << "it may have been forged";
}

TEST_P(TcpState, ASynAfterTheEndOpensANewConnection) {
  Handshake();
  FromPod(kFin | kAck);
  FromWeb(kFin | kAck);
  FromPod(kAck);
  ASSERT_EQ(State(), NX_STATE_TCP_TIME_WAIT);
  const Outcome again = FromPod(kSyn);
  EXPECT_THAT(again, PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_FALSE(Established(original_)) << "the old connection is gone";
  ASSERT_TRUE(Embryo(original_));
  EXPECT_EQ(Embryo(original_)->state, NX_STATE_TCP_SYN_SENT);
  EXPECT_EQ(CountEmbryos(), 2U);
}

TEST_P(TcpState, ASynAfterThePeersResetAloneGoesOnWithItsPort) {
  Handshake();
  const Outcome before = FromPod(kAck);
  FromWeb(kRst | kAck);
  const Outcome again = FromPod(kSyn);
  EXPECT_THAT(again, PassedFor(NX_R_FLOW_TRANSLATED));
  EXPECT_EQ(again.sport(), before.sport());
  EXPECT_EQ(State(), NX_STATE_TCP_CLOSE);
  Handshake();
  EXPECT_EQ(State(), NX_STATE_TCP_ESTABLISHED);
}

TEST_P(TcpState, ASynAfterItsOwnResetIsANewFlowIfThatWasTheLastWord) {
  Handshake();
  FromPod(kRst | kAck);
  FromWeb(kAck);
  EXPECT_THAT(FromPod(kSyn), PassedFor(NX_R_FLOW_TRANSLATED));
  FromPod(kRst | kAck);
  EXPECT_THAT(FromPod(kSyn), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(TcpState, ASynAfterARefusalIsANewFlow) {
  FromWeb(kRst | kAck);
  EXPECT_THAT(FromPod(kSyn), PassedFor(NX_R_MASQ_OUTGOING));
}

TEST_P(TcpState, ASynInTheMiddleChangesNothing) {
  Handshake();
  EXPECT_THAT(FromPod(kSyn), PassedFor(NX_R_FLOW_TRANSLATED));
  EXPECT_EQ(State(), NX_STATE_TCP_ESTABLISHED);
}

TEST_P(TcpState, ImpossibleFlagsChangeNothing) {
  Handshake();
  for (const int flags : {0, kSyn | kFin, kFin | 0, kSyn | kRst, 0x3f}) {
    FromPod(flags);
    EXPECT_EQ(State(), NX_STATE_TCP_ESTABLISHED) << flags;
  }
}

TEST_P(TcpState, SimultaneousOpenIsAHandshakeToo) {
  FromWeb(kSyn);
  EXPECT_EQ(State(), NX_STATE_TCP_SYN_SENT2);
  FromPod(kSyn | kAck);
  EXPECT_EQ(State(), NX_STATE_TCP_SYN_RECV);
}

TEST_P(TcpState, AConnectionJoinedInTheMiddleIsEstablishedByItsAnswer) {
  PacketSpec late = pod_;
  late.sport = 41000;
  late.tcp_flags = kAck;
  Run(Hook::kOut, late);
  const nx_tuple key = TupleOf(Build(late, kMacs)[0]);
  ASSERT_TRUE(Embryo(key));
  EXPECT_EQ(Embryo(key)->state, NX_STATE_TCP_UNREPLIED);
  PacketSpec answer = late;
  std::swap(answer.src, answer.dst);
  std::swap(answer.sport, answer.dport);
  Run(Hook::kUplinkIn, answer);
  ASSERT_TRUE(Established(key));
  EXPECT_EQ(Established(key)->state, NX_STATE_TCP_ESTABLISHED);
}

}  // namespace
}  // namespace natrix
