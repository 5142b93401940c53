// SPDX-License-Identifier: Apache-2.0
//
// CNI's portmap: CNI-HOSTPORT-DNAT to CNI-DN-*, CNI-HOSTPORT-SETMARK and CNI-HOSTPORT-MASQ; ipMasq
// of bridge and ptp.  Two nodes take a second to make, so that a test asks much of one.
#include "tests/oracle/host_ports_fixture.h"

namespace natrix::oracle {
namespace {

using model::HostPorts;
using support::kAck;
using support::Word;

class HostPort : public HostPortOracle {
 protected:
  static std::uint16_t DestinationPort(const Seen& seen) {
    return Word(seen.frame, support::Dissect(seen.frame)->dport_at.value());
  }
  void ReportsComeBack(Place caller, const PacketSpec& call) {
    exchange_.Send(caller, call);
    exchange_.Report(Place::kPod1, TooBig(family(), 1400));
    EXPECT_TRUE(Agree(exchange_));
    ASSERT_EQ(exchange_.last().right.size(), 1U) << exchange_.transcript();
    EXPECT_EQ(exchange_.last().right[0].place, caller);
  }
};
ORACLE_FAMILIES(HostPort);

TEST_P(HostPort, FromOutsideReachesTheContainerAtEveryAddress) {
  // More than one -m multiport holds.
  std::vector<model::PortMapping> mappings;
  for (std::uint16_t i = 0; i < 17; ++i)
    mappings.push_back({{},
                        static_cast<std::uint16_t>(kHostPort + i),
                        static_cast<std::uint16_t>(kContainerPort + 2 * i)});
  mappings.push_back({{}, 5353, 53, NX_L4_UDP});
  mappings.push_back({{}, kContainerPort, kContainerPort, NX_L4_SCTP});
  Map(Container(mappings));
  const Arrival there = AtPod1(cast().client);

  for (const std::string& own : {cast().node, cast().node_second, cast().join})
    Converses(Place::kOutside, To(cast().client, own), there);
  for (const int i : {14, 15, 16}) {
    exchange_.Send(Place::kOutside,
                   To(cast().client, cast().node, static_cast<std::uint16_t>(kHostPort + i)));
    ASSERT_TRUE(Arrives(exchange_, there));
    EXPECT_EQ(DestinationPort(exchange_.last().left[0]), kContainerPort + 2 * i);
  }
  Converses(Place::kOutside, Fresh(UdpCall(cast().client, cast().node, 5353)), there);
  Converses(Place::kOutside, Fresh(SctpCall(cast().client, cast().node, kContainerPort)), there);
  IsTheNodes(Place::kOutside, To(cast().client, cast().node, 5353));  // not TCP's

  PacketSpec late = To(cast().client, cast().node);
  late.tcp_flags = kAck;
  exchange_.Send(Place::kOutside, late);
  EXPECT_TRUE(Arrives(exchange_, there));
  ReportsComeBack(Place::kOutside, To(cast().client, cast().node));

  PacketSpec fragmented = Fresh(UdpCall(cast().client, cast().node, 5353));
  fragmented.payload = 4000;
  fragmented.fragment = 1400;
  exchange_.Send(Place::kOutside, fragmented);
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_FALSE(exchange_.last().right.empty()) << exchange_.transcript();
  for (const Seen& seen : exchange_.last().right) EXPECT_EQ(seen.place, Place::kPod1);
}

TEST_P(HostPort, ItsOwnNetworkIsMasqueradedAndTheMarkStays) {
  Map(Container());
  Converses(Place::kPod2, To(cast().pod2, cast().node), Marked());
  Converses(Place::kPod1, To(cast().pod1, cast().node), Marked());  // itself
  Converses(Place::kPod3, To(cast().pod3, cast().node), AtPod1(cast().pod3));
  ReportsComeBack(Place::kPod2, To(cast().pod2, cast().node));

  // Of other hosts it is no port.
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().pod3));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().pod2, cast().pod3}));
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod2, cast().web}));

  // Who sets the mark is masqueraded, whoever it is, before KUBE-POSTROUTING clears its own.
  exchange_.SendFromNode(To(cast().join, cast().web), kHostPortMark | 0x14000);
  EXPECT_TRUE(Arrives(exchange_,
                      {Place::kOutside, cast().node, cast().web, false, kHostPortMark | 0x14000}));
}

TEST_P(HostPort, OptionsSayWhoIsMasqueraded) {
  HostPorts ports = Container();
  ports.masq_all = true;
  Map(ports);
  Converses(Place::kOutside, To(cast().client, cast().node), Marked());
  Converses(Place::kPod3, To(cast().pod3, cast().node), Marked());

  ports.masq_all = ports.snat = false;
  Map(ports);
  exchange_.Send(Place::kPod2, To(cast().pod2, cast().node));
  EXPECT_TRUE(Arrives(exchange_, AtPod1(cast().pod2)));
}

// portmap's externalSetMarkChain: KUBE-POSTROUTING clears it, and has --random-fully.
TEST_P(HostPort, TheMarkMayBeKubeProxys) {
  config_.marks.host_port = config_.marks.masquerade;
  Map(Container());
  const Arrival masqueraded{Place::kPod1, cast().join, cast().pod1, true};
  Converses(Place::kPod2, To(cast().pod2, cast().node), masqueraded);
  Converses(Place::kPod1, To(cast().pod1, cast().node), masqueraded);  // itself
  Converses(Place::kPod3, To(cast().pod3, cast().node), AtPod1(cast().pod3));

  exchange_.SendFromNode(To(cast().join, cast().web), kHostPortMark | 0x14000);
  EXPECT_TRUE(Arrives(exchange_,
                      {Place::kOutside, cast().node, cast().web, true, kHostPortMark | 0x10000}));
}

TEST_P(HostPort, AHostIpIsTheOnlyAddress) {
  const bool v4 = family() == Family::kIpv4;
  Map(Container({At(cast().node_second)}));
  Converses(Place::kOutside, To(cast().client, cast().node_second), AtPod1(cast().client));
  Converses(Place::kPod2, To(cast().pod2, cast().node_second), Marked());
  IsTheNodes(Place::kOutside, To(cast().client, cast().node));

  Map(Container({At(cast().web)}));  // which the node has not
  exchange_.Send(Place::kPod3, To(cast().pod3, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().web}));

  Map(Container({At(v4 ? "0.0.0.0" : "::")}));
  Converses(Place::kOutside, To(cast().client, cast().node_second), AtPod1(cast().client));
  Map(Container({At(v4 ? "::" : "0.0.0.0")}));  // the other family
  IsTheNodes(Place::kOutside, To(cast().client, cast().node));
}

// Its chains stand before portmap's.
TEST_P(HostPort, KubeProxyComesFirst) {
  const Arrival service{Place::kPod3, cast().join, cast().pod3, true};
  std::vector<model::Address> second;
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    second.push_back(model::Address::Parse(CastOf(each).node_second).value());

  model::Service web = Web({EndpointIn(Place::kPod3)});
  web.external_ips = second;
  web.ports[0].port = kHostPort;
  config_.services.assign(1, web);
  Map(Container());
  Converses(Place::kOutside, To(cast().client, cast().node_second), service);
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));

  web = Web({EndpointIn(Place::kPod3)});
  web.ports[0].node_port = kHostPort;
  config_.services.assign(1, web);
  for (const model::Address& address : second)
    config_.kube_proxy.node_port_addresses.push_back(model::Prefix::Of(address));
  Map(Container());
  Converses(Place::kOutside, To(cast().client, cast().node_second), service);
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
}

TEST_P(HostPort, IpMasqIsForWhatLeavesTheNetwork) {
  HostPorts ports = Container();
  ports.ip_masq = true;
  Map(ports);
  Converses(Place::kPod1, To(cast().pod1, cast().web), {Place::kOutside, cast().node, cast().web});
  Converses(Place::kPod1, To(cast().pod1, cast().pod2), {Place::kPod2, cast().pod1, cast().pod2});
  Converses(Place::kPod1, To(cast().pod1, cast().pod3), {Place::kPod3, cast().join, cast().pod3});
  // Nobody else, and not what it answers.
  Converses(Place::kPod2, To(cast().pod2, cast().web), {Place::kOutside, cast().pod2, cast().web});
  Converses(Place::kOutside, To(cast().client, cast().node), AtPod1(cast().client));
}

}  // namespace
}  // namespace natrix::oracle
