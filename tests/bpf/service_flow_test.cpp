// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bpf/services.h"

// What a Service's flow has to do with other flows: those that were there before, that came at the
// same time, that died on their way.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

class ServiceFlows : public Services {
 protected:
  PacketSpec Packet(std::uint8_t protocol, const char* from, std::uint16_t sport, const char* to,
                    std::uint16_t dport) const {
    PacketSpec spec = protocol == kTcp ? Tcp(from, to) : Udp(from, to);
    spec.sport = sport;
    spec.dport = dport;
    return spec;
  }
  nx_tuple KeyOf(const PacketSpec& spec) const { return TupleOf(Build(spec, kMacs)[0]); }
  void ServeDns(std::uint16_t node_port = 0) {
    web().ports.push_back(
        {.name = "dns", .protocol = NX_L4_UDP, .port = 53, .node_port = node_port});
    web().endpoints.push_back({Endpoint(cast().pod)});
    Apply();
  }
  // Of a flow that was not forwarded yet, or was: as if that much longer ago.
  void Age(const PacketSpec& first, std::uint32_t jiffies) {
    const nx_tuple key = KeyOf(first);
    auto flow = Embryo(key);
    ASSERT_TRUE(flow);
    flow->born = Jiffies() - jiffies;
    SetEmbryo(key, *flow);
  }

  // Of a first packet that two CPUs have at the same time.
  struct Left {
    std::string dst;  // empty: dropped
    std::uint32_t mark = 0;
  };
  static constexpr int kRounds = 400;
  std::vector<std::pair<Left, Left>> AtOnce() const {
    const int program = bpf_program__fd(skel()->progs.nx_pod_in);
    std::vector<std::pair<Left, Left>> left(kRounds);
    std::atomic<int> arrived = 0;
    const auto send = [&](Left std::pair<Left, Left>::* mine) {
      for (int round = 0; round < kRounds; ++round) {
        const PacketSpec syn =
            Packet(kTcp, cast().pod, static_cast<std::uint16_t>(10000 + round), cast().service, 80);
        const Bytes frame = Build(syn, kMacs)[0];
        Outcome out;
        out.frame.resize(frame.size());
        __sk_buff context{};
        LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_out = out.frame.data(),
                    .data_size_in = static_cast<std::uint32_t>(frame.size()),
                    .data_size_out = static_cast<std::uint32_t>(frame.size()), .ctx_in = &context,
                    .ctx_out = &context, .ctx_size_in = sizeof(context),
                    .ctx_size_out = sizeof(context));
        for (++arrived; arrived < 2 * (round + 1);) std::this_thread::yield();
        EXPECT_EQ(bpf_prog_test_run_opts(program, &run), 0);
        if (run.retval != static_cast<std::uint32_t>(TC_ACT_SHOT))
          left[static_cast<std::size_t>(round)].*mine = {out.dst(), context.mark};
      }
    };
    std::thread other([&] { send(&std::pair<Left, Left>::second); });
    send(&std::pair<Left, Left>::first);
    other.join();
    return left;
  }
};
NATRIX_BOTH_FAMILIES(ServiceFlows);

TEST_P(ServiceFlows, WhatBeganBeforeTheServiceWasThereIsLeftAlone) {
  const PacketSpec forwarded = Packet(kUdp, cast().other_pod, 40000, cast().service, 53);
  EXPECT_THAT(Run(Hook::kPodIn, forwarded), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Run(Hook::kOut, forwarded), PassedFor(NX_R_KEEP));
  const PacketSpec delivered = Packet(kUdp, cast().web, 40000, cast().node, 30053);
  EXPECT_THAT(Run(Hook::kUplinkIn, delivered), PassedFor(NX_R_LOCAL));

  ServeDns(30053);
  EXPECT_THAT(Run(Hook::kPodIn, forwarded), PassedFor(NX_R_FLOW_KEPT));
  EXPECT_THAT(Run(Hook::kUplinkIn, delivered), PassedFor(NX_R_FLOW_KEPT));
  for (PacketSpec later : {forwarded, delivered}) {
    later.sport = 40001;
    EXPECT_EQ(Run(Hook::kUplinkIn, later).dst(), cast().pod) << "a flow that is new";
  }
}

TEST_P(ServiceFlows, AnAnswerToAnAddressWithAServiceIsNoCall) {
  web().external_ips = {Ip(cast().web)};
  ServeDns();
  const PacketSpec question = Packet(kUdp, cast().web, 53, cast().other_node, 4000);
  EXPECT_THAT(Run(Hook::kUplinkIn, question), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Run(Hook::kOut, question), PassedFor(NX_R_KEEP));
  const PacketSpec answer = Packet(kUdp, cast().other_node, 4000, cast().web, 53);
  EXPECT_EQ(Run(Hook::kUplinkIn, answer).dst(), cast().web);
}

TEST_P(ServiceFlows, WithoutServicesNothingIsRemembered) {
  config.services.clear();
  Apply();
  const PacketSpec forwarded = Packet(kUdp, cast().other_pod, 40000, cast().web, 53);
  EXPECT_THAT(Run(Hook::kPodIn, forwarded), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Run(Hook::kOut, forwarded), PassedFor(NX_R_NOT_OURS));
  EXPECT_THAT(Call(cast().web, cast().node, 22), PassedFor(NX_R_NOT_OURS));
  EXPECT_EQ(CountEmbryos(), 0U);
}

// Natrix has no hook at INPUT, where nf_nat would find another port.
TEST_P(ServiceFlows, OnTheNodeItselfTheSecondOfTwoIsDropped) {
  web().endpoints = {{Endpoint(cast().join)}};
  Apply();
  EXPECT_THAT(Call(cast().other_pod, cast().join, 8080), PassedFor(NX_R_LOCAL));
  EXPECT_THAT(Call(cast().other_pod, cast().service, 80), DroppedFor(NX_R_CLASH));
  EXPECT_EQ(CountEmbryos(), 2U) << "half a flow was left";
  EXPECT_THAT(Call(cast().other_pod, cast().service, 80, 40001), PassedFor(NX_R_SERVICE));
}

// nf_conntrack forgets a connection whose first packet was dropped.
TEST_P(ServiceFlows, AFirstPacketThatDiedIsChosenForAnew) {
  const PacketSpec syn = Packet(kTcp, cast().web, 40000, cast().service, 80);
  EXPECT_EQ(Run(Hook::kUplinkIn, syn).dst(), cast().pod);
  web().endpoints = {{Endpoint(cast().other_pod)}};
  Apply();
  Age(syn, kHz / 2);  // a slow machine spends jiffies of its own
  EXPECT_EQ(Run(Hook::kUplinkIn, syn).dst(), cast().pod) << "it may still be on its way";
  Age(syn, kHz + 1);
  const Outcome again = Run(Hook::kUplinkIn, syn);
  EXPECT_EQ(again.dst(), cast().other_pod);
  EXPECT_EQ(again.mark, kMasquerade);
  EXPECT_EQ(CountEmbryos(), 2U) << "a half of the old flow was left";

  EXPECT_EQ(Run(Hook::kOut, again.frame, again.mark).src(), cast().node);
  web().endpoints = {{Endpoint(cast().pod)}};
  Apply();
  Age(syn, kHz + 1);
  EXPECT_EQ(Run(Hook::kUplinkIn, syn).dst(), cast().other_pod) << "egress has seen that one";
}

// A caller that is one of two endpoints is masqueraded if it gets itself.
TEST_P(ServiceFlows, TwoFirstPacketsAtOnceLeaveAlike) {
  web().endpoints = {{Endpoint(cast().pod), Endpoint(cast().other_pod)}};
  Apply();
  for (const auto& [first, second] : AtOnce()) {
    ASSERT_EQ(first.dst, second.dst);
    for (const Left& left : {first, second})
      ASSERT_EQ(left.mark, left.dst == cast().pod ? kMasquerade : 0U);
  }
}

TEST_P(ServiceFlows, TwoFirstPacketsAtOnceBothReachTheNodeItself) {
  web().endpoints = {{Endpoint(cast().join)}};
  Apply();
  for (const auto& [first, second] : AtOnce()) {
    ASSERT_EQ(first.dst, cast().join);
    ASSERT_EQ(second.dst, cast().join);
  }
}

TEST_P(ServiceFlows, AnySourceIsBorrowedWhereTheDeviceHasNone) {
  host.devices[0].addresses.clear();
  config.node.addresses.clear();
  web().ports.push_back({.name = "idle", .protocol = NX_L4_TCP, .port = 81});
  web().endpoints.push_back({});
  Apply();
  const Outcome routed = Call(cast().web, cast().service, 80);
  EXPECT_EQ(Run(Hook::kOut, routed.frame, routed.mark).src(), cast().join);

  complete_checksums = false;
  const Outcome refused = Call(cast().web, cast().service, 81);
  EXPECT_TRUE(refused.reflected);
  EXPECT_EQ(refused.src(), cast().join);
}

// Nobody calls NodePorts at their key's address.
TEST_P(ServiceFlows, AnyAddressIsNoAddressOfTheNodes) {
  const char* any = v6() ? "::" : "0.0.0.0";
  const Outcome out = Call(cast().web, any, 30080);
  EXPECT_THAT(out, PassedFor(NX_R_NOT_OURS));
  EXPECT_EQ(out.dst(), any);
}

}  // namespace
}  // namespace natrix
