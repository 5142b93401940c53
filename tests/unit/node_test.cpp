// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/cgroup_hooks.h"
#include "loader/clock.h"
#include "loader/link_pins.h"
#include "loader/load_error.h"
#include "maps/abi/set.h"
#include "maps/flow_half.h"
#include "maps/map_traits.h"
#include "userspace/cli/flow_list.h"
#include "userspace/cli/table.h"
#include "userspace/daemon/port_list.h"
#include "userspace/daemon/repair_brake.h"
#include "userspace/model/reason_text.h"

namespace natrix {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(LinkPin, NameIsReadBack) {
  EXPECT_EQ(loader::LinkPinName("eth0", 2, "ingress"), "eth0-2-ingress");
  const auto pin = loader::ParseLinkPin("a-b-12-egress");
  ASSERT_TRUE(pin);
  EXPECT_EQ(pin->device, "a-b");
  EXPECT_EQ(pin->ifindex, 12U);
  EXPECT_EQ(pin->what, "egress");
}

TEST(LinkPin, HasNoDotsWhichBpffsRefuses) {
  EXPECT_EQ(loader::LinkPinName("eth0.100", 7, "clsact"), "eth0_100-7-clsact");
}

TEST(LinkPin, OfSomebodyElseIsNone) {
  for (const char* name :
       {"", "eth0", "eth0-2", "-2-ingress", "eth0--ingress", "eth0-2-xdp", "eth0-2x-ingress"})
    EXPECT_FALSE(loader::ParseLinkPin(name)) << name;
}

TEST(Cgroup2Mounts, AreThoseOfThatTypeInTheirOrder) {
  EXPECT_THAT(loader::Cgroup2Mounts("sysfs /sys sysfs rw 0 0\n"
                                    "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
                                    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
                                    "none /a\\040b\\134c cgroup2 ro 0 0\n"
                                    "cgroup2 /tmp tmpfs rw 0 0\n"),
              testing::ElementsAre("/sys/fs/cgroup/unified", "/a b\\c"));
  EXPECT_THAT(loader::Cgroup2Mounts("cgroup2 /x cgroup2"), testing::ElementsAre("/x"));
  for (const char* none : {"", "\n\n", "cgroup2", "cgroup2 ", "cgroup2 /x", "tmpfs /y\\04 tmpfs"})
    EXPECT_THAT(loader::Cgroup2Mounts(none), IsEmpty()) << none;
}

TEST(LogTail, IsTheLastLines) {
  EXPECT_EQ(loader::LogTail("one\ntwo\nthree\n", 2), "two\nthree");
  EXPECT_EQ(loader::LogTail("one\n\ntwo", 5), "one\ntwo");
  EXPECT_EQ(loader::LogTail("", 5), "");
}

TEST(LoadHint, FitsTheFailure) {
  EXPECT_THAT(loader::LoadHint(ENOMEM, ""), HasSubstr("maxEstablished"));
  EXPECT_THAT(loader::LoadHint(EACCES, "R1 invalid access to packet"), HasSubstr("Linux 6.1"));
  EXPECT_THAT(loader::LoadHint(EIO, ""), IsEmpty());
}

TEST(HzOfTick, IsTheKernelsConfiguredValue) {
  EXPECT_EQ(loader::HzOfTick({0, 10'000'000}), 100U);
  EXPECT_EQ(loader::HzOfTick({0, 4'000'000}), 250U);
  EXPECT_EQ(loader::HzOfTick({0, 3'333'333}), 300U);
  EXPECT_EQ(loader::HzOfTick({0, 1'000'000}), 1000U);
  EXPECT_EQ(loader::HzOfTick({0, 0}), 0U);
  EXPECT_EQ(loader::HzOfTick({1, 0}), 0U);
}

TEST(PortList, ReadsWhatTheKernelWrites) {
  const auto list = daemon::ParsePortList("8080,9148,9000-9010\n");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[1].first, 9148);
  EXPECT_EQ((*list)[1].last, 9148);
  EXPECT_EQ((*list)[2].last, 9010);
  EXPECT_TRUE(daemon::ParsePortList("\n")->empty());
}

TEST(PortList, RefusesWhatIsNone) {
  for (const char* text : {"x", "1,", "70000", "9-1", "1-2-3", "-1"})
    EXPECT_FALSE(daemon::ParsePortList(text)) << text;
}

TEST(PortRange, ReadsWhatTheKernelWrites) {
  const auto range = daemon::ParsePortRange("32768\t60999\n");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 32768);
  EXPECT_EQ(range->last, 60999);
  EXPECT_FALSE(daemon::ParsePortRange("\n"));
}

TEST(RepairBrake, HoldsADeviceThatIsRepairedTooOften) {
  daemon::RepairBrake brake;
  const daemon::RepairBrake::Clock::time_point start{};
  for (int i = 0; i < daemon::RepairBrake::kMost; ++i) {
    EXPECT_FALSE(brake.Brakes(7, start));
    brake.CountRepair(7, start);
  }

  EXPECT_TRUE(brake.Brakes(7, start + std::chrono::seconds(59)));
  EXPECT_FALSE(brake.Brakes(8, start));
  EXPECT_FALSE(brake.Brakes(7, start + std::chrono::seconds(61)));
}

nx_config Config() {
  nx_config config{};
  config.hz = 100;
  config.timeout[NX_STATE_UDP] = 3000;
  return config;
}
nx_flow SeenAt(std::uint32_t jiffies) {
  nx_flow flow{};
  flow.seen = jiffies;
  flow.state = NX_STATE_UDP;
  return flow;
}

TEST(SecondsLeft, CountsDownFromTheStatesTimeout) {
  EXPECT_EQ(cli::SecondsLeft(SeenAt(1000), Config(), 1000), 30U);
  EXPECT_EQ(cli::SecondsLeft(SeenAt(1000), Config(), 2000), 20U);
  EXPECT_EQ(cli::SecondsLeft(SeenAt(1000), Config(), 4000), 0U);
  EXPECT_EQ(cli::SecondsLeft(SeenAt(1000), Config(), 4001), std::nullopt);
}

TEST(SecondsLeft, SurvivesTheWrapOfJiffies) {
  EXPECT_EQ(cli::SecondsLeft(SeenAt(0xffffff00), Config(), 0x00000100), 24U);
}

TEST(SecondsLeft, OfAFlowSeenAfterTheClockWasReadIsWhole) {
  EXPECT_EQ(cli::SecondsLeft(SeenAt(1010), Config(), 1000), 30U);
}

TEST(PartnerOf, IsTheTranslationSwapped) {
  nx_tuple key{};
  key.proto = NX_L4_UDP;
  nx_flow flow{};
  flow.src.byte[15] = 1;
  flow.dst.byte[15] = 2;
  flow.sport = 3;
  flow.dport = 4;

  const nx_tuple partner = maps::PartnerOf(key, flow);

  EXPECT_EQ(partner.src.byte[15], 2);
  EXPECT_EQ(partner.dst.byte[15], 1);
  EXPECT_EQ(partner.sport, 4);
  EXPECT_EQ(partner.dport, 3);
  EXPECT_EQ(partner.proto, NX_L4_UDP);
}

TEST(ReasonText, OfEveryReasonHasNameKindAndMeaning) {
  EXPECT_EQ(model::TextOf(NX_R_MASQ_OUTGOING).name, "MASQ_OUTGOING");
  EXPECT_EQ(model::TextOf(NX_R_MASQ_OUTGOING).kind, "translate");
  EXPECT_EQ(model::TextOf(NX_R_NO_PORT).kind, "drop");
  EXPECT_EQ(model::TextOf(250).name, "REASON_250");
}

TEST(TextTable, AlignsItsColumns) {
  cli::TextTable table({{"NAME"}, {"N", cli::Align::kRight}, {"LAST"}});
  table.Add({"a", "100", "x"});
  table.Add({"longer", "7", ""});

  EXPECT_EQ(table.Render(),
            "NAME      N  LAST\n"
            "a       100  x\n"
            "longer    7\n");
}

struct Padded {
  std::uint32_t a;
  std::uint8_t b;
};
static_assert(!maps::MapKey<Padded>);
static_assert(maps::MapKey<nx_tuple> && maps::MapKey<nx_set_key> && maps::MapKey<nx_fip_key>);

}  // namespace
}  // namespace natrix
