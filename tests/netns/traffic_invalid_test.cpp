// SPDX-License-Identifier: Apache-2.0
//
// Connections that stand when natrix takes a node over.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <utility>

#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"

namespace natrix::netns {
namespace {

constexpr char kConfig[] = R"(node: {name: node1, uplinks: [eth0], podDevices: [ovn0]}
services:
- name: web
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  ports: [{port: 80}]
  endpoints: [{addresses: [10.16.0.10, "fd00:10:16::10"], port: 8080}]
)";
constexpr char kDrop[] = "kubeProxy: {invalid: drop}\n";
const Bytes kHello{'h', 'e', 'l', 'l', 'o'};

class Invalid : public testing::TestWithParam<Family> {
 protected:
  // pod3 is connected to a server outside, and natrixd not there yet.
  Invalid() {
    const Point server{cast().web, 8000};
    const UniqueFd listener = Listen(node_.outside(), server);
    pod_ = Connect(node_.at(Place::kPod3), {cast().pod3, 0}, server);
    server_ = Accept(listener.get());
    EXPECT_TRUE(IsHeard(pod_, server_));
  }

  const Cast& cast() const { return CastOf(GetParam()); }
  void Start(const std::string& more = {}) {
    node_.Start();
    node_.Reload(kConfig + more);
  }
  static bool IsHeard(const UniqueFd& from, const UniqueFd& to) {
    Bytes heard(kHello.size());
    return WriteAll(from.get(), kHello) && ReadAll(to.get(), heard) && heard == kHello;
  }
  static bool HearsTheEnd(const UniqueFd& fd, milliseconds limit) {
    char byte = 0;
    return Waits(fd.get(), Scaled(limit)) && ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  std::uint64_t dropped() const { return node_.CountOf("INVALID_FORWARD"); }

  TrafficNode node_;
  UniqueFd pod_, server_;
};
INSTANTIATE_TEST_SUITE_P(Families, Invalid, testing::ValuesIn(kFamilies),
                         [](const auto& param) { return std::string(NameOf(param.param)); });

TEST_P(Invalid, AConnectionFromBeforeGoesOnAndEnds) {
  Start(kDrop);
  EXPECT_TRUE(IsHeard(server_, pod_));
  EXPECT_TRUE(IsHeard(pod_, server_));
  ASSERT_EQ(::shutdown(pod_.get(), SHUT_WR), 0);
  EXPECT_TRUE(HearsTheEnd(server_, milliseconds(5000)));
  ASSERT_EQ(::shutdown(server_.get(), SHUT_WR), 0);
  EXPECT_TRUE(HearsTheEnd(pod_, milliseconds(5000)));
  EXPECT_EQ(dropped(), 0U);
}

// NX_R_INVALID_FORWARD
TEST_P(Invalid, AnEndOfWhatNobodyKnowsIsDroppedUntilTheOtherEndSpeaks) {
  Start(kDrop);
  ASSERT_EQ(::shutdown(pod_.get(), SHUT_WR), 0);
  EXPECT_FALSE(HearsTheEnd(server_, milliseconds(700)));
  EXPECT_GT(dropped(), 0U);
  EXPECT_TRUE(IsHeard(server_, pod_));
  EXPECT_TRUE(HearsTheEnd(server_, milliseconds(5000)));
}

TEST_P(Invalid, OrPassesUnlessItIsToBeDropped) {
  Start();
  ASSERT_EQ(::shutdown(pod_.get(), SHUT_WR), 0);
  EXPECT_TRUE(HearsTheEnd(server_, milliseconds(5000)));
  EXPECT_EQ(dropped(), 0U);
}

}  // namespace
}  // namespace natrix::netns
