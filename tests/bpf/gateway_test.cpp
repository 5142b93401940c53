// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "maps/abi/subnet.h"
#include "tests/bpf/datapath.h"

// What "ovn-subnet-gateway" rules of the FORWARD chain count.
namespace natrix {
namespace {

using namespace support;

class Gateway : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    ingress_ifindex = 1;
  }
  // Of the subnet of the test's family at `index` of the configuration.
  nx_gateway Sum(int index, nx_direction way) const {
    // Numbers are given in the order of the file, each subnet has two CIDRs.
    const std::uint32_t at = (1u + 2u * static_cast<std::uint32_t>(index) + GetParam()) * 2 + way;
    std::vector<nx_gateway> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skel()->maps.nx_gateway), &at, copies.data()), 0);
    nx_gateway sum{};
    for (const nx_gateway& copy : copies) {
      sum.packets += copy.packets;
      sum.bytes += copy.bytes;
      sum.wire_packets += copy.wire_packets;
      sum.wire_bytes += copy.wire_bytes;
    }
    return sum;
  }
  // How much a run added.
  template <typename Act>
  nx_gateway Added(int index, nx_direction way, Act act) {
    const nx_gateway before = Sum(index, way);
    act();
    const nx_gateway after = Sum(index, way);
    return {after.packets - before.packets, after.bytes - before.bytes,
            after.wire_packets - before.wire_packets, after.wire_bytes - before.wire_bytes};
  }
};
NATRIX_BOTH_FAMILIES(Gateway);

TEST_P(Gateway, CountsWhatASubnetSendsFromItsIpHeader) {
  const Bytes frame =
      Build(Udp(cast().pod, cast().web), {"02:00:00:00:00:01", "02:00:00:00:00:02"})[0];
  const nx_gateway added = Added(0, NX_EGRESS, [&] { Run(Hook::kOut, frame); });
  EXPECT_EQ(added.packets, 1U);
  EXPECT_EQ(added.bytes, frame.size() - 14);
  EXPECT_EQ(added.wire_packets, 1U);
  EXPECT_EQ(added.wire_bytes, frame.size() - 14);
}

TEST_P(Gateway, CountsWhatASubnetGets) {
  EXPECT_EQ(Added(0, NX_INGRESS, [&] { Run(Hook::kOut, Udp(cast().web, cast().pod)); }).packets,
            1U);
  EXPECT_EQ(Added(0, NX_EGRESS, [&] { Run(Hook::kOut, Udp(cast().web, cast().pod)); }).packets, 0U);
}

TEST_P(Gateway, CountsBothEndsBetweenSubnets) {
  const PacketSpec spec = Udp(cast().pod, cast().kept_pod);
  EXPECT_EQ(Added(0, NX_EGRESS, [&] { Run(Hook::kOut, spec); }).packets, 1U);
  EXPECT_EQ(Added(1, NX_INGRESS, [&] { Run(Hook::kOut, spec); }).packets, 1U);
}

TEST_P(Gateway, CountsWhatIsDroppedLater) {
  const PacketSpec rst = Tcp(cast().pod, cast().web, kRst);
  const nx_gateway added =
      Added(0, NX_EGRESS, [&] { EXPECT_THAT(Run(Hook::kOut, rst), DroppedFor(NX_R_INVALID_RST)); });
  EXPECT_EQ(added.packets, 1U) << "FORWARD comes before mangle's POSTROUTING";
}

TEST_P(Gateway, CountsNothingOfTheNodeItself) {
  ingress_ifindex = 0;
  EXPECT_EQ(Added(0, NX_INGRESS, [&] { Run(Hook::kOut, Udp(cast().node, cast().pod)); }).packets,
            0U);
}

TEST_P(Gateway, CountsAnErrorByItsOwnAddresses) {
  const Macs macs{"02:00:00:00:00:01", "02:00:00:00:00:02"};
  const Bytes about = Build(Udp(cast().pod, cast().web), macs)[0];
  const Bytes error = IcmpError(cast().kept_pod, v6() ? 1 : 3, v6() ? 4 : 3, 0, about, 500, macs);
  EXPECT_EQ(Added(1, NX_EGRESS, [&] { Run(Hook::kOut, error); }).packets, 1U) << "the reporter's";
  const nx_gateway got = Added(0, NX_INGRESS, [&] { Run(Hook::kOut, error); });
  EXPECT_EQ(got.packets, 1U);
  EXPECT_EQ(got.bytes, error.size() - 14);
}

TEST_P(Gateway, CountsADatagramOnceHoweverManyFragments) {
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.payload = 3000;
  spec.fragment = 1200;
  spec.id = 78;
  const std::vector<Bytes> frames = Build(spec, {"02:00:00:00:00:01", "02:00:00:00:00:02"});
  ASSERT_GT(frames.size(), 2U);
  std::size_t wire = 0;
  const nx_gateway added = Added(0, NX_EGRESS, [&] {
    for (const Bytes& frame : frames) {
      Run(Hook::kOut, frame);
      wire += frame.size() - 14;
    }
  });
  EXPECT_EQ(added.packets, 1U);
  EXPECT_EQ(added.bytes, 3000U + 8 + (v6() ? 40 : 20)) << "as netfilter sees it, put together";
  EXPECT_EQ(added.wire_packets, frames.size());
  EXPECT_EQ(added.wire_bytes, wire);
}

}  // namespace
}  // namespace natrix
