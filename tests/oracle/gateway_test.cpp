// SPDX-License-Identifier: Apache-2.0
//
// "ovn-subnet-gateway": the counters of Kube-OVN's rules in FORWARD and natrix' own, of each CIDR
// and direction, must show the same packets and bytes.
#include <algorithm>
#include <map>
#include <utility>

#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {

void PrintTo(const GatewayCount& count, std::ostream* to) {
  *to << count.subnet << " " << count.cidr << (count.egress ? " egress " : " ingress ")
      << count.packets << " packets, " << count.bytes << " bytes";
}

namespace {

using support::kAck;
using support::kFin;
using support::kRst;
using support::kSyn;

class GatewayCounters : public Oracle {
 protected:
  std::vector<GatewayCount> Counts(Side& side) const {
    std::vector<GatewayCount> counts = side.engine->GatewayCounts();
    std::ranges::sort(counts);
    return counts;
  }
  // How much a subnet's counter grew since it was last asked for, on both sides.
  void ExpectGrowth(const std::string& subnet, bool egress, std::uint64_t packets) {
    const std::vector<GatewayCount> left = Counts(nodes_.left());
    EXPECT_EQ(left, Counts(nodes_.right())) << exchange_.transcript();
    const auto found = std::ranges::find_if(left, [&](const GatewayCount& count) {
      return count.subnet == subnet && count.egress == egress &&
             model::Prefix::Parse(count.cidr)->family() == family();
    });
    ASSERT_NE(found, left.end());
    std::uint64_t& before = before_[{subnet, egress}];
    EXPECT_EQ(found->packets - before, packets)
        << subnet << (egress ? " egress\n" : " ingress\n") << exchange_.transcript();
    before = found->packets;
  }

 private:
  std::map<std::pair<std::string, bool>, std::uint64_t> before_;
};
ORACLE_FAMILIES(GatewayCounters);

TEST_P(GatewayCounters, CountWhatIsForwardedBeforeAndAfterTranslation) {
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kSyn));
  exchange_.Reply(Place::kOutside, Tcp("", "", kSyn | kAck));
  PacketSpec data = Tcp(cast().pod1, cast().web, kAck);
  data.payload = 1000;
  for (int i = 0; i < 5; ++i) exchange_.Send(Place::kPod1, data);
  exchange_.Reply(Place::kOutside, Tcp("", "", kAck));
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", true, 6);
  ExpectGrowth("ovn-default", false, 2);

  // Between two subnets both count; what is in none counts nowhere.
  exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().pod3));
  exchange_.Reply(Place::kPod3, {.payload = 30});
  exchange_.Send(Place::kOutside, Udp(cast().client, cast().pod3));
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", true, 1);
  ExpectGrowth("ovn-default", false, 1);
  ExpectGrowth("no-nat", true, 1);
  ExpectGrowth("no-nat", false, 2);

  // By a floating IP: the pod's address counts, not the one that was called.
  PacketSpec call = Udp(cast().client, cast().floating);
  call.sport = 41000;
  exchange_.Send(Place::kOutside, call);
  exchange_.Reply(Place::kPod1, {.payload = 4});
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", false, 1);
  ExpectGrowth("ovn-default", true, 1);
}

TEST_P(GatewayCounters, CountDatagramsAndErrorsNotTheirPieces) {
  PacketSpec large = Udp(cast().pod1, cast().web);
  large.payload = 3000;
  large.fragment = 1200;
  large.id = 90;
  exchange_.Send(Place::kPod1, large);
  exchange_.Reply(Place::kOutside, {.payload = 2500, .id = 91, .fragment = 1000});
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", true, 1);
  ExpectGrowth("ovn-default", false, 1);

  ErrorSpec error = HostUnreachable(family());
  error.from = cast().router;
  exchange_.Report(Place::kOutside, error);
  exchange_.Report(Place::kPod1, PortUnreachable(family()));
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", false, 1);
  ExpectGrowth("ovn-default", true, 1);
}

// Before mangle's drops, and after the hop limit and the MTU.
TEST_P(GatewayCounters, CountWhatIsDroppedLaterAndNotWhatEndsBefore) {
  Change("ovn-default", [&](model::Subnet& subnet) {
    subnet.gateway_type = model::GatewayType::kCentralized;
    subnet.gateway_nodes = {{"node1", model::Address::Parse(cast().egress)}};
  });
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kAck));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web2, kRst));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kPod1, Tcp(cast().pod1, cast().web, kFin | kAck));
  ExpectGrowth("ovn-default", true, 3);

  // The hop limit ends, the MTU is too small: FORWARD never sees it.
  PacketSpec last = Udp(cast().pod1, cast().web);
  last.ttl = 1;
  exchange_.Send(Place::kPod1, last);
  PacketSpec large = Udp(cast().pod1, cast().web);
  large.payload = 2000;
  large.dont_fragment = true;
  exchange_.Send(Place::kPod1, large);
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", true, 0);

  // To the node and from it: INPUT and OUTPUT.
  exchange_.Send(Place::kPod1, Echo(cast().pod1, cast().node));
  exchange_.SendFromNode(Udp(cast().node, cast().pod2));
  exchange_.SendFromNode(Udp(cast().join, cast().pod2));
  ASSERT_TRUE(Agree(exchange_));
  ExpectGrowth("ovn-default", true, 0);
  ExpectGrowth("ovn-default", false, 0);
  ExpectGrowth("join", true, 0);
}

}  // namespace
}  // namespace natrix::oracle
