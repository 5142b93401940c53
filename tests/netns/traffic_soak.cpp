// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/netns/traffic_everyone.h"
#include "tests/netns/traffic_flip.h"
#include "tests/netns/traffic_flood.h"
#include "tests/netns/traffic_race.h"

// What takes minutes: run by tools/soak, which says what the variables mean.
namespace natrix::netns {
namespace {

int Number(const char* variable, int fallback) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : fallback;
}

TEST(Soak, Flood) {
  RunFlood({.syns = static_cast<std::uint64_t>(Number("NATRIX_SOAK_SYNS", 5000000)),
            .connections = Number("NATRIX_SOAK_CONNECTIONS", 1000),
            .talkative = true});
}

TEST(Soak, Restart) {
  const int times = Number("NATRIX_SOAK_RESTARTS", 50);
  TrafficNode node;
  node.Start();
  const auto ids = node.PinnedIds();
  Everyone everyone(node, 5);
  for (int i = 1; i <= times; ++i) {
    node.Kill();
    std::this_thread::sleep_for(milliseconds(i * 7 % 100));  // now and then at once
    node.Start();
    ASSERT_EQ(node.PinnedIds(), ids) << "after " << i;
    if (i % 10 == 0) {
      fmt::print("restart: {} of {}\n", i, times);
      std::fflush(stdout);
    }
  }
  everyone.ExpectUnharmed(times);
  fmt::print(
      "restart: {} times killed; {} rounds of talk over 22 flows and ever new ones, none harmed\n",
      times, everyone.Rounds());
}

TEST(Soak, Flip) { RunFlips(Number("NATRIX_SOAK_FLIPS", 1000)); }

TEST(Soak, Race) { RunRace(Number("NATRIX_SOAK_SECONDS", 30), Number("NATRIX_SOAK_ROUNDS", 3)); }

}  // namespace
}  // namespace natrix::netns
