// SPDX-License-Identifier: Apache-2.0
//
// OpenStack's metadata, as Felix' cali-PREROUTING has it; and that Calico's DNATs come before
// kube-proxy's.
#include "tests/oracle/calico_fixture.h"
#include "tests/oracle/services_fixture.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using model::Address;
using support::kAck;
using support::kPsh;
using support::kSyn;

class CalicoMetadata : public CalicoOracle {
 protected:
  CalicoMetadata() {
    // What no rule translates leaves by the uplink at once.
    for (Side* side : {&nodes_.left(), &nodes_.right()})
      support::Ip(side->scene.node(), "route add 169.254.169.254/32 via 172.18.0.1 dev eth0\n");
  }
  void ServedBy(const std::string& address, std::uint16_t port = 8775) {
    ChangeCalico([&](model::Calico& calico) {
      calico.metadata = model::Endpoint{Address::Parse(address).value(), port};
    });
  }
  PacketSpec Asks(const std::string& pod, std::uint16_t sport = 40000) const {
    PacketSpec spec = Tcp(pod, model::kMetadataAddress, kSyn);
    spec.sport = sport;
    return spec;
  }
  // Nobody listens: the node's own RST stands for an answer.
  void IsAnsweredByTheNode(Place from, const PacketSpec& spec) {
    exchange_.Send(from, spec);
    ASSERT_TRUE(Arrives(exchange_, {from, model::kMetadataAddress, spec.src, true}));
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      EXPECT_EQ(SourcePort(side->front().frame), 80) << exchange_.transcript();
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Families, CalicoMetadata, testing::Values(Family::kIpv4),
                         [](const auto&) { return "IPv4"; });

TEST_P(CalicoMetadata, IsServedElsewhereAndAnsweredFromWhereItWasCalled) {
  ServedBy(cast().other_node);
  exchange_.Send(Place::kPod3, Asks(cast().pod3));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().other_node}));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod3, model::kMetadataAddress, cast().pod3, true}));
  exchange_.Send(Place::kPod3, Tcp(cast().pod3, model::kMetadataAddress, kAck));
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().other_node}));
  PacketSpec get = Tcp(cast().pod3, model::kMetadataAddress, kAck | kPsh);
  get.payload = 100;
  exchange_.Send(Place::kPod3, get);
  ASSERT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().other_node}));
  exchange_.Report(Place::kOutside, TooBig(family(), 1280));
  EXPECT_TRUE(Agree(exchange_));

  // The rule itself asks for no masquerade; a pool does.
  exchange_.Send(Place::kPod1, Asks(cast().pod1));
  ASSERT_TRUE(
      Arrives(exchange_, {.src = cast().node, .dst = cast().other_node, .port_changed = true}));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, model::kMetadataAddress, cast().pod1, true}));
}

TEST_P(CalicoMetadata, IsServedByThisNode) {
  ServedBy(cast().node);
  IsAnsweredByTheNode(Place::kPod1, Asks(cast().pod1));
  IsAnsweredByTheNode(Place::kPod3, Asks(cast().pod3));
  // The rule asks for no device.
  IsAnsweredByTheNode(Place::kOutside, Asks(cast().client));
}

TEST_P(CalicoMetadata, IsServedAtLocalhostWhereTheKernelLetsItIn) {
  ServedBy("127.0.0.1");
  exchange_.Send(Place::kPod1, Asks(cast().pod1));
  EXPECT_TRUE(Vanishes(exchange_));

  for (Side* side : {&nodes_.left(), &nodes_.right()})
    support::Sysctl(side->scene.node(), "net/ipv4/conf/all/route_localnet", "1");
  IsAnsweredByTheNode(Place::kPod1, Asks(cast().pod1, 40001));
  ServedBy("127.3.2.1", 80);
  IsAnsweredByTheNode(Place::kPod1, Asks(cast().pod1, 40002));
}

TEST_P(CalicoMetadata, OtherPortsAndProtocolsAreNot) {
  ServedBy(cast().node);
  PacketSpec other = Asks(cast().pod3);
  other.dport = 81;
  PacketSpec udp = Udp(cast().pod3, model::kMetadataAddress);
  udp.dport = 80;
  for (const PacketSpec& spec : {other, udp, Echo(cast().pod3, model::kMetadataAddress)}) {
    exchange_.Send(Place::kPod3, spec);
    EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = model::kMetadataAddress}));
  }
  // cali-OUTPUT has no such rule.
  PacketSpec own = Asks(cast().node);
  exchange_.SendFromNode(own);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().node, .dst = model::kMetadataAddress}));
}

TEST_P(CalicoMetadata, SegmentsFromTheMiddleAreTranslatedAsTheKernelDoes) {
  ServedBy(cast().other_node);
  PacketSpec late = Tcp(cast().pod3, model::kMetadataAddress, kAck);
  exchange_.Send(Place::kPod3, late);
  EXPECT_TRUE(Arrives(exchange_, {.src = cast().pod3, .dst = cast().other_node}));
  late.sport = 40001;
  late.tcp_flags = kSyn | kAck;
  exchange_.Send(Place::kPod3, late);
  EXPECT_TRUE(Agree(exchange_));
}

class CalicoFirst : public ServiceOracle {};
ORACLE_FAMILIES(CalicoFirst);

// Felix inserts its chains before KUBE-SERVICES.
TEST_P(CalicoFirst, AFloatingIpComesBeforeAService) {
  const auto floating = [&](Family each) { return Address::Parse(CastOf(each).floating).value(); };
  model::Service service = Web({EndpointIn(Place::kPod2)});
  for (const Family each : model::kFamilies) service.external_ips.push_back(floating(each));
  Serve(service);
  exchange_.Send(Place::kPod3, Call(cast().pod3, cast().floating));
  EXPECT_TRUE(Agree(exchange_));
  ASSERT_EQ(exchange_.last().right.size(), 1U);
  EXPECT_EQ(support::Dissect(exchange_.last().right[0].frame)->dst, cast().pod2);

  for (const Family each : model::kFamilies)
    config_.floating_ips.push_back({floating(each), Address::Parse(CastOf(each).pod1).value()});
  Serve(service);
  PacketSpec call = Call(cast().client, cast().floating);
  exchange_.Send(Place::kOutside, call);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().client, cast().pod1}));
  call.src = cast().pod3;
  exchange_.Send(Place::kPod3, call);
  EXPECT_TRUE(Agree(exchange_));
}

class CalicoMetadataFirst : public ServiceOracle {};
INSTANTIATE_TEST_SUITE_P(Families, CalicoMetadataFirst, testing::Values(Family::kIpv4),
                         [](const auto&) { return "IPv4"; });

// And KUBE-FIREWALL's word about 127.0.0.0/8 is not for what was translated to it.
TEST_P(CalicoMetadataFirst, MetadataComesBeforeAService) {
  for (Side* side : {&nodes_.left(), &nodes_.right()})
    support::Sysctl(side->scene.node(), "net/ipv4/conf/all/route_localnet", "1");
  model::Service service = Everywhere({EndpointIn(Place::kPod2)});
  service.external_ips.push_back(Address::Parse(model::kMetadataAddress).value());
  config_.calico.emplace().metadata = model::Endpoint{Address::Parse("127.0.0.1").value(), 8775};
  Serve(service);
  exchange_.Send(Place::kPod3, Call(cast().pod3, model::kMetadataAddress));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, model::kMetadataAddress, cast().pod3, true}));
  // Who calls it there without is kept out.
  exchange_.Send(Place::kPod3, Call(cast().pod3, "127.0.0.1", 8775));
  EXPECT_TRUE(Vanishes(exchange_));
}

}  // namespace
}  // namespace natrix::oracle
