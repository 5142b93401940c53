// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// Packets on `lo`, where probes of pods come by.  Which socket they are given can only be seen with
// sockets: tests/netns/traffic_probe_test.cpp.
namespace natrix {
namespace {

using namespace support;

class Loopback : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    config.tproxy.on_ip = config.node.addresses;
    config.tproxy.probes = {{*model::Address::Parse(pod()), 80}};
    Apply();
  }
  const char* pod() const { return v6() ? "fd00:241::2" : "10.241.39.2"; }
};
NATRIX_BOTH_FAMILIES(Loopback);

TEST_P(Loopback, AProbeThatNobodyListensForIsDropped) {
  for (const std::uint8_t flags : {kSyn, kAck, kRst}) {
    const Outcome out = Run(Hook::kLoopback, Tcp(cast().node, pod(), flags), 0x90003);

    EXPECT_THAT(out, DroppedFor(NX_R_PROBE_NO_PROXY));
    EXPECT_EQ(out.mark, 0x90003U);
  }
}

TEST_P(Loopback, EverythingElseIsLeftAlone) {
  PacketSpec other_port = Tcp(cast().node, pod());
  other_port.dport = 81;
  PacketSpec udp = Udp(cast().node, pod());
  udp.dport = 80;
  for (const PacketSpec& spec :
       {other_port, udp, Tcp(cast().node, cast().node), Tcp(cast().node, cast().pod),
        Tcp(pod(), cast().node), Echo(cast().node, pod())}) {
    const Outcome out = Run(Hook::kLoopback, spec, 0x90003);

    EXPECT_THAT(out, PassedFor(NX_R_NOT_OURS));
    EXPECT_EQ(out.mark, 0x90003U);
    EXPECT_EQ(out.dst(), spec.dst);
  }
}

TEST_P(Loopback, AFragmentHasNoSocket) {
  PacketSpec spec = Tcp(cast().node, pod(), kAck);
  spec.payload = 2000;
  spec.fragment = 1000;
  for (const Bytes& frame : Build(spec, {"02:00:00:00:00:01", "02:00:00:00:00:02"}))
    EXPECT_THAT(Run(Hook::kLoopback, frame), PassedFor(NX_R_NOT_OURS));
}

// The marks of probes are not a pod's to set, as long as there are any.
TEST_P(Loopback, APodsPacketLosesTheMarksOfProbes) {
  EXPECT_EQ(Run(Hook::kPodIn, Tcp(cast().pod, cast().web), 0x90007 | 0x100).mark, 0x100U);

  config.tproxy.probes.clear();
  Apply();

  EXPECT_EQ(Run(Hook::kPodIn, Tcp(cast().pod, cast().web), 0x90007).mark, 0x4U);
}

}  // namespace
}  // namespace natrix
