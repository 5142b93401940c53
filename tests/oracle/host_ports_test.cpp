// SPDX-License-Identifier: Apache-2.0
//
// CNI's portmap: CNI-HOSTPORT-DNAT to CNI-DN-*, CNI-HOSTPORT-SETMARK and CNI-HOSTPORT-MASQ.
#include "tests/oracle/host_ports_fixture.h"
#include "tests/support/build.h"

namespace natrix::oracle {
namespace {

using model::HostPorts;
using support::kAck;

class HostPort : public HostPortOracle {};
ORACLE_FAMILIES(HostPort);

TEST_P(HostPort, FromOutsideReachesTheContainerAtEveryAddress) {
  Map(Container());
  PacketSpec call = To(cast().client, cast().node);
  for (const std::string& own : {cast().node, cast().node_second, cast().join}) {
    call.dst = own;
    ++call.sport;
    Converses(Place::kOutside, call, AtPod1(cast().client));
  }
}

TEST_P(HostPort, UdpAndSctpToo) {
  HostPorts ports = Container({{{}, kHostPort, kContainerPort, NX_L4_UDP},
                               {{}, kContainerPort, kContainerPort, NX_L4_SCTP}});
  Map(ports);
  Converses(Place::kOutside, UdpCall(cast().client, cast().node, kHostPort),
            AtPod1(cast().client));
  Converses(Place::kOutside, SctpCall(cast().client, cast().node, kContainerPort),
            AtPod1(cast().client));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node));  // no TCP
}

TEST_P(HostPort, OtherNetworksKeepTheirAddress) {
  Map(Container());
  Converses(Place::kPod3, To(cast().pod3, cast().node), AtPod1(cast().pod3));
}

TEST_P(HostPort, ItsOwnNetworkIsMasqueradedAndTheMarkStays) {
  Map(Container());
  Converses(Place::kPod2, To(cast().pod2, cast().node), Marked());
}

TEST_P(HostPort, TheContainerReachesItself) {
  Map(Container());
  Converses(Place::kPod1, To(cast().pod1, cast().node), Marked());
}

TEST_P(HostPort, MasqAllIsForEverybody) {
  HostPorts ports = Container();
  ports.masq_all = true;
  Map(ports);
  Converses(Place::kOutside, To(cast().client, cast().node), Marked());
  Converses(Place::kPod3, To(cast().pod3, cast().node), Marked());
}

TEST_P(HostPort, WithoutSnatNobodyIsMasqueraded) {
  HostPorts ports = Container();
  ports.snat = false;
  Map(ports);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().pod2)));
}

TEST_P(HostPort, AHostIpIsTheOnlyAddress) {
  Map(Container({At(cast().node_second)}));
  Converses(Place::kOutside, To(cast().client, cast().node_second), AtPod1(cast().client));
  IsTheNodes(Place::kOutside, To(cast().client, cast().node));
  PacketSpec hairpin = To(cast().pod2, cast().node_second);
  Converses(Place::kPod2, hairpin, Marked());
}

TEST_P(HostPort, AHostIpThatTheNodeHasNotIsNoHostIp) {
  Map(Container({At(cast().web)}));
  exchange_.Send(Place::kPod3, To(cast().pod3, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().web}));
}

TEST_P(HostPort, AnUnspecifiedHostIpIsEveryAddressOfItsFamily) {
  Map(Container({At(family() == Family::kIpv4 ? "0.0.0.0" : "::")}));
  Converses(Place::kOutside, To(cast().client, cast().node_second), AtPod1(cast().client));
  Map(Container({At(family() == Family::kIpv4 ? "::" : "0.0.0.0")}));
  PacketSpec call = To(cast().client, cast().node);
  call.sport = 40100;
  IsTheNodes(Place::kOutside, call);
}

TEST_P(HostPort, OtherHostsAreNotCalledAtIt) {
  Map(Container());
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod2, cast().pod3}));
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod2, cast().web}));
}

TEST_P(HostPort, MorePortsThanOneRuleHolds) {
  std::vector<model::PortMapping> mappings;
  for (int i = 0; i < 17; ++i)
    mappings.push_back({{},
                        static_cast<std::uint16_t>(kHostPort + i),
                        static_cast<std::uint16_t>(kContainerPort + 2 * i)});
  Map(Container(mappings));
  for (const int i : {0, 14, 15, 16}) {
    PacketSpec call = To(cast().client, cast().node, static_cast<std::uint16_t>(kHostPort + i));
    exchange_.Send(Place::kOutside, call);
    EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
    EXPECT_EQ(support::Word(exchange_.last().right[0].frame,
                            support::Dissect(exchange_.last().right[0].frame)->dport_at.value()),
              kContainerPort + 2 * i);
  }
}

TEST_P(HostPort, FragmentsFollowTheirFirst) {
  Map(Container({{{}, kHostPort, kContainerPort, NX_L4_UDP}}));
  PacketSpec call = UdpCall(cast().client, cast().node, kHostPort);
  call.payload = 4000;
  call.fragment = 1400;
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_FALSE(exchange_.last().right.empty()) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right) EXPECT_EQ(seen.place, Place::kPod1);
}

TEST_P(HostPort, ErrorsFindTheirWayBack) {
  Map(Container());
  for (const Place caller : {Place::kOutside, Place::kPod2}) {
    const std::string& src = caller == Place::kOutside ? cast().client : cast().pod2;
    exchange_.Send(caller, To(src, cast().node));
    exchange_.Report(Place::kPod1, TooBig(family(), 1400));
    EXPECT_TRUE(Agree(exchange_));
    ASSERT_EQ(exchange_.last().right.size(), 1U) << exchange_.transcript();
    EXPECT_EQ(exchange_.last().right[0].place, caller);
  }
}

TEST_P(HostPort, AFlowThatBeganWithoutSynIsTranslated) {
  Map(Container());
  PacketSpec late = To(cast().client, cast().node);
  late.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, late);
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
}

// kube-proxy's chains stand before portmap's.
TEST_P(HostPort, AServicesAddressWinsWhereItIs) {
  model::Service service = Web({EndpointIn(Place::kPod3)});
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    service.external_ips.push_back(model::Address::Parse(CastOf(each).node_second).value());
  service.ports[0].port = kHostPort;
  config_.services.assign(1, service);
  Map(Container());
  exchange_.Send(Place::kOutside, To(cast().client, cast().node_second));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
}

TEST_P(HostPort, ANodePortWinsWhereItIs) {
  model::Service service = Web({EndpointIn(Place::kPod3)});
  service.ports[0].node_port = kHostPort;
  config_.services.assign(1, service);
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config_.kube_proxy.node_port_addresses.push_back(
        model::Prefix::Of(model::Address::Parse(CastOf(each).node_second).value()));
  Map(Container());
  exchange_.Send(Place::kOutside, To(cast().client, cast().node_second));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().join, cast().pod3, true}));
  exchange_.Send(Place::kOutside, To(cast().client, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().client)));
}

TEST_P(HostPort, IpMasqIsForWhatLeavesTheNetwork) {
  HostPorts ports = Container();
  ports.ip_masq = true;
  Map(ports);
  Converses(Place::kPod1, Call(cast().pod1, cast().web), {Place::kOutside, cast().node, cast().web});
  Converses(Place::kPod1, Call(cast().pod1, cast().pod2), {Place::kPod2, cast().pod1, cast().pod2});
  Converses(Place::kPod1, Call(cast().pod1, cast().pod3), {Place::kPod3, cast().join, cast().pod3});
  // Only the container's own.
  Converses(Place::kPod2, Call(cast().pod2, cast().web), {Place::kOutside, cast().pod2, cast().web});
  // And not what it answers.
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
}

// What asks for masquerade by the mark, whoever set it.
TEST_P(HostPort, TheNodesOwnMarkIsHonoured) {
  Map(Container());
  exchange_.SendFromNode(Call(cast().join, cast().web), kHostPortMark | 0x10000);
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web, false,
                                  kHostPortMark | 0x10000}));
}

}  // namespace
}  // namespace natrix::oracle
