// SPDX-License-Identifier: Apache-2.0
//
// Docker's published ports and the masquerade of its bridges: chain DOCKER, POSTROUTING.
#include "tests/oracle/host_ports_fixture.h"

namespace natrix::oracle {
namespace {

class Docker : public HostPortOracle {};
ORACLE_FAMILIES(Docker);

TEST_P(Docker, PublishedPortsAreReachedFromOutside) {
  for (const bool proxy : {true, false}) {
    Publish(proxy);
    PacketSpec call = To(cast().client, cast().node);
    if (!proxy) call.sport = 40100;
    Converses(Place::kOutside, call, AtPod1(cast().client));
    call.dst = cast().node_second;
    Converses(Place::kOutside, call, AtPod1(cast().client));
  }
}

TEST_P(Docker, AnAddressIsTheOnlyOne) {
  Publish(true, {At(cast().node_second)});
  Converses(Place::kOutside, To(cast().client, cast().node_second), AtPod1(cast().client));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node));
}

TEST_P(Docker, UdpToo) {
  Publish(true, {{{}, kHostPort, kContainerPort, NX_L4_UDP}});
  Converses(Place::kOutside, UdpCall(cast().client, cast().node, kHostPort),
            AtPod1(cast().client));
}

TEST_P(Docker, TheBridgesOwnAreTheProxys) {
  Publish(true);
  IsTheNodes(Place::kPod2, To(cast().pod2, cast().node));
}

TEST_P(Docker, WithoutProxyTheBridgesOwnAreTranslated) {
  Publish(false);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().pod2)));
}

TEST_P(Docker, WithoutProxyAContainerReachesItself) {
  Publish(false);
  Converses(Place::kPod1, To(cast().pod1, cast().node),
            {Place::kPod1, cast().join, cast().pod1});
}

TEST_P(Docker, WithoutProxyWhatTheNodeSendsIsMasqueraded) {
  Publish(false);
  exchange_.SendFromNode(Call(cast().node, cast().pod2));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2}));
  Publish(true);
  PacketSpec next = Call(cast().node, cast().pod2);
  next.sport = 40100;
  exchange_.SendFromNode(next);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().node, cast().pod2}));
}

TEST_P(Docker, WhatLeavesTheSubnetByAnotherDeviceIsMasqueraded) {
  Publish(true);
  Converses(Place::kPod2, Call(cast().pod2, cast().web), {Place::kOutside, cast().node, cast().web});
  Converses(Place::kPod2, Call(cast().pod2, cast().pod1), {Place::kPod1, cast().pod2, cast().pod1});
  // By the bridge, though to another subnet.
  Converses(Place::kPod2, Call(cast().pod2, cast().pod3), {Place::kPod3, cast().pod2, cast().pod3});
  // pod3 is in no subnet of it.
  Converses(Place::kPod3, Call(cast().pod3, cast().web), {Place::kOutside, cast().pod3, cast().web});
}

TEST_P(Docker, AnswersToOutsideAreNoCalls) {
  Publish(true);
  Converses(Place::kOutside, Call(cast().client, cast().pod2), {Place::kPod2, cast().client, cast().pod2});
}

TEST_P(Docker, BesidePortmapBothAreThere) {
  config_.host_ports = {Container({{{}, kHostPort + 1, kContainerPort}})};
  config_.host_ports[0].addresses.clear();
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config_.host_ports[0].addresses.push_back(
        {model::Address::Parse(CastOf(each).pod3).value(), each == Family::kIpv4 ? 16 : 64});
  Publish(true);
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
  Converses(Place::kOutside, To(cast().client, cast().node, kHostPort + 1),
            {Place::kPod3, cast().client, cast().pod3});
}

}  // namespace
}  // namespace natrix::oracle
