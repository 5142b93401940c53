// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/netns/traffic_flood.h"
#include "tests/netns/traffic_sockets.h"

namespace natrix::netns {
namespace {

// Five million with a thousand connections: tools/soak flood.
TEST(TrafficFlood, TwoHundredThousandSynsHarmNoneOfTwoHundredConnections) {
  // Under emulation as many as turn the table of embryos over twice.
  const bool emulated = Scaled(milliseconds(1)) > milliseconds(1);
  RunFlood({.syns = emulated ? 40000U : 200000U,
            .connections = 200,
            .max_established = 2048,
            .max_embryos = 8192});
}

}  // namespace
}  // namespace natrix::netns
