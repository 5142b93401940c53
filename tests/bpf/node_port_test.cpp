// SPDX-License-Identifier: Apache-2.0
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

}  // namespace
}  // namespace natrix
