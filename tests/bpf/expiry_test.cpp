// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <chrono>
#include <thread>

#include "tests/bpf/datapath.h"

// What time does to flows: at the next packet, and by the clock without one.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class Expiry : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    spec_ = Udp(cast().pod, cast().web);
    first_ = Run(Hook::kOut, spec_);
    original_ = TupleOf(Build(spec_, kMacs)[0]);
    reply_ = TupleOf(Build(Answer(first_, spec_), kMacs)[0]);
  }
  void Establish() {
    Run(Hook::kUplinkIn, Answer(first_, spec_));
    ASSERT_TRUE(Established(original_) && Established(reply_));
  }
  // As if the flow had been silent this much longer.
  void Age(const nx_tuple& key, std::uint32_t seconds) {
    if (auto flow = Established(key)) {
      flow->seen -= seconds * kHz;
      SetEstablished(key, *flow);
    } else if (auto embryo = Embryo(key)) {
      embryo->seen -= seconds * kHz;
      SetEmbryo(key, *embryo);
    } else {
      ADD_FAILURE() << "no such flow";
    }
  }
  int StartClock() {
    const Bytes frame(64);
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()));
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(skel()->progs.nx_clock_start), &run), 0);
    return static_cast<int>(run.retval);
  }
  bool GoneWithin(const nx_tuple& key, std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
      if (!Established(key)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  PacketSpec spec_;
  Outcome first_;
  nx_tuple original_{}, reply_{};
};
NATRIX_BOTH_FAMILIES(Expiry);

TEST_P(Expiry, AnEmbryoSilentTooLongIsForgottenAtItsNextPacket) {
  Age(original_, 31);
  Age(reply_, 31);
  EXPECT_THAT(Run(Hook::kOut, spec_), PassedFor(NX_R_MASQ_OUTGOING));
  EXPECT_EQ(CountEmbryos(), 2U);
}

TEST_P(Expiry, ATimeoutNotYetReachedForgetsNothing) {
  Age(original_, 28);
  Age(reply_, 28);
  EXPECT_THAT(Run(Hook::kOut, spec_), PassedFor(NX_R_FLOW_TRANSLATED));
}

TEST_P(Expiry, TheOtherDirectionsPacketsKeepAFlowAlive) {
  Establish();
  Age(original_, 500);
  EXPECT_THAT(Run(Hook::kOut, spec_), PassedFor(NX_R_FLOW_TRANSLATED));
}

TEST_P(Expiry, AnEstablishedFlowSilentOnBothSidesIsForgotten) {
  Establish();
  Age(original_, 200);
  Age(reply_, 200);
  EXPECT_THAT(Run(Hook::kUplinkIn, Answer(first_, spec_)), PassedFor(NX_R_NOT_OURS));
  EXPECT_EQ(CountEstablished(), 0U) << "both halves go together";
}

TEST_P(Expiry, TwoSecondsMakeAStream) {
  Establish();
  auto flow = *Established(original_);
  EXPECT_EQ(flow.state, NX_STATE_UDP);
  flow.born -= 3 * kHz;
  SetEstablished(original_, flow);
  Run(Hook::kOut, spec_);
  EXPECT_EQ(Established(original_)->state, NX_STATE_UDP_STREAM);
}

TEST_P(Expiry, TheClockTakesWhatNoPacketAsksFor) {
  Establish();
  ASSERT_EQ(StartClock(), 0);
  EXPECT_FALSE(GoneWithin(original_, std::chrono::milliseconds(300))) << "it is not old";
  Age(original_, 200);
  Age(reply_, 200);
  EXPECT_TRUE(GoneWithin(original_, std::chrono::milliseconds(2000)));
  EXPECT_FALSE(Established(reply_));
}

TEST_P(Expiry, TheClockMayBeStartedAgain) {
  ASSERT_EQ(StartClock(), 0);
  EXPECT_EQ(StartClock(), 0);
  Establish();
  Age(original_, 200);
  Age(reply_, 200);
  EXPECT_TRUE(GoneWithin(original_, std::chrono::milliseconds(2000)));
}

TEST_P(Expiry, TheClockLeavesALaterFlowOfTheSameNameAlone) {
  Establish();
  auto later = *Established(original_);
  later.born += 7;
  later.seen -= 400 * kHz;  // expired, but not the flow that was queued
  SetEstablished(original_, later);
  Age(reply_, 400);
  ASSERT_EQ(StartClock(), 0);
  EXPECT_FALSE(GoneWithin(original_, std::chrono::milliseconds(300)));
}

TEST_P(Expiry, APortIsFreeAgainWhenItsFlowIsOver) {
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  PacketSpec one = Udp(cast().pod, cast().router);
  ASSERT_EQ(Run(Hook::kOut, one).sport(), one.sport);
  PacketSpec answer = one;
  answer.src = cast().router;
  answer.dst = cast().node;
  std::swap(answer.sport, answer.dport);
  Age(TupleOf(Build(one, kMacs)[0]), 31);
  Age(TupleOf(Build(answer, kMacs)[0]), 31);
  one.src = cast().other_pod;
  EXPECT_EQ(Run(Hook::kOut, one).sport(), one.sport);
}

}  // namespace
}  // namespace natrix
