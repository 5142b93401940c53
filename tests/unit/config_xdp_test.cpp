// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "tests/unit/broken.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;

const std::vector<Broken> kXdp = {
    {"AnotherMode", Node("xdp: {mode: offload}\n"), {"3:13 \"offload\" is no mode"}},
    {"NoDeviceName",
     Node("xdp: {mode: native, force: [\"a b\"]}\n"),
     {"3:29 \"a b\" cannot be a device name: it has a ' ' in it"}},
    {"DeviceTwice",
     Node("xdp: {mode: native, devices: [eth0, eth0]}\n"),
     {"3:37 \"eth0\" is written twice"},
     "the first one is at 3:31"},
    {"ForcedTwice",
     Node("xdp: {mode: native, force: [eth0, eth0]}\n"),
     {"3:35 \"eth0\" is written twice"}},
};
INSTANTIATE_TEST_SUITE_P(Xdp, BrokenConfig, testing::ValuesIn(kXdp), NameOf);

TEST(ConfigXdp, IsReadAndOffWithout) {
  const Loaded loaded =
      LoadText("x.yaml", Node("xdp: {mode: generic, devices: [\"eth*\"], force: [eth1]}\n"));
  ASSERT_TRUE(loaded) << loaded.Render();
  EXPECT_EQ(loaded.config->xdp.mode, model::XdpMode::kGeneric);
  EXPECT_THAT(loaded.config->xdp.devices, ElementsAre("eth*"));
  EXPECT_THAT(loaded.config->xdp.force, ElementsAre("eth1"));

  const Loaded without = LoadText("x.yaml", Node(""));
  ASSERT_TRUE(without) << without.Render();
  EXPECT_EQ(without.config->xdp.mode, model::XdpMode::kOff);
}

}  // namespace
}  // namespace natrix::config
