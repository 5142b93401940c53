// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/netns/traffic_everyone.h"
#include "tests/netns/traffic_exchange.h"
#include "tests/support/build.h"
#include "tests/support/checksum.h"
#include "tests/support/network.h"
#include "tests/support/tap.h"

// Who has to compute a checksum, and when, differs with what the devices can do.
namespace natrix::netns {
namespace {

using oracle::kUplink;
using support::Namespace;

struct Offloads {
  const char* name;
  bool pod;      // the pod's device takes packets with CHECKSUM_PARTIAL, and super-packets
  bool node;     // the node's devices do: they are handed on as they came
  bool outside;  // what comes back does
  bool gro;      // and they are put together again on arrival
};

// ip_summed at the two hooks is PARTIAL where the sender's device is on, and NONE where it is off.
// With the node's devices off, what it forwards is computed behind the egress hook and verified
// by the receiver; GRO makes PARTIAL of what came as NONE.
constexpr Offloads kOffloads[] = {
    {"all on", true, true, true, true},
    {"all off", false, false, false, false},
    {"partial, computed behind the node", true, false, true, false},
    {"none, put together on arrival", false, true, false, true},
    {"partial, nothing put together", true, true, true, false},
    {"partial out, none back", true, false, false, true},
};

void SetFeatures(const Namespace& ns, const std::string& device, bool transmit, bool gro) {
  const char* tx = transmit ? "on" : "off";
  support::RunCommand(
      &ns, {"ethtool", "-K", device, "tx", tx, "tso", tx, "gso", tx, "gro", gro ? "on" : "off"});
}

void Set(const TrafficNode& node, const Offloads& offloads) {
  SetFeatures(node.pod(), kUplink, offloads.pod, offloads.gro);
  SetFeatures(node.node(), "p1", offloads.node, offloads.gro);
  SetFeatures(node.node(), kUplink, offloads.node, offloads.gro);
  SetFeatures(node.outside(), kUplink, offloads.outside, offloads.gro);
}

class TrafficChecksums : public testing::Test {
 protected:
  void SetUp() override { node_.Start(); }

  void ExpectNoChecksumError() { EXPECT_EQ(ChecksumErrors(node_.scene()), 0U); }

  TrafficNode node_;
};

TEST_F(TrafficChecksums, AreRightWhateverTheDevicesCompute) {
  for (const Offloads& offloads : kOffloads) {
    SCOPED_TRACE(offloads.name);
    Set(node_, offloads);
    ChecksumWatch outside(node_.outside(), kUplink, !offloads.pod);
    ChecksumWatch pod(node_.pod(), kUplink, !offloads.pod);
    for (const Family family : kFamilies) {
      SCOPED_TRACE(NameOf(family));
      const Path path = PathOf(node_, family);
      const std::string node = CastOf(family).node;
      EXPECT_EQ(TransferTcp(path, node, 1 << 20), "");
      EXPECT_EQ(ExchangeUdp(path, node), "");
      EXPECT_EQ(ExchangeEchoes(path), "");
      EXPECT_EQ(ProvokeIcmpError(path), "");
    }
    EXPECT_EQ(outside.Wrong(), 0U) << outside.Example();
    EXPECT_EQ(pod.Wrong(), 0U) << pod.Example();
    // A watch that saw nothing has found nothing.
    EXPECT_GT(outside.Frames(), 50U);
    EXPECT_GT(pod.Frames(), 50U);
  }
  ExpectNoChecksumError();
}

TEST_F(TrafficChecksums, AreRightInDatagramsThatADeviceCuts) {
  for (const bool on : {true, false}) {
    SCOPED_TRACE(on ? "the node hands them on" : "the node cuts them");
    Set(node_, {.name = "", .pod = true, .node = on, .outside = on, .gro = on});
    ChecksumWatch outside(node_.outside(), kUplink, false);
    for (const Family family : kFamilies)
      EXPECT_EQ(SendUdpSegments(PathOf(node_, family), CastOf(family).node), "");
    EXPECT_EQ(outside.Wrong(), 0U) << outside.Example();
  }
  ExpectNoChecksumError();
}

// What a pod computed wrongly must not leave as if it were right.
TEST_F(TrafficChecksums, ThatAreWrongStayWrong) {
  const support::Tap pod(node_.pod(), kUplink);
  const support::Tap outside(node_.outside(), kUplink);
  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    for (const std::uint8_t protocol : {support::kTcp, support::kUdp}) {
      const support::Macs macs{oracle::MacOf(Place::kPod1), oracle::kPodDeviceMac};
      Bytes frame = support::Build({.src = cast.pod1,
                                    .dst = cast.client,
                                    .protocol = protocol,
                                    .sport = 40000,
                                    .dport = 80,
                                    .payload = 32},
                                   macs)
                        .front();
      frame.back() ^= 0x10;
      pod.Send(frame);
      const std::vector<Bytes> seen = outside.Receive(Scaled(milliseconds(1000)));
      ASSERT_FALSE(seen.empty());
      EXPECT_EQ(support::Dissect(seen[0])->src, cast.node);
      EXPECT_EQ(support::VerifyChecksums(seen[0]).transport, support::Checksum::kBad);
    }
  }
}

TEST_F(TrafficChecksums, AreRightInAStreamOfSuperPackets) {
  constexpr std::size_t kBytes = 64 << 20;
  Set(node_, {.name = "", .pod = true, .node = true, .outside = true, .gro = true});
  for (const Family family : kFamilies) {
    SCOPED_TRACE(NameOf(family));
    FrameCounter super_out = FrameCounter::OfSuperPackets(node_.outside(), kUplink);
    FrameCounter super_back = FrameCounter::OfSuperPackets(node_.pod(), kUplink);
    FrameCounter untranslated = FrameCounter::OfPodSources(node_.outside(), kUplink);

    EXPECT_EQ(TransferTcp(PathOf(node_, family), CastOf(family).node, kBytes), "");

    // 64 KB each if all were full; a tenth of that many is no accident.
    EXPECT_GT(super_out.Count(), kBytes / 65536 / 10);
    EXPECT_GT(super_back.Count(), kBytes / 65536 / 10);
    EXPECT_EQ(untranslated.Count(), 0U) << untranslated.Example();
  }
  ExpectNoChecksumError();
}

}  // namespace
}  // namespace natrix::netns
