// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/compile/compile.h"

// Which devices the short cut may lead to, and how.
namespace natrix::compile {
namespace {

struct Ways {
  bool straight;
  bool peer;
  bool off;
  friend bool operator==(const Ways&, const Ways&) = default;
  friend void PrintTo(const Ways& ways, std::ostream* to) {
    *to << (ways.straight ? "straight " : "") << (ways.peer ? "peer " : "")
        << (ways.off ? "off" : "");
  }
};

Ways WaysOf(model::Device device) {
  model::Config config;
  config.node.uplinks = {"eth*"};
  config.node.pod_devices = {"cali*"};
  config.node.no_fast_path = {"eth9"};
  device.ifindex = 7;
  model::Host host;
  host.devices.push_back(std::move(device));
  const std::uint8_t ways = Compile(config, host).device.at(7).ways;
  return {.straight = (ways & NX_DEVICE_STRAIGHT) != 0,
          .peer = (ways & NX_DEVICE_PEER) != 0,
          .off = (ways & NX_DEVICE_NO_SHORT_CUT) != 0};
}

TEST(CompileWays, AnUplinkTakesFrames) {
  EXPECT_EQ(WaysOf({.name = "eth0"}), (Ways{.straight = true}));
  EXPECT_EQ(WaysOf({.name = "eth9"}), (Ways{.straight = true, .off = true}));
}

TEST(CompileWays, APodsVethIsGoneThroughUnlessAQdiscIsThere) {
  const model::Device veth{
      .name = "cali1", .kind = "veth", .qdisc = "noqueue", .peer_elsewhere = true};
  EXPECT_EQ(WaysOf(veth), (Ways{.straight = true, .peer = true}));
  model::Device limited = veth;
  limited.qdisc = "tbf";
  EXPECT_EQ(WaysOf(limited), (Ways{.straight = true}));
  model::Device here = veth;
  here.peer_elsewhere = false;
  EXPECT_EQ(WaysOf(here), (Ways{.straight = true}));
  model::Device uplink = veth;
  uplink.name = "eth1";
  EXPECT_EQ(WaysOf(uplink), (Ways{.straight = true}));
}

TEST(CompileWays, WhatTheDeviceAboveChoosesIsLeftToIt) {
  for (const char* above : {"bridge", "bond", "team", "openvswitch"})
    EXPECT_FALSE(WaysOf({.name = "eth1", .port_of = above}).straight) << above;
  EXPECT_TRUE(WaysOf({.name = "eth1", .port_of = "vrf"}).straight);
}

TEST(CompileWays, WhatAFrameIsNotEnoughForIsLeftToTheStack) {
  EXPECT_TRUE(WaysOf({.name = "eth1", .kind = "vxlan"}).straight);
  EXPECT_FALSE(WaysOf({.name = "eth1", .kind = "vxlan", .needs_metadata = true}).straight);
  EXPECT_FALSE(WaysOf({.name = "eth1", .kind = "geneve"}).straight);
}

TEST(CompileWays, ADeviceWithoutALinkLayerHeaderIsKnownAndLeftToTheStack) {
  model::Config config;
  config.node.uplinks = {"eth*"};
  model::Host host;
  host.devices = {{.ifindex = 1, .name = "eth1"},
                  {.ifindex = 2, .name = "eth2", .link = model::Link::kBare},
                  {.ifindex = 3, .name = "eth3", .link = model::Link::kOther}};
  const Wanted wanted = Compile(config, host);
  EXPECT_EQ(wanted.device.at(1).ways, NX_DEVICE_STRAIGHT);
  EXPECT_EQ(wanted.device.at(2).ways, NX_DEVICE_BARE);
  EXPECT_FALSE(wanted.device.contains(3)) << "nobody can read its headers";
}

}  // namespace
}  // namespace natrix::compile
