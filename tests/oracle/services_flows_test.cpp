// SPDX-License-Identifier: Apache-2.0
//
// Services beside flows that are none of theirs, and on a device that has no address.
#include <fmt/core.h>

#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

class ServiceFlows : public ServiceOracle {
 protected:
  PacketSpec From(PacketSpec spec, std::uint16_t sport) const {
    spec.sport = sport;
    return spec;
  }
  // As the devices of single pods are, Calico's way.  With its last IPv4 address a device loses its
  // routes and neighbours.
  void TakeAddressesOfThePodDevice() {
    for (Side* side : {&nodes_.left(), &nodes_.right()}) {
      const support::Namespace& node = side->scene.node();
      support::Ip(node, "addr flush dev ovn0 scope global\n");
      if (family() == Family::kIpv4)
        support::Ip(node, fmt::format("route replace 10.16.0.0/13 dev ovn0 src {}\n"
                                      "neigh replace {} lladdr {} dev ovn0 nud permanent\n",
                                      cast().node, cast().pod1, MacOf(Place::kPod1)));
    }
  }
};
ORACLE_FAMILIES(ServiceFlows);

// nf_nat's null binding moves the second one to another port.
TEST_P(ServiceFlows, AnEndpointTellsCallsOfItselfFromThoseOfItsService) {
  Serve(Web({EndpointIn(Place::kPod1)}));
  exchange_.Send(Place::kPod3, From(Call(cast().pod3, cast().pod1, kEndpointPort), 41000));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
  exchange_.Send(Place::kPod3, From(Call(cast().pod3, cast().service), 41000));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1, true}));
  exchange_.Reply(Place::kPod1, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().service, cast().pod3, true}));
}

// Of UDP kube-proxy deletes what conntrack knows, and natrix what it does (UdpRelease).
TEST_P(ServiceFlows, WhatBeganBeforeTheServiceWasThereIsLeftAlone) {
  Serve(Web({EndpointIn(Place::kPod1)}, NX_L4_UDP));
  const PacketSpec first = From(Call(cast().pod3, cast().service), 41000);
  exchange_.Send(Place::kPod3, first);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().service}));
  Serve(Web({EndpointIn(Place::kPod1)}));
  exchange_.Send(Place::kPod3, first);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().service}));
  exchange_.Send(Place::kPod3, From(first, 41001));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
}

TEST_P(ServiceFlows, APortIsUsedAgainWhileItsLastConnectionIsInTimeWait) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  const PacketSpec call = From(Call(cast().client, cast().node, kNodePort), 41000);
  const auto client = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
    PacketSpec spec = call;
    spec.tcp_flags = flags;
    spec.seq = seq;
    spec.ack = ack;
    exchange_.Send(Place::kOutside, spec);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  };
  const auto endpoint = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
    exchange_.Reply(Place::kPod1, {.tcp_flags = flags, .seq = seq, .ack = ack});
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
  };
  for (const std::uint32_t from : {1000U, 900000U}) {
    client(kSyn, from, 0);
    endpoint(kSyn | kAck, from + 5, from + 1);
    client(kAck, from + 1, from + 6);
    client(support::kFin | kAck, from + 1, from + 6);
    endpoint(support::kFin | kAck, from + 6, from + 2);
    client(kAck, from + 2, from + 7);
  }
}

TEST_P(ServiceFlows, AnAnswerToAnAddressWithAServiceIsNoCall) {
  Serve(Everywhere({EndpointIn(Place::kPod1)}, NX_L4_UDP));
  PacketSpec question = From(UdpCall(names().external, cast().pod3, 4000), kServicePort);
  exchange_.Send(Place::kOutside, question);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, names().external, cast().pod3}));
  exchange_.Reply(Place::kPod3, {.payload = 20});
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, names().external}));
}

TEST_P(ServiceFlows, ADeviceWithoutAddressesMasqueradesWithAnothers) {
  TakeAddressesOfThePodDevice();
  Serve(Everywhere({EndpointIn(Place::kPod1)}));
  Converses(Place::kOutside, From(Call(cast().client, cast().node, kNodePort), 41000),
            {Place::kPod1, cast().node, cast().pod1, true});
  Converses(Place::kPod1, From(Call(cast().pod1, cast().service), 41001),
            {Place::kPod1, cast().node, cast().pod1, true});
}

TEST_P(ServiceFlows, ADeviceWithoutAddressesRefusesFromAnothers) {
  TakeAddressesOfThePodDevice();
  Serve(Everywhere({}));
  EXPECT_TRUE(IsRefused(Place::kPod1, Call(cast().pod1, cast().service)));
  EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, names().external)));
}

// RFC 1122 section 3.2.2, RFC 4443 section 2.4(e).
TEST_P(ServiceFlows, WhoeverIsNotOneNodeIsNotToldOfARefusal) {
  Serve(Everywhere({}));
  EXPECT_TRUE(IsRefused(Place::kOutside, Call(cast().client, names().external)));
  for (const char* from : family() == Family::kIpv4
                              ? std::vector{"224.0.0.5", "255.255.255.255", "0.0.0.0", "127.0.0.1"}
                              : std::vector{"ff02::5", "::", "::1"}) {
    SCOPED_TRACE(from);
    exchange_.Send(Place::kOutside, Call(from, names().external));
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

}  // namespace
}  // namespace natrix::oracle
