// SPDX-License-Identifier: Apache-2.0
//
// What is installed for probes: that it lasts, is mended, and goes.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <thread>

#include "tests/netns/traffic_probe.h"
#include "tests/oracle/engine.h"

namespace natrix::netns {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }

class Steering : public ProbeTest {
 protected:
  using ProbeTest::ProbeTest;

  void Works(const UniqueFd& proxy) const {
    EXPECT_TRUE(Speak(Probe(node_.node(), proxy.get(), any(), probed())));
  }
  int Status() const {
    return support::TryCommand(&node_.node(), {oracle::ProgramPath("natrix"), "status"}).status;
  }
  std::string Detach() {
    node_.Kill();
    return Output({oracle::ProgramPath("natrix"), "detach"});
  }
};
INSTANTIATE_TEST_SUITE_P(Families, Steering, testing::ValuesIn(kFamilies), Name);

TEST_P(Steering, IsShownByStatus) {
  node_.Start();

  const Json tproxy = node_.Natrix({"status"}).at("tproxy");

  EXPECT_EQ(tproxy.at("probes"), 2);
  EXPECT_EQ(tproxy.at("proxies"), Json::array({"172.18.0.3:8102", "[fd00:172:18::3]:8102"}));
  EXPECT_EQ(tproxy.at("parts").size(), 9U) << tproxy.dump(2);  // 3 hooks, 4 rules, 2 routes
  for (const Json& part : tproxy.at("parts")) EXPECT_TRUE(part.at("there")) << part.dump();
  EXPECT_EQ(Status(), 0);
}

TEST_P(Steering, IsNotThereWithoutProbes) {
  node_.SetWords(kNoProbeWords);
  node_.Start();

  EXPECT_EQ(Traces(), "");
  EXPECT_TRUE(node_.Natrix({"status"}).at("tproxy").is_null());
}

TEST_P(Steering, ComesAndGoesWithTheConfiguration) {
  node_.SetWords(kNoProbeWords);
  node_.Start();
  const UniqueFd proxy = StartProxy();

  node_.SetWords(kProbeWords);
  Works(proxy);
  node_.SetWords(kNoProbeWords);

  EXPECT_EQ(Traces(), "");
  const UniqueFd outside = ListenOutside(80);
  EXPECT_TRUE(Speak(Probe(node_.node(), outside.get(), any(), probed())));
}

TEST_P(Steering, GoesWhenTheConfigurationLostItWhileNobodyLooked) {
  node_.Start();
  node_.Kill();
  node_.SetWords(kNoProbeWords);

  node_.Start();

  EXPECT_EQ(Traces(), "");
}

TEST_P(Steering, LeavesATableThatTheConfigurationLeftWhileNobodyLooked) {
  node_.Start();
  node_.Kill();
  node_.SetWords(std::string(kProbeWords) + "  table: 10002\n");

  node_.Start();

  EXPECT_EQ(Ip({"route", "show", "table", "10001"}), "");
  EXPECT_THAT(Ip({"route", "show", "table", "10002"}), HasSubstr("proto 110"));
  EXPECT_THAT(Ip({"rule"}), Not(HasSubstr("lookup 10001")));
}

TEST_P(Steering, GoesWithDetach) {
  node_.Start();
  ASSERT_NE(Traces(), "");

  const std::string said = Detach();

  EXPECT_THAT(said, AllOf(AnyOf(HasSubstr("7 links, 0 filters"), HasSubstr("2 links, 5 filters")),
                          HasSubstr(", 6 rules and routes")));
  EXPECT_EQ(Traces(), "");
  EXPECT_THAT(Detach(), "nothing to remove\n");
}

TEST_P(Steering, AnOpenProbeOutlivesACrashAndARestart) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  const Conversation open = Probe(node_.node(), proxy.get(), any(), probed());
  const auto ids = node_.PinnedIds();

  node_.Kill();
  EXPECT_TRUE(Speak(open));
  Works(proxy);
  node_.Start();

  EXPECT_TRUE(Speak(open));
  Works(proxy);
  EXPECT_EQ(node_.PinnedIds(), ids);
  EXPECT_THAT(node_.Log(), Not(HasSubstr("routing add")));
}

TEST_P(Steering, AnOpenProbeOutlivesItsPlaceInTheList) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  const Conversation open = Probe(node_.node(), proxy.get(), any(), probed());

  node_.SetWords(
      "tproxy: {probes: [{podIP: 10.241.39.9, port: 80}, {podIP: \"fd00:241::9\", port: 80}]}\n");

  EXPECT_TRUE(Speak(open));
  const UniqueFd outside = ListenOutside(80);
  EXPECT_TRUE(Speak(Probe(node_.node(), outside.get(), any(), probed())));
}

TEST_P(Steering, FollowsTheProxyToAnotherPortTableAndMark) {
  node_.Start();
  const UniqueFd before = StartProxy();
  const Conversation open = Probe(node_.node(), before.get(), any(), probed());

  node_.SetWords(std::string(kProbeWords) +
                 "  onPort: 9102\n  table: 10002\n  outputMark: 0xb0003\n");
  const UniqueFd after = StartProxy(9102);

  const Conversation probe = Probe(node_.node(), after.get(), any(), probed());
  EXPECT_EQ(MarkOf(probe.prober.get()), 0xb0003U);
  EXPECT_TRUE(Speak(probe));
  EXPECT_EQ(Ip({"route", "show", "table", "10001"}), "");
  EXPECT_THAT(Ip({"rule"}), AllOf(HasSubstr("fwmark 0xb0003/0xb0003 lookup 10002 proto 110"),
                                  Not(HasSubstr("lookup 10001"))));
}

TEST_P(Steering, ARemovedRuleIsPutBackAtOnce) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  const std::string rule = "fwmark 0x90003/0x90003 lookup 10001";
  ASSERT_TRUE(Shows({"rule"}, rule));

  Ip({"rule", "del", "priority", "28280"});

  EXPECT_TRUE(Shows({"rule"}, rule));
  Works(proxy);
}

TEST_P(Steering, ARemovedRouteIsPutBackAtOnce) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  const std::string route = "local default dev lo";

  Ip({"route", "flush", "table", "10001"});

  EXPECT_TRUE(Shows({"route", "show", "table", "10001"}, route));
  Works(proxy);
}

TEST_P(Steering, AnAddressThatTheNodeLacksIsNamedOnceAndWaitedFor) {
  const std::string address = node_address() + (GetParam() == Family::kIpv4 ? "/24" : "/64");
  Ip({"addr", "del", address, "dev", "eth0"});
  node_.Start();
  const std::string error = "the node has no address " + node_address();
  ASSERT_THAT(node_.Log(), HasSubstr(error));
  // Something to look at everything anew for.
  Ip({"addr", "add", GetParam() == Family::kIpv4 ? "192.0.2.9/32" : "2001:db8::9/128", "dev",
      "lo"});
  ASSERT_TRUE(Shows({"addr", "show", "dev", "lo"}, "9/"));

  Ip({"addr", "add", address, "dev", "eth0", "nodad"});

  EXPECT_TRUE(Shows({"route", "show", "table", "10001"}, "src " + node_address()));
  const std::string log = node_.Log();
  EXPECT_EQ(log.find(error), log.rfind(error)) << log;
  Works(StartProxy());
}

// With the address the kernel takes an IPv6 route's source away, or (before some release between
// 6.12 and 6.18, and for IPv4) does not.
TEST_P(Steering, TheRouteComesBackWithTheNodesAddress) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  const std::string address = node_address() + (GetParam() == Family::kIpv4 ? "/24" : "/64");
  const std::string source = "src " + node_address();
  const support::Argv table = {"route", "show", "table", "10001"};
  ASSERT_TRUE(Shows(table, source));

  Ip({"addr", "del", address, "dev", "eth0"});
  Ip({"addr", "add", address, "dev", "eth0", "nodad"});

  EXPECT_TRUE(Shows(table, source));
  Works(proxy);
}

// What Kube-OVN's own --enable-tproxy leaves when it is switched off.
TEST_P(Steering, RulesAndRoutesOfKubeOvnStayAndDoNotDisturb) {
  Ip({"rule", "add", "fwmark", "0x90003/0x90003", "lookup", "10001"});
  Ip({"rule", "add", "fwmark", "0x90004/0x90004", "lookup", "10001"});
  Ip({"route", "add", "local", "default", "dev", "lo", "table", "10001"});
  const std::string rules = Ip({"rule"});
  const std::string routes = Ip({"route", "show", "table", "10001"});
  ASSERT_THAT(routes, HasSubstr("local default dev lo"));

  node_.Start();
  const UniqueFd proxy = StartProxy();
  Works(proxy);
  Detach();

  EXPECT_EQ(Ip({"rule"}), rules);
  EXPECT_EQ(Ip({"route", "show", "table", "10001"}), routes);
}

TEST_P(Steering, WithoutCgroupsSaysSoAndTheRestWorks) {
  Output({"umount", "/sys/fs/cgroup"});
  node_.Start();

  EXPECT_THAT(node_.Log(), HasSubstr("error processes: connect4: no cgroup v2 file "
                                     "system is mounted"));
  const Json status = node_.Natrix({"status"});
  EXPECT_EQ(status.at("degraded"), true);
  EXPECT_THAT(status.dump(), HasSubstr("MISSING: no cgroup v2 file system is mounted"));
  for (const Json& device : status.at("devices")) EXPECT_TRUE(device.at("attached"));
  EXPECT_EQ(Status(), 5);
  // Marked by somebody else, it gets to the proxy nevertheless.
  const UniqueFd proxy = StartProxy();
  const UniqueFd prober = OpenTcp(node_.node(), any());
  const std::uint32_t mark = 0x90003;
  ASSERT_EQ(::setsockopt(prober.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
  EXPECT_TRUE(ConnectTcp(prober.get(), probed()));
  EXPECT_TRUE(Waits(proxy.get(), Scaled(milliseconds(2000))));
}

// What systemd leaves natrixd under tools/packaging's unit.
TEST_P(Steering, NeedsNoMoreThanItsUnitGives) {
  Output({"mount", "-o", "remount,bind,ro", "/sys/fs/cgroup"});
  // Opens our file first: with so little, natrixd may not look into another process.
  node_.Start({"bash", "-c",
               "exec 9<\"$2\"; exec setpriv --bounding-set=-all,+bpf,+net_admin,+perfmon "
               "--inh-caps=-all --no-new-privs \"$0\" --config /proc/self/fd/9"});
  const UniqueFd proxy = StartProxy();

  Works(proxy);
  EXPECT_EQ(Status(), 0);
}

class SteeringByClsact : public Steering {
 protected:
  SteeringByClsact() : Steering({.arguments = {"--attach", "clsact"}}) {}
};
INSTANTIATE_TEST_SUITE_P(Families, SteeringByClsact, testing::ValuesIn(kFamilies), Name);

TEST_P(SteeringByClsact, WorksAndIsMendedWhenTheQdiscIsDeleted) {
  node_.Start();
  const UniqueFd proxy = StartProxy();
  Works(proxy);

  Output({"tc", "qdisc", "del", "dev", "lo", "clsact"});
  const auto attached = [&] {
    const std::string filters = Output({"tc", "filter", "show", "dev", "lo", "ingress"});
    return filters.find("nx_lo_in") != std::string::npos;
  };
  for (int i = 0; i < 100 && !attached(); ++i) std::this_thread::sleep_for(milliseconds(20));

  EXPECT_TRUE(attached());
  Works(proxy);
  EXPECT_EQ(Output({"tc", "filter", "show", "dev", "lo", "egress"}), "");
  EXPECT_THAT(node_.Log(), Not(HasSubstr(" error ")));
  EXPECT_EQ(Status(), 0);
  Detach();
  EXPECT_EQ(Traces(), "");
}

}  // namespace
}  // namespace natrix::netns
