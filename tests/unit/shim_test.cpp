// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <string>
#include <vector>

#include "userspace/shim/routing.h"
#include "userspace/shim/routing_message.h"

namespace natrix::shim {
namespace {

using model::Address;
using model::kFamilies;
using testing::ElementsAre;

Address Addr(const std::string& text) { return Address::Parse(text).value(); }
Address NodeOf(Family family) { return Addr(family == Family::kIpv4 ? "172.18.0.3" : "fd00::3"); }

model::Config Config() {
  model::Config config;
  config.node.addresses = {Addr("172.18.0.3"), Addr("172.18.0.4"), Addr("fd00::3")};
  config.tproxy.on_ip = {Addr("172.18.0.9"), Addr("fd00::9")};
  return config;
}

template <typename Range>
std::vector<std::string> Texts(const Range& range) {
  std::vector<std::string> texts;
  for (const auto& item : range) texts.push_back(item.ToString());
  return texts;
}

// An attribute of a message in place of what natrix would write.
void SetU32(Message& message, std::size_t header, std::uint16_t type, std::uint32_t value) {
  auto* attr = static_cast<nlattr*>(mnl_nlmsg_get_payload_offset(message.get(), header));
  const auto* end = static_cast<char*>(mnl_nlmsg_get_payload_tail(message.get()));
  for (; reinterpret_cast<char*>(attr) < end; attr = mnl_attr_next(attr))
    if (mnl_attr_get_type(attr) == type)
      *static_cast<std::uint32_t*>(mnl_attr_get_payload(attr)) = value;
}

TEST(WantedRouting, IsNothingWithoutProbes) { EXPECT_EQ(WantedRouting(Config()), Routing{}); }

TEST(WantedRouting, HasTwoRulesAndARouteForAFamilyWithProbes) {
  model::Config config = Config();
  config.tproxy.probes = {{Addr("10.241.39.2"), 80}, {Addr("10.241.39.3"), 80}};

  const Routing wanted = WantedRouting(config);

  EXPECT_THAT(Texts(wanted.rules),
              ElementsAre("ip rule priority 28280 fwmark 0x90003/0x90003 lookup 10001",
                          "ip rule priority 28281 fwmark 0x90004/0x90004 lookup 10001"));
  EXPECT_THAT(Texts(wanted.routes),
              ElementsAre("ip route local default dev lo table 10001 src 172.18.0.3"));
}

TEST(WantedRouting, HasBothFamiliesInTheirOwnMarksAndTable) {
  model::Config config = Config();
  config.tproxy.probes = {{Addr("10.241.39.2"), 80}, {Addr("fd00:241::2"), 80}};
  config.tproxy.output_mark = 0x100;
  config.tproxy.prerouting_mark = 0x200;
  config.tproxy.table = 77;

  const Routing wanted = WantedRouting(config);

  EXPECT_EQ(wanted.rules.size(), 4u);
  EXPECT_THAT(Texts(wanted.routes),
              ElementsAre("ip route local default dev lo table 77 src 172.18.0.3",
                          "ip -6 route local default dev lo table 77 src fd00::3"));
  EXPECT_TRUE(wanted.rules.contains({Family::kIpv6, 28281, 0x200, 77}));
}

TEST(WantedRouting, TakesTheProxysAddressForASourceWhereTheNodeSaysNone) {
  model::Config config = Config();
  config.node.addresses.clear();
  config.tproxy.probes = {{Addr("fd00:241::2"), 80}};

  EXPECT_THAT(Texts(WantedRouting(config).routes),
              ElementsAre("ip -6 route local default dev lo table 10001 src fd00::9"));
}

TEST(RoutingDiff, IsNothingBetweenEquals) {
  model::Config config = Config();
  config.tproxy.probes = {{Addr("10.241.39.2"), 80}, {Addr("fd00:241::2"), 80}};

  EXPECT_EQ(Diff(WantedRouting(config), WantedRouting(config)).size(), 0u);
}

TEST(RoutingDiff, AddsWhatIsMissingAndRemovesWhatIsOld) {
  const Rule old_rule{Family::kIpv4, 28280, 1, 5}, new_rule{Family::kIpv4, 28280, 2, 6};
  const Route old_route{Family::kIpv4, 5, NodeOf(Family::kIpv4)};
  const Route new_route{Family::kIpv4, 6, NodeOf(Family::kIpv4)};

  const RoutingEdits edits = Diff({{old_rule}, {old_route}}, {{new_rule}, {new_route}});

  EXPECT_THAT(edits.add_rules, ElementsAre(new_rule));
  EXPECT_THAT(edits.add_routes, ElementsAre(new_route));
  EXPECT_THAT(edits.remove_rules, ElementsAre(old_rule));
  EXPECT_THAT(edits.remove_routes, ElementsAre(old_route));
}

// IPv4 has both for a moment; an IPv6 route takes the other's place, and a removal would hit it.
TEST(RoutingDiff, ReplacesARoutesSourceAsItsFamilyDoes) {
  for (const Family family : kFamilies) {
    const Route before{family, 5, {}}, after{family, 5, NodeOf(family)};

    const RoutingEdits edits = Diff({{}, {before}}, {{}, {after}});

    EXPECT_THAT(edits.add_routes, ElementsAre(after));
    EXPECT_EQ(edits.remove_routes.size(), family == Family::kIpv4 ? 1u : 0u);
  }
}

TEST(RoutingMessage, IsReadBackAsItWasWritten) {
  for (const Family family : kFamilies) {
    const Rule rule{family, 28281, 0x90004, 10001};
    const Route route{family, 10001, NodeOf(family)};

    EXPECT_EQ(ParseRule(AddRule(rule).header()), rule);
    EXPECT_EQ(ParseRoute(AddRoute(route).header()), route);
  }
}

TEST(RoutingMessage, OfAnotherKindIsNotOurs) {
  const Rule rule{Family::kIpv4, 28280, 0x90003, 10001};
  const Route route{Family::kIpv4, 10001, NodeOf(Family::kIpv4)};

  EXPECT_FALSE(ParseRule(RemoveRule(rule).header()));
  EXPECT_FALSE(ParseRoute(RemoveRoute(route).header()));
  EXPECT_FALSE(ParseRule(AddRoute(route).header()));
}

TEST(RoutingMessage, OfARuleThatWeWouldNotWriteIsNotOurs) {
  const Rule rule{Family::kIpv4, 28280, 0x90003, 10001};
  for (const std::uint32_t priority : {0u, 28279u, 28290u, 32765u}) {
    Message message = AddRule(rule);
    SetU32(message, sizeof(fib_rule_hdr), FRA_PRIORITY, priority);
    EXPECT_FALSE(ParseRule(message.header())) << priority;
  }
  Message masked = AddRule(rule);
  SetU32(masked, sizeof(fib_rule_hdr), FRA_FWMASK, 0xffffffff);
  EXPECT_FALSE(ParseRule(masked.header()));
  Message selects = AddRule(rule);
  mnl_attr_put_strz(selects.get(), FRA_IIFNAME, "eth0");
  EXPECT_FALSE(ParseRule(selects.header()));
  Message foreign = AddRule(rule);
  mnl_attr_put_u8(foreign.get(), FRA_PROTOCOL, RTPROT_BOOT);
  EXPECT_FALSE(ParseRule(foreign.header()));
  Message inverted = AddRule(rule);
  static_cast<fib_rule_hdr*>(mnl_nlmsg_get_payload(inverted.get()))->flags |= FIB_RULE_INVERT;
  EXPECT_FALSE(ParseRule(inverted.header()));
}

TEST(RoutingMessage, OfARouteThatWeWouldNotWriteIsNotOurs) {
  const Route route{Family::kIpv6, 10001, NodeOf(Family::kIpv6)};
  const auto with = [&](auto change) {
    Message message = AddRoute(route);
    change(*static_cast<rtmsg*>(mnl_nlmsg_get_payload(message.get())));
    return ParseRoute(message.header());
  };
  EXPECT_TRUE(with([](rtmsg&) {}));
  EXPECT_FALSE(with([](rtmsg& body) { body.rtm_protocol = RTPROT_BOOT; }));
  EXPECT_FALSE(with([](rtmsg& body) { body.rtm_type = RTN_UNICAST; }));
  EXPECT_FALSE(with([](rtmsg& body) { body.rtm_dst_len = 64; }));
  Message elsewhere = AddRoute(route);
  SetU32(elsewhere, sizeof(rtmsg), RTA_OIF, 2);
  EXPECT_FALSE(ParseRoute(elsewhere.header()));
}

}  // namespace
}  // namespace natrix::shim
