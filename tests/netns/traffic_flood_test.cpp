// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/netns/traffic_flood.h"

namespace natrix::netns {
namespace {

// Five million with a thousand connections: tools/soak flood.
TEST(TrafficFlood, TwoHundredThousandSynsHarmNoneOfTwoHundredConnections) {
  RunFlood({.syns = 200000, .connections = 200, .max_established = 2048, .max_embryos = 8192});
}

}  // namespace
}  // namespace natrix::netns
