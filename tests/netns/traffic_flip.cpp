// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_flip.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/netns/traffic_everyone.h"
#include "tests/support/network.h"

namespace natrix::netns {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int kFlowsEach = 50;  // of UDP and of TCP, in each family: 200

struct Egress {
  const char* first;   // of the configuration that has a policy, so that nobody leaves with it
  const char* second;  // of the one that has none
};
constexpr Egress kEgress[] = {{"172.18.0.61", "172.18.0.62"},
                              {"fd00:172:18::61", "fd00:172:18::62"}};

const Egress& EgressOf(Family family) { return kEgress[static_cast<int>(family)]; }

// With the policy, flows to the web keep the pod's address; without it they get the second egress
// address.  The first one would be seen if the policy and the address came from different files.
std::string Config(bool with_policy) {
  const Cast& cast4 = CastOf(Family::kIpv4);
  const Cast& cast6 = CastOf(Family::kIpv6);
  std::string text = fmt::format(
      "node: {{name: node1, addresses: [{}, \"{}\"], uplinks: [eth0], podDevices: [ovn0]}}\n"
      "subnets:\n"
      "  - name: ovn-default\n"
      "    cidrs: [10.16.0.0/16, \"fd00:10:16::/112\"]\n"
      "    gatewayType: centralized\n"
      "    natOutgoing: true\n",
      cast4.node, cast6.node);
  const auto egress = [&](Family family) {
    return with_policy ? EgressOf(family).first : EgressOf(family).second;
  };
  text += fmt::format("    gatewayNode: \"node1:{},node1:{}\"\n", egress(Family::kIpv4),
                      egress(Family::kIpv6));
  if (with_policy)
    text += fmt::format(
        "    natOutgoingPolicyRules:\n"
        "      - {{match: {{dstIPs: {}}}, action: forward}}\n"
        "      - {{match: {{dstIPs: \"{}\"}}, action: forward}}\n",
        cast4.web, cast6.web);
  return text;
}

// On the uplink, and known outside.
void AddAddress(const TrafficNode& node, Family family, const char* address) {
  const bool v4 = family == Family::kIpv4;
  support::Ip(node.node(),
              fmt::format("addr add {}/{} dev eth0 {}", address, v4 ? 32 : 128, v4 ? "" : "nodad"));
  support::Ip(node.outside(), fmt::format("neigh replace {} lladdr {} dev eth0 nud permanent",
                                          address, oracle::GatewayMacOf(Place::kOutside)));
}

struct Talkers {
  Talkers(const TrafficNode& node, Family talking)
      : family(talking),
        udp(PathOf(node, talking), 5300, kFlowsEach),
        newcomers(PathOf(node, talking), 5310, 1, UdpTalk::Sockets::kAnew),
        tcp(PathOf(node, talking), 8000, kFlowsEach) {
    tcp.Start();
  }
  Family family;
  UdpTalk udp;
  UdpTalk newcomers;
  TcpTalk tcp;
};

void Judge(Talkers& talkers) {
  const Cast& cast = CastOf(talkers.family);
  const Talk& fresh = talkers.newcomers.Stop();
  EXPECT_THAT(fresh.problems, IsEmpty());
  EXPECT_THAT(fresh.sources, UnorderedElementsAre(cast.pod1, EgressOf(talkers.family).second))
      << "either the old rules or the new ones, and both were seen";
  EXPECT_THAT(talkers.udp.Stop().problems, IsEmpty());
  EXPECT_THAT(talkers.tcp.Stop().problems, IsEmpty());
  EXPECT_EQ(talkers.tcp.Broken(), 0);
  fmt::print("flips: {}: {} new flows, {} rounds of {} standing ones\n", NameOf(talkers.family),
             fresh.rounds, talkers.udp.Stop().rounds + talkers.tcp.Stop().rounds, 2 * kFlowsEach);
}

}  // namespace

void RunFlips(int times) {
  TrafficNode node;
  for (const Family family : kFamilies)
    for (const char* address : {EgressOf(family).first, EgressOf(family).second})
      AddAddress(node, family, address);
  node.Start();
  node.Reload(Config(true));
  std::vector<std::unique_ptr<Talkers>> everyone;
  for (const Family family : kFamilies) everyone.push_back(std::make_unique<Talkers>(node, family));

  for (int i = 0; i < times; ++i) {
    node.Reload(Config(i % 2 != 0));
    if (times >= 1000 && (i + 1) % 100 == 0) fmt::print("flips: {} of {}\n", i + 1, times);
  }

  for (const auto& talkers : everyone) Judge(*talkers);
}

}  // namespace natrix::netns
