// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "loader/clock.h"
#include "maps/abi/config.h"
#include "maps/abi/flow.h"
#include "maps/abi/subnet.h"
#include "maps/abi/way.h"
#include "maps/keyed_map_view.h"
#include "maps/pinned_map.h"
#include "tests/netns/node.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Cli : public NodeTest {};

nx_addr Mapped(const char* text) {
  nx_addr address{};
  address.byte[10] = address.byte[11] = 0xff;
  if (inet_pton(AF_INET, text, &address.byte[12]) == 1) return address;
  if (inet_pton(AF_INET6, text, address.byte) != 1) throw support::SetupError(text);
  return address;
}

std::string PinsOf(const support::Process& daemon) {
  return "/proc/" + std::to_string(daemon.pid()) + "/root" + kPins;
}

std::uint32_t JiffiesOf(const support::Process& daemon) {
  const UniqueFd program(bpf_obj_get((PinsOf(daemon) + "/progs/nx_jiffies").c_str()));
  return loader::ReadJiffies(program.get()).value();
}

// Writes flows as the datapath does: both halves.
class FlowWriter {
 public:
  explicit FlowWriter(const support::Process& daemon)
      : root_(PinsOf(daemon)), now_(JiffiesOf(daemon)) {}

  void Write(const std::string& map, const nx_tuple& original, const char* masquerade,
             nx_state state, std::uint32_t age) {
    nx_flow flow{.src = Mapped(masquerade),
                 .dst = original.dst,
                 .sport = htons(50000),
                 .dport = original.dport,
                 .seen = now_ - age,
                 .born = now_ - age,
                 .state = state,
                 .role = NX_ROLE_ORIGINAL,
                 .why = NX_R_MASQ_OUTGOING,
                 .flags = nx_flow_flags{}};
    const nx_tuple reply{.src = flow.dst,
                         .dst = flow.src,
                         .sport = flow.dport,
                         .dport = flow.sport,
                         .proto = original.proto,
                         .pad = {}};
    nx_flow back = flow;
    back.src = original.dst;
    back.dst = original.src;
    back.sport = original.dport;
    back.dport = original.sport;
    back.role = NX_ROLE_REPLY;
    auto fd = maps::OpenPinnedMap(root_ + "/maps/" + map, maps::Access::kReadWrite);
    if (!fd || !*fd) throw support::SetupError("open " + map);
    for (const auto& [key, value] :  // an entry of nx_embryo is the beginning of it
         {std::pair{original, nx_established{.flow = flow, .way = {}}},
          std::pair{reply, nx_established{.flow = back, .way = {}}}})
      if (bpf_map_update_elem((*fd)->get(), &key, &value, BPF_ANY) != 0)
        support::ThrowErrno("write " + map);
  }

 private:
  std::string root_;
  std::uint32_t now_;
};

nx_tuple Tuple(const char* src, std::uint16_t sport, const char* dst, std::uint16_t dport,
               nx_l4 proto) {
  return {.src = Mapped(src),
          .dst = Mapped(dst),
          .sport = htons(sport),
          .dport = htons(dport),
          .proto = proto,
          .pad = {}};
}

TEST_F(Cli, FlowsShowsLiveOnesOfBothTablesOnce) {
  const auto daemon = Start();
  FlowWriter writer(daemon);
  writer.Write("nx_flow", Tuple("10.16.0.10", 40000, "203.0.113.9", 443, NX_L4_TCP), "172.18.0.3",
               NX_STATE_TCP_ESTABLISHED, 0);
  writer.Write("nx_embryo", Tuple("fd00:10:16::10", 40001, "2001:db8::9", 53, NX_L4_UDP),
               "fd00:172:18::3", NX_STATE_UDP, 0);
  // An hour old: no hz makes that younger than 30 s.
  writer.Write("nx_embryo", Tuple("10.16.0.11", 40002, "203.0.113.9", 53, NX_L4_UDP), "172.18.0.3",
               NX_STATE_UDP, 3600 * 1000);

  const Json flows = NatrixJson({"flows"}).at("flows");

  ASSERT_EQ(flows.size(), 2U);
  const Json& tcp = flows[flows[0].at("protocol") == "tcp" ? 0 : 1];
  EXPECT_EQ(tcp.at("state"), "ESTABLISHED");
  EXPECT_EQ(tcp.at("original"), Json::parse(R"({"src": "10.16.0.10", "dst": "203.0.113.9",
                                                "sport": 40000, "dport": 443})"));
  EXPECT_EQ(tcp.at("translated"), Json::parse(R"({"src": "172.18.0.3", "dst": "203.0.113.9",
                                                  "sport": 50000, "dport": 443})"));
  EXPECT_EQ(tcp.at("reason"), "MASQ_OUTGOING");
  EXPECT_NEAR(tcp.at("secondsLeft").get<double>(), 432000, 60);
}

// Long enough that a machine that stands still between two readings changes little.
TEST_F(Cli, StatusTellsHowManyJiffiesASecondHas) {
  using Clock = std::chrono::steady_clock;
  const auto daemon = Start();
  const std::uint32_t first = JiffiesOf(daemon);
  const auto start = Clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const std::uint32_t passed = JiffiesOf(daemon) - first;
  const std::chrono::duration<double> seconds = Clock::now() - start;

  const double hz = NatrixJson({"status"}).at("hz").get<double>();

  EXPECT_NEAR(hz * seconds.count() / passed, 1, 0.15);
}

TEST_F(Cli, FlowsFiltersByAddressPrefixAndProtocol) {
  const auto daemon = Start();
  FlowWriter writer(daemon);
  writer.Write("nx_flow", Tuple("10.16.0.10", 40000, "203.0.113.9", 443, NX_L4_TCP), "172.18.0.3",
               NX_STATE_TCP_ESTABLISHED, 0);
  writer.Write("nx_flow", Tuple("fd00:10:16::10", 40001, "2001:db8::9", 53, NX_L4_UDP),
               "fd00:172:18::3", NX_STATE_UDP_STREAM, 0);
  const auto count = [&](const Argv& filter) {
    Argv argv = {"flows"};
    argv.insert(argv.end(), filter.begin(), filter.end());
    return NatrixJson(argv).at("flows").size();
  };

  EXPECT_EQ(count({}), 2U);
  EXPECT_EQ(count({"--src", "10.16.0.10"}), 1U);
  EXPECT_EQ(count({"--src", "fd00:10:16::/112"}), 1U);
  EXPECT_EQ(count({"--src", "0.0.0.0/0"}), 1U);
  EXPECT_EQ(count({"--dst", "203.0.113.8"}), 0U);
  EXPECT_EQ(count({"--proto", "udp"}), 1U);
  EXPECT_EQ(count({"--proto", "6"}), 1U);
  EXPECT_EQ(Natrix({"flows", "--src", "pod1"}).status, 2);
  EXPECT_THAT(Natrix({"flows"}).output, HasSubstr("[fd00:10:16::10]:40001 -> [2001:db8::9]:53"));
}

TEST_F(Cli, EveryCommandPrintsOneJsonDocument) {
  const auto daemon = Start();

  for (const Argv& command :
       {Argv{"status"}, Argv{"sets"}, Argv{"sets", "ovn40subnets"},
        Argv{"sets", "ovn60subnets", "--test", "fd00::1"}, Argv{"flows"}, Argv{"counters"},
        Argv{"counters", "--all"}, Argv{"version"}, Argv{"check", config_path()}})
    EXPECT_TRUE(NatrixJson(command).is_object()) << command[0];
}

TEST_F(Cli, CheckPrintsEachErrorWithItsPlace) {
  WriteFile("node: {nmae: node1}\n");

  const Json answer = NatrixJson({"check", config_path()});

  EXPECT_EQ(answer.at("ok"), false);
  EXPECT_EQ(answer.at("errors")[0].at("line"), 1);
  EXPECT_EQ(answer.at("errors")[0].at("column"), 8);
  EXPECT_EQ(Natrix({"check", config_path()}).status, 1);
}

TEST_F(Cli, CountersCountByReason) {
  const auto daemon = Start();

  const Json all = NatrixJson({"counters", "--all"}).at("counters");

  ASSERT_EQ(all.size(), std::size_t{NX_R_COUNT});
  EXPECT_EQ(all[NX_R_NO_PORT].at("reason"), "NO_PORT");
  EXPECT_EQ(all[NX_R_NO_PORT].at("kind"), "drop");
  EXPECT_EQ(all[NX_R_NO_PORT].at("packets"), 0);
}

TEST_F(Cli, CountersCountByCidrAndDirection) {
  const auto daemon = Start();
  const auto fd = maps::OpenPinnedMap(
      "/proc/" + std::to_string(daemon.pid()) + "/root" + kPins + "/maps/nx_gateway",
      maps::Access::kReadWrite);
  ASSERT_TRUE(fd && *fd);
  // What two CPUs would have counted for the first CIDR.
  std::vector<nx_gateway> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  copies.front() = {.packets = 1, .bytes = 20000, .wire_packets = 14, .wire_bytes = 20520};
  copies.back().packets += 2;
  const std::uint32_t egress = 1 * 2 + NX_EGRESS;
  ASSERT_EQ(bpf_map_update_elem((*fd)->get(), &egress, copies.data(), BPF_ANY), 0);

  const Json all = NatrixJson({"counters", "--all"}).at("subnets");
  const Json some = NatrixJson({"counters"}).at("subnets");

  ASSERT_EQ(all.size(), 4U);  // two CIDRs, both directions
  EXPECT_EQ(all[0], Json::parse(R"({"subnet": "ovn-default", "cidr": "10.16.0.0/16",
                                    "direction": "egress", "packets": 3, "bytes": 20000,
                                    "wirePackets": 14, "wireBytes": 20520})"));
  EXPECT_EQ(all[3].at("cidr"), "fd00:10:16::/112");
  EXPECT_EQ(all[3].at("direction"), "ingress");
  EXPECT_EQ(all[3].at("packets"), 0);
  ASSERT_EQ(some.size(), 1U);
  EXPECT_EQ(some[0], all[0]);
}

TEST_F(Cli, CountersShowsOneTableOrBoth) {
  const auto daemon = Start();

  EXPECT_THAT(Natrix({"counters", "--all"}).output,
              AllOf(HasSubstr("MEANING"), HasSubstr("WIRE-PACKETS"), HasSubstr("ovn-default")));
  EXPECT_THAT(Natrix({"counters", "--all", "--reasons"}).output,
              AllOf(HasSubstr("MEANING"), Not(HasSubstr("WIRE-PACKETS"))));
  EXPECT_THAT(Natrix({"counters", "--all", "--subnets"}).output,
              AllOf(Not(HasSubstr("MEANING")), HasSubstr("WIRE-PACKETS")));
  EXPECT_FALSE(NatrixJson({"counters", "--reasons"}).contains("subnets"));
  EXPECT_FALSE(NatrixJson({"counters", "--subnets"}).contains("counters"));
  EXPECT_EQ(Natrix({"counters", "--subnets", "--reasons"}).status, 2);
}

TEST_F(Cli, ExitCodesTellWhy) {
  EXPECT_EQ(Natrix({"status"}).status, 3);
  EXPECT_EQ(Natrix({"flows"}).status, 3);
  EXPECT_EQ(Natrix({"sets"}).status, 3);
  EXPECT_EQ(Natrix({"counters"}).status, 3);
  EXPECT_EQ(Natrix({}).status, 2);
  EXPECT_EQ(Natrix({"frobnicate"}).status, 2);
  EXPECT_EQ(Natrix({"sets", "ovn40nothing"}).status, 6);
}

TEST_F(Cli, WithoutPrivilegesSaysThatTheyAreMissing) {
  const auto daemon = Start();

  for (const char* command : {"status", "sets", "flows", "counters", "detach"}) {
    const auto refused = NatrixAsNobody({command});
    EXPECT_EQ(refused.status, 4) << command;
    EXPECT_THAT(refused.errors, HasSubstr("root is needed")) << command;
  }
}

TEST_F(Cli, SetsWorkWithoutNatrixd) {
  Start().Kill();

  EXPECT_EQ(Natrix({"sets", "ovn40subnets", "--test", "10.16.3.4"}).status, 0);
  EXPECT_THAT(Natrix({"sets", "ovn60subnets"}).output, HasSubstr("fd00:10:16::/112\n"));
  EXPECT_THAT(Natrix({"sets", "ovn40subnets"}).output, Not(HasSubstr("fd00")));
}

}  // namespace
}  // namespace natrix::netns
