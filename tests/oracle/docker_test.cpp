// SPDX-License-Identifier: Apache-2.0
//
// Docker's published ports and the masquerade of its bridges: chain DOCKER, POSTROUTING.
#include "tests/oracle/host_ports_fixture.h"

namespace natrix::oracle {
namespace {

class Docker : public HostPortOracle {};
ORACLE_FAMILIES(Docker);

TEST_P(Docker, PublishedPortsAreReachedAndTheBridgesOwnAreTheProxys) {
  Publish(true, {{{}, kHostPort, kContainerPort},
                 At(cast().node_second, kHostPort + 1),
                 {{}, 5353, 53, NX_L4_UDP}});
  for (const std::string& own : {cast().node, cast().node_second})
    Converses(Place::kOutside, To(cast().client, own), AtPod1(cast().client));
  Converses(Place::kOutside, Fresh(UdpCall(cast().client, cast().node, 5353)),
            AtPod1(cast().client));
  Converses(Place::kOutside, To(cast().client, cast().node_second, kHostPort + 1),
            AtPod1(cast().client));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node, kHostPort + 1));
  IsTheNodes(Place::kPod2, To(cast().pod2, cast().node));
}

TEST_P(Docker, WithoutProxyTheBridgesOwnAreTranslated) {
  Publish(false);
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().pod2)));
  Converses(Place::kPod1, To(cast().pod1, cast().node),
            {Place::kPod1, cast().join, cast().pod1});  // itself
  exchange_.SendFromNode(To(cast().node, cast().pod2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2}));
  Publish(true);
  exchange_.SendFromNode(To(cast().node, cast().pod2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().node, cast().pod2}));
}

TEST_P(Docker, WhatLeavesTheSubnetByAnotherDeviceIsMasqueraded) {
  // With portmap's containers beside it.
  config_.host_ports = {Container({{{}, kHostPort + 1, kContainerPort}})};
  config_.host_ports[0].addresses.clear();
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config_.host_ports[0].addresses.push_back(
        {model::Address::Parse(CastOf(each).pod3).value(), each == Family::kIpv4 ? 16 : 64});
  Publish(true);
  Converses(Place::kPod2, To(cast().pod2, cast().web), {Place::kOutside, cast().node, cast().web});
  Converses(Place::kPod2, To(cast().pod2, cast().pod1), {Place::kPod1, cast().pod2, cast().pod1});
  // By the bridge, though to another subnet.
  Converses(Place::kPod2, To(cast().pod2, cast().pod3), {Place::kPod3, cast().pod2, cast().pod3});
  // pod3 is in no subnet of it.
  Converses(Place::kPod3, To(cast().pod3, cast().web), {Place::kOutside, cast().pod3, cast().web});
  // Answers are no calls.
  Converses(Place::kOutside, To(cast().client, cast().pod2),
            {Place::kPod2, cast().client, cast().pod2});
  Converses(Place::kOutside, To(cast().client, cast().node, kHostPort + 1),
            {Place::kPod3, cast().client, cast().pod3});
}

}  // namespace
}  // namespace natrix::oracle
