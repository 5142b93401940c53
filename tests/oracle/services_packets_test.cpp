// SPDX-License-Identifier: Apache-2.0
//
// Services and packets that are not plain: fragments, ICMP errors, options, large ones.
#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {
namespace {

using support::Dissect;
using support::kAck;
using support::kSyn;

class ServicePackets : public ServiceOracle {
 protected:
  void Local(std::vector<model::ServiceEndpoint> endpoints, nx_l4 protocol) {
    model::Service service = Everywhere(std::move(endpoints), protocol);
    service.external_policy = model::TrafficPolicy::kLocal;
    Serve(service);
  }
  // Everything that arrives has these addresses, and it is more than one packet.
  void ArrivesInPieces(const std::string& src, const std::string& dst) {
    EXPECT_TRUE(Agree(exchange_));
    ASSERT_GT(exchange_.last().left.size(), 2U) << exchange_.transcript();
    for (const Seen& seen : exchange_.last().right) {
      EXPECT_EQ(Dissect(seen.frame)->src, src) << exchange_.transcript();
      EXPECT_EQ(Dissect(seen.frame)->dst, dst) << exchange_.transcript();
    }
  }
  std::vector<ErrorSpec> AllErrors() const {
    return {PortUnreachable(family()), HostUnreachable(family()), TooBig(family(), 1400),
            TimeExceeded(family())};
  }
};
ORACLE_FAMILIES(ServicePackets);

TEST_P(ServicePackets, FragmentsOf8KiBThroughANodePort) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().client, cast().node, kNodePort);
  call.payload = 8192;
  call.fragment = 1440;
  call.id = 71;
  exchange_.Send(Place::kOutside, call);
  ArrivesInPieces(cast().join, cast().pod1);
  exchange_.Reply(Place::kPod1, {.payload = 8192, .id = 72, .fragment = 1440});
  ArrivesInPieces(cast().node, cast().client);
}

TEST_P(ServicePackets, AndWithLocalPolicy) {
  Local({EndpointIn(Place::kPod1)}, NX_L4_UDP);
  PacketSpec call = UdpCall(cast().client, cast().node, kNodePort);
  call.payload = 8192;
  call.fragment = 1440;
  call.id = 73;
  for (int i = 0; i < 2; ++i) {
    call.id = static_cast<std::uint16_t>(call.id + 1);
    call.frag_id += 1;
    exchange_.Send(Place::kOutside, call);
    ArrivesInPieces(cast().client, cast().pod1);
  }
  exchange_.Reply(Place::kPod1, {.payload = 8192, .id = 74, .fragment = 1440});
  ArrivesInPieces(cast().node, cast().client);
}

TEST_P(ServicePackets, FragmentsThroughAClusterIp) {
  Serve(Web({EndpointIn(Place::kPod2)}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().pod1, cast().service);
  call.payload = 8192;
  call.fragment = 1440;
  call.id = 75;
  exchange_.Send(Place::kPod1, call);
  ArrivesInPieces(cast().pod1, cast().pod2);
  exchange_.Reply(Place::kPod2, {.payload = 3000, .id = 76, .fragment = 1200});
  ArrivesInPieces(cast().service, cast().pod1);
}

TEST_P(ServicePackets, FragmentsToNoEndpointAreRefused) {
  Serve(Web({}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().pod1, cast().service);
  call.payload = 3000;
  call.fragment = 1200;
  call.id = 77;
  if (family() == Family::kIpv4) {
    EXPECT_TRUE(IsRefused(Place::kPod1, call));
    return;
  }
  exchange_.Send(Place::kPod1, call);
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
  EXPECT_TRUE(RightShows(exchange_, std::nullopt)) << "natrix drops it without a word: README";
}

// The endpoint's errors come from what was called, and quote what the client sent.
TEST_P(ServicePackets, ErrorsOfTheEndpointReachTheClientOfAClusterIp) {
  Serve(Web({EndpointIn(Place::kPod2)}, NX_L4_UDP));
  exchange_.Send(Place::kPod1, UdpCall(cast().pod1, cast().service));
  for (const ErrorSpec& error : AllErrors()) {
    exchange_.Report(Place::kPod2, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().service, cast().pod1}));
  }
}

TEST_P(ServicePackets, ErrorsOfTheEndpointReachTheClientOfANodePort) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  exchange_.Send(Place::kOutside, Call(cast().client, cast().node, kNodePort));
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  for (const ErrorSpec& error : AllErrors()) {
    exchange_.Report(Place::kPod1, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client}));
  }
}

// Whoever reports: a router stands behind the address that it is translated with.
TEST_P(ServicePackets, ErrorsOfTheClientsSideReachTheEndpoint) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  exchange_.Send(Place::kOutside, Call(cast().client, cast().node, kNodePort));
  exchange_.Reply(Place::kPod1, {.tcp_flags = kSyn | kAck, .ack = 1001});
  for (ErrorSpec error : AllErrors()) {
    error.from = cast().router;
    exchange_.Report(Place::kOutside, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1}));
  }
}

TEST_P(ServicePackets, SoDoTheyWithLocalPolicy) {
  Local({EndpointIn(Place::kPod1)}, NX_L4_UDP);
  exchange_.Send(Place::kOutside, UdpCall(cast().client, cast().node, kNodePort));
  for (const ErrorSpec& error : AllErrors()) {
    exchange_.Report(Place::kPod1, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client}));
  }
  exchange_.Reply(Place::kPod1, {.payload = 64});
  for (ErrorSpec error : AllErrors()) {
    error.from = cast().router;
    exchange_.Report(Place::kOutside, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().router, cast().pod1}));
  }
}

TEST_P(ServicePackets, ErrorsOfARouterBeforeTheEndpointAreTranslated) {
  Serve(Everywhere({RemoteEndpoint()}));
  exchange_.Send(Place::kPod1, Call(cast().pod1, cast().service));
  for (ErrorSpec error : AllErrors()) {
    error.from = cast().router;
    exchange_.Report(Place::kOutside, error);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().service, cast().pod1}));
  }
}

TEST_P(ServicePackets, OptionsTtlAndEmptyChecksums) {
  Serve(Web({EndpointIn(Place::kPod2)}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().pod1, cast().service);
  call.options = true;
  call.sport = 40100;
  exchange_.Send(Place::kPod1, call);
  EXPECT_TRUE(Agree(exchange_));
  call.options = false;
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{2}}) {
    call.ttl = ttl;
    ++call.sport;
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Agree(exchange_)) << "with TTL 1 the node tells the client";
    exchange_.Send(Place::kPod1, call);
    EXPECT_TRUE(Agree(exchange_));
  }
  call.ttl = 64;
  call.no_checksum = family() == Family::kIpv4;
  ++call.sport;
  exchange_.Send(Place::kPod1, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod2, cast().pod1, cast().pod2}));
  exchange_.Reply(Place::kPod2, {.payload = 10, .no_checksum = call.no_checksum});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().service, cast().pod1, true}));
}

TEST_P(ServicePackets, AFirstPacketThatDiesOnItsWayTakesNoMarkAlong) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  PacketSpec call = Call(cast().client, cast().node, kNodePort);
  call.ttl = 1;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Agree(exchange_)) << "time exceeded";
  call.ttl = 64;
  Converses(Place::kOutside, call, {Place::kPod1, cast().join, cast().pod1, true});
}

TEST_P(ServicePackets, FragmentsThatAreDroppedAreDroppedToTheLast) {
  model::Service service = Everywhere({EndpointIn(Place::kPod1)}, NX_L4_UDP);
  service.load_balancer_source_ranges = {model::Prefix::Parse("8.8.8.8/32").value(),
                                         model::Prefix::Parse("2001:db8:8::8/128").value()};
  Serve(service);
  PacketSpec call = UdpCall(cast().client, names().load_balancer);
  call.payload = 3000;
  call.fragment = 1200;
  call.id = 78;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Vanishes(exchange_));
}

TEST_P(ServicePackets, WhatTheUplinkCannotCarryIsReported) {
  Serve(Web({RemoteEndpoint()}, NX_L4_UDP));
  PacketSpec call = UdpCall(cast().pod1, cast().service);
  call.payload = 2000;
  call.dont_fragment = true;
  exchange_.Send(Place::kPod1, call);
  EXPECT_TRUE(Agree(exchange_));
  EXPECT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
}

// Two clients of one node's addresses with one port: the masquerade keeps them apart.
TEST_P(ServicePackets, ClientsWithOnePortAreKeptApart) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  for (const std::string& client : {cast().client, cast().web, cast().web2})
    Converses(Place::kOutside, Call(client, cast().node, kNodePort),
              {Place::kPod1, cast().join, cast().pod1, true});
  // And one client that calls one endpoint by two addresses.
  Local({EndpointIn(Place::kPod1)}, NX_L4_TCP);
  PacketSpec call = Call(cast().router, names().external);
  Converses(Place::kOutside, call, {Place::kPod1, cast().router, cast().pod1});
  call.dst = names().load_balancer;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Agree(exchange_));
  exchange_.Reply(Place::kPod1, {.tcp_flags = kSyn | kAck, .ack = 1001});
  EXPECT_TRUE(Agree(exchange_));
}

}  // namespace
}  // namespace natrix::oracle
