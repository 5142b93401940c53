// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bpf/datapath.h"

// OVN-PREROUTING with kube-proxy in IPVS mode: P1 to P5.
namespace natrix {
namespace {

using namespace support;

constexpr std::uint32_t kMasquerade = 0x4000;
constexpr std::uint32_t kLocal = 0x80000;

class NodePort : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.ipvs = {.cluster_ips = {{*model::Address::Parse(cast().service), NX_L4_TCP, 80}},
                   .local_ports_tcp = {{30080, 30081}},
                   .local_ports_udp = {{30053, 30053}}};
    Apply();
  }
  Outcome Call(const char* from, const char* to, std::uint16_t port, std::uint8_t protocol = kTcp,
               Hook hook = Hook::kUplinkIn) {
    PacketSpec spec = protocol == kTcp ? Tcp(from, to) : Udp(from, to);
    spec.dport = port;
    return Run(hook, spec);
  }
};
NATRIX_BOTH_FAMILIES(NodePort);

TEST_P(NodePort, WithLocalPolicyIsMarked) {
  EXPECT_EQ(Call(cast().web, cast().node, 30080).mark, kLocal);
  EXPECT_THAT(Call(cast().web, cast().node, 30081), PassedFor(NX_R_MARKED_LOCAL));
  EXPECT_EQ(Call(cast().web, cast().node, 30053, kUdp).mark, kLocal);
}

TEST_P(NodePort, OfAnotherProtocolOrPortIsNot) {
  EXPECT_EQ(Call(cast().web, cast().node, 30053).mark, 0U);
  EXPECT_EQ(Call(cast().web, cast().node, 30080, kUdp).mark, 0U);
  EXPECT_EQ(Call(cast().web, cast().node, 30082).mark, 0U);
}

TEST_P(NodePort, OnlyAtTheNodesOwnAddresses) {
  EXPECT_EQ(Call(cast().web, cast().pod, 30080).mark, 0U);
  EXPECT_EQ(Call(cast().web, cast().join, 30080).mark, kLocal);
}

// N3: the mark of P3 is tested first, so that it is masqueraded.
TEST_P(NodePort, CalledByAnotherNodeIsMarkedForMasqueradeToo) {
  const Outcome out = Call(cast().other_node, cast().node, 30080);
  EXPECT_EQ(out.mark, kLocal | kMasquerade);
  EXPECT_EQ(Call(cast().other_node, cast().pod, 30080).mark, kMasquerade) << "P3 asks no address";
}

TEST_P(NodePort, NeedsANodeAddressOfTheFamily) {
  config.node.addresses.erase(config.node.addresses.begin() + GetParam());
  Apply();
  EXPECT_EQ(Call(cast().other_node, cast().node, 30080).mark, 0U);
}

TEST_P(NodePort, WithoutIpvsThereAreNoSuchRules) {
  config.ipvs.reset();
  Apply();
  EXPECT_EQ(Call(cast().web, cast().node, 30080).mark, 0U);
}

TEST_P(NodePort, OnlyAFirstPacketIsMarked) {
  PacketSpec answer = Tcp(cast().web, cast().node, kSyn | kAck);
  answer.dport = 30080;
  EXPECT_EQ(Run(Hook::kUplinkIn, answer).mark, 0U) << "INVALID skips the nat table";
}

TEST_P(NodePort, PodsAreMasqueradedToServicesThatAreThere) {
  EXPECT_EQ(Call(cast().pod, cast().service, 80, kTcp, Hook::kPodIn).mark, kMasquerade);
  EXPECT_EQ(Call(cast().pod, cast().service, 81, kTcp, Hook::kPodIn).mark, 0U);
  EXPECT_EQ(Call(cast().pod, cast().service, 80, kUdp, Hook::kPodIn).mark, 0U);
  EXPECT_EQ(Call(cast().pod, cast().service, 80).mark, 0U) << "P1 is about ovn0";
  config.ipvs.reset();
  Apply();
  EXPECT_EQ(Call(cast().pod, cast().service, 81, kTcp, Hook::kPodIn).mark, kMasquerade)
      << "without IPVS the CIDR is all that is known";
}

// F2'': the node has the Service's address, and something may listen on all of its ports.
class Reject : public NodePort {
 protected:
  void SetUp() override {
    NodePort::SetUp();
    complete_checksums = false;
    // On kube-ipvs0, as IPVS has it.
    const auto service = *model::Address::Parse(cast().service);
    const nx_local local{.ifindex = 1};
    ASSERT_EQ(
        bpf_map_update_elem(bpf_map__fd(skel()->maps.nx_local), &service.bytes, &local, BPF_ANY),
        0);
  }
};
NATRIX_BOTH_FAMILIES(Reject);

TEST_P(Reject, TcpToAPortThatNoServiceHasIsAnsweredByPortUnreachable) {
  for (const Hook hook : {Hook::kPodIn, Hook::kUplinkIn}) {
    const char* from = hook == Hook::kPodIn ? cast().pod : cast().web;
    PacketSpec spec = Tcp(from, cast().service);
    spec.dport = 81;
    const Outcome out = Run(hook, spec);
    EXPECT_TRUE(out.reflected);
    EXPECT_EQ(out.reason, NX_R_REJECTED);
    EXPECT_EQ(out.src(), cast().service);
    EXPECT_EQ(out.dst(), from);
    const Layers error = out.layers();
    EXPECT_EQ(error.protocol, v6() ? kIcmpV6 : kIcmp);
    EXPECT_EQ(out.frame[error.l4], v6() ? 1 : 3);
    EXPECT_EQ(out.frame[error.l4 + 1], v6() ? 4 : 3);
    const Layers quoted = *Dissect(out.frame, *error.inner);
    EXPECT_EQ(quoted.src, from);
    EXPECT_EQ(quoted.dst, cast().service);
    EXPECT_EQ(Word(out.frame, *quoted.dport_at), 81);
    EXPECT_FALSE(VerifyChecksums(out.frame).AnyBad());
  }
}

TEST_P(Reject, ItIsWhenItIsSentAgain) {
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(Call(cast().pod, cast().service, 81, kTcp, Hook::kPodIn).reflected) << i;
}

TEST_P(Reject, WhatAServiceHasIsLeftToIt) {
  EXPECT_FALSE(Call(cast().pod, cast().service, 80, kTcp, Hook::kPodIn).reflected);
  EXPECT_FALSE(Call(cast().web, cast().service, 80).reflected);
}

TEST_P(Reject, IsAboutTcpThatOpensAConnection) {
  EXPECT_FALSE(Call(cast().pod, cast().service, 81, kUdp, Hook::kPodIn).reflected) << "#3059";
  PacketSpec answer = Tcp(cast().web, cast().service, kSyn | kAck);
  answer.dport = 81;
  EXPECT_FALSE(Run(Hook::kUplinkIn, answer).reflected);
  PacketSpec late = Tcp(cast().web, cast().service, kAck);
  late.dport = 81;
  late.payload = 400;
  EXPECT_TRUE(Run(Hook::kUplinkIn, late).reflected) << "NEW in the middle";
}

TEST_P(Reject, OnlyWhereTheNodeHasTheAddressAndOnlyWithIpvs) {
  config.ipvs.reset();
  Apply();
  EXPECT_FALSE(Call(cast().pod, cast().service, 81, kTcp, Hook::kPodIn).reflected);
  config.ipvs.emplace();
  Apply();  // nx_local is the host's again
  EXPECT_FALSE(Call(cast().pod, cast().service, 81, kTcp, Hook::kPodIn).reflected);
}

}  // namespace
}  // namespace natrix
