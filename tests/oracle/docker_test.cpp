// SPDX-License-Identifier: Apache-2.0
//
// Docker's published ports and the masquerade of its bridges: chain DOCKER, POSTROUTING.
#include "tests/oracle/host_ports_fixture.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kPsh;
using support::kRst;

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

void Guard(model::Docker& docker) { docker.direct_access = false; }

TEST_P(Docker, OnlyItsBridgeGetsToAGuardedContainer) {
  Publish(true);
  const auto direct = [&](PacketSpec spec) { exchange_.Send(Place::kOutside, Fresh(spec)); };
  direct(Call(cast().client, cast().pod1, kContainerPort));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
  Ask([](model::Docker& docker) {
    Guard(docker);
    docker.bridges[0].containers.push_back(
        {.name = "quiet",
         .addresses = {model::Address::Parse(CastOf(Family::kIpv4).pod3).value(),
                       model::Address::Parse(CastOf(Family::kIpv6).pod3).value()},
         .ports = {}});
    docker.bridges[0].subnets.push_back(model::Prefix::Parse("10.17.0.0/16").value());
    docker.bridges[0].subnets.push_back(model::Prefix::Parse("fd00:10:17::/64").value());
  });
  for (const std::string& own : {cast().pod1, cast().pod3}) {  // what it publishes, and all else
    direct(Call(cast().client, own, kContainerPort));
    EXPECT_TRUE(Vanishes(exchange_));
    direct(UdpCall(cast().client, own));
    EXPECT_TRUE(Vanishes(exchange_));
    direct(Echo(cast().client, own));
    EXPECT_TRUE(Vanishes(exchange_));
  }
  direct(Call(cast().client, cast().pod2));  // no container
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().client, cast().pod2}));
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
  Converses(Place::kPod1, To(cast().pod1, cast().web), {Place::kOutside, cast().node, cast().web});
  Converses(Place::kPod3, To(cast().pod3, cast().pod1), AtPod1(cast().pod3));  // by the bridge
  exchange_.SendFromNode(Call(cast().join, cast().pod1, kContainerPort));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().join)));
}

// Raw has no memory: neither a flow from before nor its short cut gets by, and an ICMP error about
// a flow of the container's does not, unless it is sent to the node.
TEST_P(Docker, AGuardedContainersFlowsFromBeforeAreCut) {
  Publish(true);
  PacketSpec call = To(cast().client, cast().pod1, kContainerPort);
  Converses(Place::kOutside, call, AtPod1(cast().client));
  Ask(Guard);
  call.tcp_flags = kPsh | kAck;
  for (int i = 0; i < 2; ++i) {
    exchange_.Send(Place::kOutside, call);
    EXPECT_TRUE(Vanishes(exchange_));
  }
  PacketSpec answer = call;
  std::swap(answer.src, answer.dst);
  std::swap(answer.sport, answer.dport);
  exchange_.Send(Place::kPod1, answer);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().client}));
  exchange_.Report(Place::kOutside, HostUnreachable(family()));
  EXPECT_TRUE(Vanishes(exchange_));
  Ask([](model::Docker& docker) { docker.direct_access = true; });
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));

  Ask(Guard);
  exchange_.Send(Place::kPod1, To(cast().pod1, cast().web));
  ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
  exchange_.Report(Place::kOutside, HostUnreachable(family()));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
}

TEST_P(Docker, AnotherBridgesContainersDoNotGetToAGuardedOne) {
  PublishOnTwo(true);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().other_node));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().other_node}));
  Ask(Guard);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().other_node));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kOutside, To(cast().other_node, cast().pod1));
  EXPECT_TRUE(Vanishes(exchange_));
  // At its port it is reached.
  Converses(Place::kPod2, To(cast().pod2, cast().node, kSecondPort),
            {Place::kOutside, cast().node, cast().other_node});
}

TEST_P(Docker, OlderChainsReturnWhatComesInByAnyBridge) {
  PublishOnTwo(true);
  Converses(Place::kPod2, To(cast().pod2, cast().node, kSecondPort),
            {Place::kOutside, cast().node, cast().other_node});
  IsTheNodes(Place::kPod2, To(cast().pod2, cast().node));
  Ask([](model::Docker& docker) { docker.bridges_return = true; });
  IsTheNodes(Place::kPod2, To(cast().pod2, cast().node, kSecondPort));
  IsTheNodes(Place::kPod2, To(cast().pod2, cast().node));
  IsTheNodes(Place::kOutside, To(cast().other_node, cast().node));
  Ask([](model::Docker& docker) { docker.bridges.pop_back(); });
  Converses(Place::kOutside, To(cast().other_node, cast().node), AtPod1(cast().other_node));
}

void Close(model::Docker& docker) { docker.filter = model::DockerFilter::kClosed; }

// DOCKER-FORWARD.
TEST_P(Docker, AClosedBridgeIsEnteredByPublishedPortsOnly) {
  Publish(true, {{{}, kHostPort, kContainerPort}, {{}, 5353, 53, NX_L4_UDP}});
  const auto from_outside = [&](PacketSpec spec) { exchange_.Send(Place::kOutside, Fresh(spec)); };
  from_outside(Call(cast().client, cast().pod1, kContainerPort + 1));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
  Ask(Close);
  from_outside(Call(cast().client, cast().pod1, kContainerPort + 1));
  EXPECT_TRUE(Vanishes(exchange_));
  from_outside(UdpCall(cast().client, cast().pod1, kContainerPort));  // published for TCP
  EXPECT_TRUE(Vanishes(exchange_));
  from_outside(Call(cast().client, cast().pod2, kContainerPort));  // another container's
  EXPECT_TRUE(Vanishes(exchange_));
  from_outside(Echo(cast().client, cast().pod1));
  EXPECT_TRUE(Vanishes(exchange_));
  PacketSpec orphan = Call(cast().client, cast().pod2, kContainerPort);
  orphan.tcp_flags = kRst;
  from_outside(orphan);
  EXPECT_TRUE(Vanishes(exchange_));
  // Directly, too: that is the raw table's.
  Converses(Place::kOutside, To(cast().client, cast().pod1, kContainerPort), AtPod1(cast().client));
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
  Converses(Place::kOutside, Fresh(UdpCall(cast().client, cast().node, 5353)),
            AtPod1(cast().client));
  // By the bridge, out of it, and what the node itself sends.
  Converses(Place::kPod2, To(cast().pod2, cast().pod1, 1), AtPod1(cast().pod2));
  Converses(Place::kPod2, To(cast().pod2, cast().web), {Place::kOutside, cast().node, cast().web});
  exchange_.SendFromNode(Call(cast().join, cast().pod2, 1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2}));
  // What is about a flow passes.
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().web));
  exchange_.Report(Place::kOutside, HostUnreachable(family()));
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
}

TEST_P(Docker, AClosedBridgeLetsFlowsFromBeforeGoOn) {
  Publish(true);
  PacketSpec call = To(cast().client, cast().pod2, kContainerPort);
  Converses(Place::kOutside, call, {Place::kPod2, cast().client, cast().pod2});
  Ask(Close);
  call.tcp_flags = kPsh | kAck;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().client, cast().pod2}));
}

TEST_P(Docker, AClosedBridgeIsOpenToAnothersContainersAsToAll) {
  PublishOnTwo(true);
  Ask(Close);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().other_node, kContainerPort + 1));
  EXPECT_TRUE(Vanishes(exchange_));
  Converses(Place::kPod2, To(cast().pod2, cast().node, kSecondPort),
            {Place::kOutside, cast().node, cast().other_node});
}

// KUBE-FORWARD stands before Docker's chains, and accepts what is marked.
TEST_P(Docker, ServicesGoIntoAClosedBridge) {
  Publish(true);
  Ask(Close);
  Serve(Everywhere({EndpointIn(Place::kPod2)}));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node, kNodePort));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().join, cast().pod2, true}));
}

// So do Kube-OVN's rules about its sets.
TEST_P(Docker, SubnetsAreReachedInAClosedBridge) {
  Publish(true);
  Ask(Close);
  exchange_.Send(Place::kOutside, To(cast().client, cast().pod2, 1));
  EXPECT_TRUE(Vanishes(exchange_));
  model::Subnet subnet;
  subnet.name = "pods";
  subnet.cidrs = config_.docker.bridges[0].subnets;
  config_.subnets = {subnet};
  nodes_.Apply(config_);
  exchange_.Send(Place::kOutside, To(cast().client, cast().pod2, 1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().client, cast().pod2}));
}

// DOCKER-ISOLATION-STAGE-1 and -2.
TEST_P(Docker, OlderIsolationPartsBridges) {
  PublishOnTwo(true);
  Ask([](model::Docker& docker) { docker.filter = model::DockerFilter::kIsolated; });
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().other_node, kContainerPort));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().node, kSecondPort));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kOutside, To(cast().other_node, cast().pod2, kContainerPort));
  EXPECT_TRUE(Vanishes(exchange_));
  Converses(Place::kPod2, To(cast().pod2, cast().pod1, 1), AtPod1(cast().pod2));
  Ask([](model::Docker& docker) { docker.bridges.pop_back(); });
  exchange_.Send(Place::kOutside, To(cast().other_node, cast().pod2, 1));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().other_node, cast().pod2}));
}

}  // namespace
}  // namespace natrix::oracle
