// SPDX-License-Identifier: Apache-2.0
//
// A process of the node calls a Service's address, with kube-proxy in IPVS mode.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"
#include "tests/support/network.h"

namespace natrix::netns {
namespace {

constexpr std::uint16_t kServed = 80;
constexpr std::uint16_t kNotServed = 81;

class Reject : public testing::TestWithParam<Family> {
 protected:
  Reject() {
    for (const Family family : kFamilies)
      support::Ip(node_.node(), "addr add " + CastOf(family).service +
                                    (family == Family::kIpv4 ? "/32 dev lo" : "/128 dev lo nodad"));
    node_.Start();
  }
  Point Service(std::uint16_t port) const { return {CastOf(GetParam()).service, port}; }
  Point Anywhere(std::uint16_t port) const {
    return {GetParam() == Family::kIpv4 ? "0.0.0.0" : "::", port};
  }

  TrafficNode node_{
      {.words = "ipvs: {clusterIPs: [\"10.96.0.10,tcp:80\", \"fd00:10:96::a,tcp:80\"]}\n"}};
};
INSTANTIATE_TEST_SUITE_P(Families, Reject, testing::ValuesIn(kFamilies),
                         [](const auto& now) { return NameOf(now.param); });

TEST_P(Reject, AProcessOfTheNodeReachesNobodyWhoListensOnAllPortsOfAService) {
  const UniqueFd listener = Listen(node_.node(), Anywhere(kNotServed));

  EXPECT_FALSE(TryConnect(node_.node(), Anywhere(0), Service(kNotServed)));
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_P(Reject, WhatAServiceHasIsReached) {
  const UniqueFd listener = Listen(node_.node(), Anywhere(kServed));

  EXPECT_TRUE(TryConnect(node_.node(), Anywhere(0), Service(kServed)));
}

TEST_P(Reject, WithoutIpvsNobodyIsRefused) {
  node_.SetWords("");
  const UniqueFd listener = Listen(node_.node(), Anywhere(kNotServed));

  EXPECT_TRUE(TryConnect(node_.node(), Anywhere(0), Service(kNotServed)));
}

}  // namespace
}  // namespace natrix::netns
