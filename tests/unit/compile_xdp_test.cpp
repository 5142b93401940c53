// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "userspace/compile/compile.h"

// Which devices have XDP, and which get packets of it.
namespace natrix::compile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kBasic = 1;
constexpr std::uint64_t kXmit = 4;
constexpr std::uint64_t kXmitFrags = 64;
constexpr unsigned kXdpBits = NX_DEVICE_XDP_OUT | NX_DEVICE_XDP_FRAGS | NX_DEVICE_XDP_BACK;

class CompileXdp : public testing::Test {
 protected:
  CompileXdp() {
    config_.node.uplinks = {"eth*"};
    config_.node.pod_devices = {"ovn0", "pod*"};
    config_.xdp.mode = model::XdpMode::kNative;
    host_.devices = {Device(2, "eth0"), Device(3, "eth1"), Device(4, "ovn0")};
  }
  static model::Device Device(std::uint32_t ifindex, const std::string& name) {
    return {.ifindex = ifindex,
            .name = name,
            .mtu = 1500,
            .mac = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(ifindex)},
            .xdp_features = kBasic | kXmit};
  }
  // Of eth0.
  Wanted Made() const { return Compile(config_, host_); }
  std::string Refusal() const {
    const Wanted wanted = Made();
    return wanted.xdp.contains(2) ? wanted.xdp.at(2).refused : "not asked for";
  }
  unsigned Ways(std::uint32_t ifindex) const { return Made().device.at(ifindex).ways & kXdpBits; }

  model::Config config_;
  model::Host host_;
};

TEST_F(CompileXdp, RunsOnAllUplinksThatAreDriversDevices) {
  const Wanted wanted = Made();

  ASSERT_EQ(wanted.xdp.size(), 2U);
  EXPECT_EQ(wanted.xdp.at(2), (XdpPlan{"eth0", model::XdpMode::kNative, ""}));
  EXPECT_THAT(wanted.device.at(2).mac, ElementsAre(2, 0, 0, 0, 0, 2));
  EXPECT_THAT(wanted.device.at(4).mac, ElementsAre(0, 0, 0, 0, 0, 0)) << "a pod device has none";
}

TEST_F(CompileXdp, IsNowhereUnlessAskedFor) {
  for (const char* how : {"mode", "fastPath", "noFastPath", "devices"}) {
    const model::Config before = config_;
    if (how == std::string("mode")) config_.xdp.mode = model::XdpMode::kOff;
    if (how == std::string("fastPath")) config_.fast_path = model::FastPath::kOff;
    if (how == std::string("noFastPath")) config_.node.no_fast_path = {"eth*"};
    if (how == std::string("devices")) config_.xdp.devices = {"eth7"};
    EXPECT_THAT(Made().xdp, IsEmpty()) << how;
    EXPECT_THAT(Made().device.at(2).mac, ElementsAre(0, 0, 0, 0, 0, 0)) << how;
    config_ = before;
  }
  config_.xdp.devices = {"eth[0]"};
  EXPECT_EQ(Made().xdp.size(), 1U);
}

TEST_F(CompileXdp, IsRefusedWhereItWouldHurtUnlessForced) {
  host_.devices[0].kind = "veth";
  EXPECT_THAT(Refusal(), HasSubstr("a veth"));
  host_.devices[0].kind = "bond";
  EXPECT_THAT(Refusal(), HasSubstr("kind bond"));
  EXPECT_THAT(Made().device.at(2).mac, ElementsAre(0, 0, 0, 0, 0, 0));
  config_.xdp.force = {"eth0"};
  EXPECT_EQ(Refusal(), "");
  config_.xdp.force = {};
  host_.devices[0].kind = "";
  host_.devices[0].has_vlans = true;
  EXPECT_THAT(Refusal(), HasSubstr("VLAN"));
  host_.devices[0].has_vlans = false;
  EXPECT_EQ(Refusal(), "");
}

TEST_F(CompileXdp, HasNoFramesOnADeviceWithoutALinkLayerHeader) {
  host_.devices[0].link = model::Link::kBare;
  config_.xdp.force = {"eth0"};
  EXPECT_EQ(Refusal(), "no Ethernet device");
  EXPECT_EQ(Ways(2), 0U);
}

TEST_F(CompileXdp, SendsToDevicesWhoseDriversTransmit) {
  EXPECT_EQ(Ways(2), NX_DEVICE_XDP_OUT | NX_DEVICE_XDP_BACK);
  EXPECT_EQ(Ways(4), NX_DEVICE_XDP_OUT) << "nothing comes in there by XDP to go back";
  host_.devices[0].xdp_features = kBasic;
  EXPECT_EQ(Ways(2), NX_DEVICE_XDP_BACK);
  host_.devices[0].xdp_features = kBasic | kXmit | kXmitFrags;
  EXPECT_EQ(Ways(2), kXdpBits);
  config_.xdp.mode = model::XdpMode::kOff;
  EXPECT_EQ(Ways(2), 0U);
}

TEST_F(CompileXdp, SendsToNoVirtualDeviceUnlessForced) {
  host_.devices[2].kind = "veth";
  EXPECT_EQ(Ways(4), 0U);
  config_.xdp.force = {"ovn0"};
  EXPECT_EQ(Ways(4), NX_DEVICE_XDP_OUT);
  host_.devices[2].xdp_features = kBasic;
  EXPECT_EQ(Ways(4), 0U) << "the veth's peer has no NAPI now";
}

TEST_F(CompileXdp, SendsNothingBackByAForcedVethAsADriverDoes) {
  host_.devices[0].kind = "veth";
  config_.xdp.force = {"eth0"};
  EXPECT_EQ(Refusal(), "");
  EXPECT_EQ(Ways(2), NX_DEVICE_XDP_OUT);
  host_.devices[0].xdp_features = kBasic;
  EXPECT_EQ(Ways(2), 0U);
}

}  // namespace
}  // namespace natrix::compile
