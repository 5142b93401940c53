// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/netns/traffic_race.h"
#include "tests/netns/traffic_watch.h"

namespace natrix::netns {
namespace {

// Against plain forwarding and iptables, for 30 s each: tools/soak race.
TEST(TrafficRace, IperfThroughMasqueradeWithDefaultOffloads) {
  Lane lane(oracle::EngineKind::kNatrix);
  FrameCounter untranslated =
      FrameCounter::OfPodSources(lane.scene().at(Place::kOutside), oracle::kUplink);
  FrameCounter super_packets =
      FrameCounter::OfSuperPackets(lane.scene().at(Place::kOutside), oracle::kUplink);

  for (const Family family : kFamilies) EXPECT_GT(lane.Run(family, 2), 0) << NameOf(family);

  EXPECT_GT(super_packets.Count(), 0U);
  EXPECT_EQ(untranslated.Count(), 0U) << untranslated.Example();
  EXPECT_EQ(lane.Errors(), 0U);
}

}  // namespace
}  // namespace natrix::netns
