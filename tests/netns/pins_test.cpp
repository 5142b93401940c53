// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>

#include "tests/netns/node.h"

namespace natrix::netns {
namespace {

using support::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kMaps = std::string(kPins) + "/maps";

class Pins : public NodeTest {
 protected:
  void PinMap(const std::string& name, const std::string& type, int key, int value) {
    Run({"mkdir", "-p", kMaps});
    Run({"bpftool", "map", "create", kMaps + "/" + name, "type", type, "key", std::to_string(key),
         "value", std::to_string(value), "entries", "16384", "name", name, "flags", "1"});
  }
};

TEST_F(Pins, AMapOfAnotherLayoutIsRefusedByNameAndNothingChanges) {
  PinMap("nx_local", "hash", 8, 4);
  const auto id = MapIds();

  const auto daemon = StartToEnd();

  EXPECT_EQ(daemon.status, 1);
  EXPECT_THAT(daemon.errors, AllOf(HasSubstr("map nx_local: "), HasSubstr("key 8 bytes"),
                                   HasSubstr("key 16 bytes"), HasSubstr("natrix detach")));
  EXPECT_EQ(MapIds(), id);
  EXPECT_THAT(Run({"bpftool", "net"}), Not(HasSubstr("nx_")));
}

TEST_F(Pins, EveryMapOfAnotherLayoutIsNamed) {
  PinMap("nx_local", "hash", 16, 8);
  PinMap("nx_device", "hash", 4, 12);

  const auto daemon = StartToEnd();

  EXPECT_THAT(daemon.errors, AllOf(HasSubstr("map nx_local: "), HasSubstr("map nx_device: ")));
}

TEST_F(Pins, ALayoutNumberOfAnotherBuildIsRefused) {
  Start().Kill();
  Run({"ln", "-sfn", "4711", std::string(kPins) + "/layout"});

  const auto daemon = StartToEnd();

  EXPECT_EQ(daemon.status, 1);
  EXPECT_THAT(daemon.errors, HasSubstr("pinned layout 4711"));
  EXPECT_EQ(Attached().size(), 2U);
}

TEST_F(Pins, DetachMakesRoomForTheOtherLayout) {
  PinMap("nx_local", "hash", 8, 4);
  ASSERT_EQ(StartToEnd().status, 1);

  ASSERT_EQ(Natrix({"detach"}).status, 0);
  const auto daemon = Start();

  EXPECT_EQ(Attached().size(), 2U);
}

TEST_F(Pins, LostOnesAreRestored) {
  auto daemon = Start();
  const auto maps = MapIds();
  const auto links = LinkIds();
  Run({"rm", kMaps + "/nx_flow"});

  Reload(daemon);

  EXPECT_EQ(MapIds(), maps);
  EXPECT_EQ(LinkIds(), links);
}

TEST_F(Pins, UnmountingBpffsDetachesNothingWhileNatrixdRuns) {
  auto daemon = Start();
  const auto maps = MapIds();
  const auto links = LinkIds();
  const std::size_t from = daemon.Output().size();
  Run({"umount", "-l", "/sys/fs/bpf"});
  Run({"mount", "-t", "bpf", "bpf", "/sys/fs/bpf"});

  Reload(daemon);

  EXPECT_EQ(MapIds(), maps);
  EXPECT_EQ(LinkIds(), links);
  EXPECT_THAT(daemon.Output().substr(from), Not(HasSubstr("attach device=")));  // none made again
}

TEST_F(Pins, BpffsIsMountedWhereItIsMissing) {
  Run({"umount", "/sys/fs/bpf"});

  const auto daemon = Start();

  EXPECT_THAT(Run({"stat", "-f", "-c", "%T", "/sys/fs/bpf"}), HasSubstr("bpf"));
  EXPECT_EQ(Attached().size(), 2U);
}

TEST_F(Pins, ADirectoryThatIsNotOnBpffsIsRefused) {
  const auto daemon = StartToEnd({"--pin-root", "/run/natrix-pins"});

  EXPECT_EQ(daemon.status, 1);
  EXPECT_THAT(daemon.errors, AllOf(HasSubstr("/run/natrix-pins"), HasSubstr("mount -t bpf")));
  EXPECT_THAT(Run({"ls", "/run"}), Not(HasSubstr("natrix-pins")));
}

TEST_F(Pins, EveryMapIsDumpedWithNamedFields) {
  // Small tables: bpftool prints every slot of an array.
  std::ofstream(config_path(), std::ios::app) << "flows: {maxEstablished: 64, maxEmbryos: 64}\n";
  const auto daemon = Start();

  for (const auto& [name, id] : MapIds()) {
    const Json info = Bpftool({"map", "show", "pinned", kMaps + "/" + name});
    EXPECT_TRUE(info.contains("btf_id")) << name;
    if (info.at("type") == "sk_storage") continue;  // the kernel does not list sockets
    const Json dump = Bpftool({"map", "dump", "pinned", kMaps + "/" + name});
    if (dump.empty()) continue;
    ASSERT_TRUE(dump[0].contains("formatted")) << name;
    const Json formatted = dump[0]["formatted"];
    const Json value = formatted.contains("values") ? formatted["values"][0]["value"]
                                                    : formatted.value("value", Json());
    EXPECT_TRUE(value.is_object() || value.is_string() || value.is_number()) << name;
    EXPECT_THAT(value, Not(IsEmpty())) << name;
  }
}

}  // namespace
}  // namespace natrix::netns
