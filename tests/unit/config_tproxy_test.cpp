// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "maps/abi/probe.h"
#include "tests/unit/broken.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Where the third line's second list begins: "tproxy: {onIP: [172.18.0.3], " is 29 characters.
std::string Tproxy(const std::string& words) {
  return Node("tproxy: {onIP: [172.18.0.3], " + words + "}\n");
}

const std::vector<Broken> kTproxy = {
    {"NoProbes",
     Node("tproxy: {onPort: 8102}\n"),
     {"3:10 \"tproxy\" has no \"probes\""},
     "add `probes: [{podIP: 10.241.39.2, port: 80}]`, with your own value"},
    {"AList",
     Node("tproxy: [{podIP: 10.241.39.2, port: 80}]\n"),
     {"3:9 \"tproxy\" must be a mapping"}},
    {"ProbesNoList", Tproxy("probes: 10.241.39.2"), {"3:38 \"probes\" must be a list of mappings"}},
    {"ProbeWithoutPort",
     Tproxy("probes: [{podIP: 10.241.39.2}]"),
     {"3:40 an item of \"tproxy.probes\" has no \"port\""},
     "add `port: 80`, with your own value"},
    {"ProbeWithoutPod",
     Tproxy("probes: [{port: 80}]"),
     {"3:40 an item of \"tproxy.probes\" has no \"podIP\""}},
    {"ProbeOfKubernetes",
     Tproxy("probes: [{podIP: 10.241.39.2, port: 80, scheme: HTTP}]"),
     {"3:70 unknown key \"scheme\" in an item of \"tproxy.probes\""},
     "known here: podIP, port"},
    {"Misspelt",
     Tproxy("probes: [], onport: 8102"),
     {"3:42 unknown key \"onport\" in \"tproxy\""},
     "did you mean \"onPort\"?"},
    {"PodWithPrefix",
     Tproxy("probes: [{podIP: 10.241.39.2/32, port: 80}]"),
     {"3:47 \"10.241.39.2/32\" is not an address"},
     "an address belongs here, not a CIDR: write 10.241.39.2"},
    {"PodOfNobody",
     Tproxy("probes: [{podIP: 127.0.0.1, port: 80}, {podIP: 0.0.0.0, port: 80}]"),
     {"3:47 127.0.0.1 is a loopback address", "3:77 0.0.0.0 is the unspecified address"}},
    {"NamedPort",
     Tproxy("probes: [{podIP: 10.241.39.2, port: http}]"),
     {"3:66 \"http\" is not a whole number"},
     "write a number from 1 to 65535"},
    {"PortsOutOfRange",
     Tproxy("probes: [{podIP: 10.1.1.1, port: 0}, {podIP: 10.1.1.1, port: 65536}], onPort: 0"),
     {"3:63 0 is too small", "3:91 65536 is too large", "3:108 0 is too small"}},
    {"OnIpNoList",
     Node("tproxy: {onIP: 172.18.0.3, probes: []}\n"),
     {"3:16 \"onIP\" must be a list of addresses"},
     "write `onIP: [172.18.0.3]`"},
    {"OnIpTwiceInAFamily",
     Node("tproxy: {onIP: [172.18.0.3, \"fd00::3\", 172.18.0.4], probes: []}\n"),
     {"3:40 172.18.0.4 is a second IPv4 address of the proxy"},
     "\"onIP\" has one of each family; the first one is at 3:17"},
    {"NoProxyInTheFamily",
     Tproxy("probes: [{podIP: 10.241.39.2, port: 80}, {podIP: \"fd00:241::2\", port: 80}]"),
     {"3:79 no proxy takes over fd00:241::2: it has no IPv6 address"},
     "add an IPv6 address to \"onIP\" or to \"node.addresses\""},
    {"NoProxyAtAll",
     Node("tproxy: {probes: [{podIP: 10.241.39.2, port: 80}]}\n"),
     {"3:27 no proxy takes over 10.241.39.2: it has no IPv4 address"}},
    {"PodIsTheNode",
     Tproxy("probes: [{podIP: 172.18.0.3, port: 80}]"),
     {"3:47 172.18.0.3 is an address of this node"}},
    {"ProbeTwice",
     Tproxy("probes: [{podIP: 10.1.1.1, port: 80}, {podIP: 10.1.1.1, port: 81}, "
            "{podIP: 10.1.1.1, port: 80}]"),
     {"3:105 10.1.1.1 port 80 is written twice"},
     "the first one is at 3:47"},
    {"MarkInAnother",
     Tproxy("probes: [], outputMark: 0x90000"),
     {"3:54 mark \"policyNat\" (0x90001) holds all of \"outputMark\" (0x90000)",
      "3:54 mark \"policyForward\" (0x90002) holds all of \"outputMark\" (0x90000)"},
     "its traffic would be taken for probes: choose a bit that it has not"},
    {"AnotherOverTheMark",
     Node("marks: {local: 0x90004}\ntproxy: {probes: []}\n"),
     {"3:16 mark \"local\" (0x90004) holds all of \"preroutingMark\" (0x90004)"}},
    {"MarkZero",
     Tproxy("probes: [], preroutingMark: 0"),
     {"3:58 a mark of 0 has no bit to set"},
     "the usual one is 0x90004"},
    {"MarkUnreadableIsNotComparedAsItsDefault",
     Tproxy("probes: [], outputMark: none, preroutingMark: 0x80000"),
     {"3:54 \"none\" is not a mark"}},
    {"TableOfTheKernel",
     Tproxy("probes: [], table: 254"),
     {"3:49 route table 254 is the kernel's own"}},
    {"TableOutOfRange", Tproxy("probes: [], table: 4294967296"), {"3:49 4294967296 is too large"}},
    {"TableZero", Tproxy("probes: [], table: 0"), {"3:49 0 is too small"}},
};
INSTANTIATE_TEST_SUITE_P(Tproxy, BrokenConfig, testing::ValuesIn(kTproxy), NameOf);

TEST(BrokenConfigs, MoreProbesThanTheMapHoldsAreRefused) {
  std::string text = Node("tproxy:\n  onIP: [172.18.0.3]\n  probes:\n");
  for (int i = 0; i <= NX_MAX_PROBES; ++i)
    text += fmt::format("  - {{podIP: 10.1.0.1, port: {}}}\n", i + 1);

  EXPECT_THAT(Problems(LoadText("t.yaml", text)),
              ElementsAre("16390:13 one too many: there can be 16384 probes"));
}

std::vector<std::string> OnIps(const std::string& text) {
  const Loaded loaded = LoadText("t.yaml", text);
  EXPECT_TRUE(loaded) << loaded.Render();
  std::vector<std::string> list;
  for (const auto& address : loaded.config.value_or(model::Config{}).tproxy.on_ip)
    list.push_back(address.ToString());
  return list;
}

TEST(ConfigTproxy, AFamilyOfOnIpThatIsLeftOutIsTheNodesFirstAddress) {
  const std::string node =
      "node: {uplinks: [eth0], podDevices: [ovn0],\n"
      "  addresses: [\"fd00::1\", 172.18.0.3, 172.18.0.4]}\n";

  EXPECT_THAT(OnIps(node + "tproxy: {probes: []}\n"), ElementsAre("172.18.0.3", "fd00::1"));
  EXPECT_THAT(OnIps(node + "tproxy: {onIP: [172.18.0.4], probes: []}\n"),
              ElementsAre("172.18.0.4", "fd00::1"));
  EXPECT_THAT(OnIps(node), IsEmpty());
}

TEST(ConfigTproxy, DefaultsAreThoseOfKubeOvn) {
  const Loaded loaded = LoadText("t.yaml", Tproxy("probes: [{podIP: 10.241.39.2, port: 80}]"));

  ASSERT_TRUE(loaded) << loaded.Render();
  const model::Tproxy& tproxy = loaded.config->tproxy;
  EXPECT_EQ(tproxy.on_port, 8102);
  EXPECT_EQ(tproxy.output_mark, 0x90003u);
  EXPECT_EQ(tproxy.prerouting_mark, 0x90004u);
  EXPECT_EQ(tproxy.table, 10001u);
  ASSERT_EQ(tproxy.probes.size(), 1u);
  EXPECT_EQ(tproxy.probes[0].pod_ip.ToString(), "10.241.39.2");
  EXPECT_EQ(tproxy.probes[0].port, 80);
}

}  // namespace
}  // namespace natrix::config
