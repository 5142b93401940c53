// SPDX-License-Identifier: Apache-2.0
//
// Real sockets, with the devices' offloads on (checksums left to the device, 64 KB segments) and
// off.
#include <gtest/gtest.h>

#include "tests/oracle/engine.h"
#include "tests/oracle/live_flow.h"
#include "tests/oracle/scene.h"

namespace natrix::oracle {
namespace {

constexpr int kLimitMs = 3000;

class LiveFlows : public testing::TestWithParam<bool> {};

TEST_P(LiveFlows, LookTheSameToTheFarEnds) {
  const Scene natrix_scene("natrix", {.live = true, .offloads = GetParam()});
  const Scene kernel_scene("kernel", {.live = true, .offloads = GetParam()});
  const auto natrix = MakeEngine(EngineKind::kNatrix, natrix_scene);
  const auto kernel = MakeEngine(EngineKind::kLegacy, kernel_scene);
  natrix->ApplyFile(ExamplePath());
  kernel->ApplyFile(ExamplePath());

  for (const LiveFlow& flow : ExampleFlows()) {
    const Sight right = Observe(natrix_scene, flow, kLimitMs);
    const Sight left = Observe(kernel_scene, flow, kLimitMs);
    EXPECT_TRUE(Same(flow, right, left))
        << flow.name << "\n  natrix:   " << right.address << " " << right.port << " "
        << right.trouble << "\n  iptables: " << left.address << " " << left.port << " "
        << left.trouble;
  }
}

INSTANTIATE_TEST_SUITE_P(Offloads, LiveFlows, testing::Bool(),
                         [](const auto& param) { return param.param ? "On" : "Off"; });

}  // namespace
}  // namespace natrix::oracle
