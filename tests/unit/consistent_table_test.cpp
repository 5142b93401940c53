// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/consistent_table.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "tests/unit/compile_services.h"

namespace natrix::compile {
namespace {

using testing::Each;
using testing::IsEmpty;

std::vector<nx_backend> Backends(int count) {
  std::vector<nx_backend> list;
  for (int i = 0; i < count; ++i)
    list.push_back({.addr = Addr(fmt::format("10.16.{}.{}", i / 250, i % 250 + 1)).bytes,
                    .port = htons(8080),
                    .pad = {}});
  return list;
}

// Who has each slot, as a number that does not depend on the list's order.
std::vector<std::string> Owners(const std::vector<nx_backend>& backends) {
  std::vector<std::string> owners;
  for (const std::uint16_t index : ConsistentTable(backends))
    owners.push_back(Address{backends.at(index).addr}.ToString() + " " +
                     std::to_string(Port(backends.at(index).port)));
  return owners;
}

TEST(ConsistentTable, IsEmptyWithoutBackends) { EXPECT_THAT(ConsistentTable({}), IsEmpty()); }

TEST(ConsistentTable, OfOneIsAllItsOwn) {
  const auto table = ConsistentTable(Backends(1));
  EXPECT_EQ(table.size(), NX_TABLE_SLOTS);
  EXPECT_THAT(table, Each(0));
}

TEST(ConsistentTable, GivesEverybodyAsMuch) {
  for (const int count : {2, 3, 7, 100, 1000}) {
    std::vector<int> share(static_cast<std::size_t>(count));
    for (const std::uint16_t index : ConsistentTable(Backends(count))) ++share.at(index);
    const auto [least, most] = std::ranges::minmax(share);
    EXPECT_LE(most - least, 1) << count;
  }
}

TEST(ConsistentTable, DoesNotDependOnTheOrder) {
  auto backends = Backends(50);
  const auto owners = Owners(backends);
  std::ranges::reverse(backends);
  std::swap(backends[3], backends[17]);
  EXPECT_EQ(Owners(backends), owners);
}

TEST(ConsistentTable, TellsPortsOfOneAddressApart) {
  auto backends = Backends(1);
  backends.push_back(backends[0]);
  backends[1].port = htons(8081);
  const auto table = ConsistentTable(backends);
  EXPECT_EQ(std::ranges::count(table, 0), (NX_TABLE_SLOTS + 1) / 2);
}

// Slots that change hands although the one that had them stays.
double Moved(const std::vector<nx_backend>& before, const std::vector<nx_backend>& after) {
  const auto old = Owners(before), now = Owners(after);
  int moved = 0;
  for (std::size_t i = 0; i < old.size(); ++i)
    moved += old[i] != now[i] && std::ranges::find(now, old[i]) != now.end();
  return moved / static_cast<double>(old.size());
}

TEST(ConsistentTable, FewMoveWhenOneOfAHundredGoesOrComes) {
  const auto all = Backends(100);
  double worst = 0;
  for (const std::size_t gone : {0U, 13U, 50U, 87U, 99U}) {
    auto rest = all;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
    worst = std::max(worst, Moved(all, rest));
    // One that comes takes its own share, too.
    EXPECT_LT(Moved(rest, all), 0.02 + 0.01);
  }
  EXPECT_LT(worst, 0.02);
}

}  // namespace
}  // namespace natrix::compile
