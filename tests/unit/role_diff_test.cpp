// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "userspace/compile/compile.h"

namespace natrix::compile {
namespace {

using testing::ElementsAre;

TEST(Role, ExactNameWinsOverPattern) {
  const model::Node node{.name = "", .addresses = {}, .uplinks = {"eth*"}, .pod_devices = {"eth1"}};

  EXPECT_EQ(RoleOf(node, "eth0"), NX_DEVICE_UPLINK);
  EXPECT_EQ(RoleOf(node, "eth1"), NX_DEVICE_POD);
}

TEST(Role, UplinkWinsOverPodDevice) {
  const model::Node node{
      .name = "", .addresses = {}, .uplinks = {"e?h[0-3]"}, .pod_devices = {"*"}};

  EXPECT_EQ(RoleOf(node, "eth3"), NX_DEVICE_UPLINK);
  EXPECT_EQ(RoleOf(node, "eth4"), NX_DEVICE_POD);
  EXPECT_EQ(RoleOf(node, "veth12ab"), NX_DEVICE_POD);
}

TEST(Role, OthersAndLoopbackAreNotManaged) {
  model::Node node{.name = "", .addresses = {}, .uplinks = {"eth0"}, .pod_devices = {"ovn0"}};
  EXPECT_EQ(RoleOf(node, "eth0.100"), std::nullopt);
  EXPECT_EQ(RoleOf(node, "docker0"), std::nullopt);

  node.uplinks = {"*"};
  EXPECT_EQ(RoleOf(node, "lo"), std::nullopt);
}

TEST(Diff, NamesWhatToEraseAndWhatToWrite) {
  const Table<std::uint32_t, nx_local> live = {{1, {10}}, {2, {20}}, {3, {30}}};
  const Table<std::uint32_t, nx_local> wanted = {{2, {20}}, {3, {31}}, {4, {40}}};

  const auto edits = Diff(live, wanted);

  EXPECT_THAT(edits.erase, ElementsAre(1));
  ASSERT_EQ(edits.write.size(), 2u);
  EXPECT_EQ(edits.write[0].first, 3u);
  EXPECT_EQ(edits.write[0].second.ifindex, 31u);
  EXPECT_EQ(edits.write[1].first, 4u);
}

using Locals = Parts<std::uint32_t, nx_local>;

auto Part(Table<std::uint32_t, nx_local> entries) {
  return std::make_shared<const Table<std::uint32_t, nx_local>>(std::move(entries));
}

TEST(Diff, FindsAnEntryThatWentIntoAnotherPart) {
  Locals live, wanted;
  live["shared"] = wanted["shared"] = Part({{9, {90}}});
  live["a"] = Part({{1, {10}}, {4, {40}}});
  live["b"] = Part({{2, {20}}, {5, {50}}});
  wanted["b"] = Part({{1, {11}}, {4, {40}}});
  wanted["c"] = Part({{2, {20}}, {3, {30}}});

  const auto edits = Diff(live, wanted);

  EXPECT_THAT(edits.erase, ElementsAre(5));
  ASSERT_EQ(edits.write.size(), 2u);
  EXPECT_EQ(edits.write[0].first, 1u);
  EXPECT_EQ(edits.write[0].second.ifindex, 11u);
  EXPECT_EQ(edits.write[1].first, 3u);
}

TEST(Diff, TheSameInOtherPartsIsTheSame) {
  Locals live, wanted;
  live["a"] = Part({{1, {10}}, {2, {20}}});
  wanted["b"] = Part({{2, {20}}});
  wanted["c"] = Part({{1, {10}}});
  EXPECT_TRUE(Same(live, wanted));

  wanted["c"] = Part({{1, {11}}});
  EXPECT_FALSE(Same(live, wanted));
  wanted["c"] = Part({{1, {10}}, {3, {30}}});
  EXPECT_FALSE(Same(live, wanted));
}

// A set has a member of two Subnets once.
TEST(Diff, WhatTwoPartsHaveIsThereAsLongAsOneHasIt) {
  Locals both, one;
  both["a"] = Part({{1, {10}}});
  both["b"] = Part({{1, {10}}, {2, {20}}});
  one["b"] = Part({{1, {10}}});

  EXPECT_EQ(Diff(Locals(), both).write.size(), 2u);
  EXPECT_THAT(Diff(both, one).erase, ElementsAre(2));
  EXPECT_TRUE(Diff(both, one).write.empty());
  EXPECT_THAT(DiffOfSets(both, one).erase, ElementsAre(2));
}

}  // namespace
}  // namespace natrix::compile
