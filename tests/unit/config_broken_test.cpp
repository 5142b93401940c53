// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/golden.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::SizeIs;

// Two lines that are right, so that the third is the first of the case's own.
constexpr const char* kNode = "node: {uplinks: [eth0], podDevices: [ovn0]}\n#\n";

std::vector<std::string> Problems(const Loaded& loaded) {
  std::vector<std::string> list;
  for (const Diagnostic& d : loaded.diagnostics)
    list.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
  return list;
}

struct Broken {
  std::string name;
  std::string text;
  std::vector<std::string> problems;
  std::string help = "";  // of the first problem; empty: not looked at
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class BrokenConfig : public testing::TestWithParam<Broken> {};

TEST_P(BrokenConfig, IsRefusedWithItsPlace) {
  const Broken& broken = GetParam();

  const Loaded loaded = LoadText("t.yaml", broken.text);

  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(Problems(loaded), ElementsAreArray(broken.problems));
  if (broken.help.empty() || loaded.diagnostics.empty()) return;
  EXPECT_EQ(loaded.diagnostics[0].help, broken.help);
}

std::string NameOf(const testing::TestParamInfo<Broken>& info) { return info.param.name; }

std::string Node(const std::string& rest) { return kNode + rest; }

std::string Nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i)
    text += std::string(static_cast<std::size_t>(i) * 2, ' ') + "a:\n";
  return text;
}

std::string Repeat(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

const std::vector<Broken> kText = {
    {"EmptyFile", "", {"1:1 the file holds no configuration"}},
    {"OnlyComments", "# nothing\n", {"1:1 the file holds no configuration"}},
    {"TwoDocuments",
     Node("---\nnode: {}\n"),
     {"3:1 a second document starts here"},
     "one file holds one configuration: remove this line, or split the file"},
    {"NulByte",
     std::string("node:\n  a\0b\n", 12),
     {"2:4 control character 0x00: this is no text"}},
    {"Binary",
     "\x7f"
     "ELF\x02\x01",
     {"1:1 control character 0x7f: this is no text"}},
    {"Latin1", "node:\n  name: caf\xe9\n", {"2:12 byte 0xe9 is not UTF-8 text"}},
    {"OverlongUtf8", "a: \xc0\xaf\n", {"1:4 byte 0xc0 is not UTF-8 text"}},
    {"Utf16", std::string("\xff\xfen\0o\0", 6), {"1:1 byte 0xff is not UTF-8 text"}},
    {"TooLong", std::string(10 * 1024 * 1024, 'a'), {"1:1 the file is longer than 1048576 bytes"}},
    {"Directive", "%YAML 1.1\n---\nnode: {}\n", {"1:1 a YAML directive is not allowed here"}},
    {"DeepBlocks", Nested(40), {"17:33 nested more than 16 levels deep"}},
    {"DeepFlow", std::string(5000, '['), {"1:17 nested more than 16 levels deep"}},
    {"DeepFlowMaps", Repeat("{a: ", 5000), {"1:65 nested more than 16 levels deep"}},
    {"OpenList", Node("otherNodes: [10.0.0.1\n"), {"4:1 flow sequence without a closing bracket"}},
    {"OpenQuote",
     Node("otherNodes: [\"10.0.0.1]\n"),
     {"3:15 double-quoted scalar without closing quote"}},
    {"BadIndentation",
     "node:\n    uplinks: [eth0]\n  podDevices: [ovn0]\n",
     {"3:3 invalid indentation in mapping"}},
    {"Tab", "node:\n\tname: a\n", {"2:1 indentation is written with spaces, not with a tab"}},
    {"ListAtTop", "- node\n", {"1:1 the configuration must be a mapping"}},
    {"WordAtTop", "node\n", {"1:1 the configuration must be a mapping"}},
    {"ComplexKey", Node("? [a]\n: 1\n"), {"3:3 a key must be a plain word"}},
};
INSTANTIATE_TEST_SUITE_P(Text, BrokenConfig, testing::ValuesIn(kText), NameOf);

const std::vector<Broken> kYaml = {
    {"Anchor",
     Node("otherNodes: &x [10.0.0.1]\n"),
     {"3:13 an anchor is not allowed here"},
     "remove it: a configuration has no anchors or aliases"},
    {"AliasBomb",
     Node("otherNodes: &a [x]\nserviceCIDRs: [*a, *a]\n"),
     {"3:13 an anchor is not allowed here", "3:17 \"x\" is not an address",
      "4:16 an alias is not allowed here", "4:20 an alias is not allowed here"}},
    {"AliasOfNothing", Node("subnets: *nothing\n"), {"3:10 an alias is not allowed here"}},
    {"Tag",
     Node("otherNodes: !!set [10.0.0.1]\n"),
     {"3:13 a tag is not allowed here"},
     "remove it: every word has one type"},
    {"KeyTwice",
     Node("otherNodes: [10.0.0.1]\notherNodes: [10.0.0.2]\n"),
     {"4:1 key \"otherNodes\" is written twice"},
     "the first one is at 3:1"},
    {"KeyTwiceInside",
     Node("marks: {local: 0x10000, local: 0x20000}\n"),
     {"3:25 key \"local\" is written twice"},
     "the first one is at 3:9"},
    {"MergeKey", Node("marks: {<<: {local: 1}}\n"), {"3:9 unknown key \"<<\" in \"marks\""}},
};
INSTANTIATE_TEST_SUITE_P(Yaml, BrokenConfig, testing::ValuesIn(kYaml), NameOf);

const std::vector<Broken> kShape = {
    {"NoNode", "subnets: []\n", {"1:1 the configuration has no \"node\""}, "add `node:`"},
    {"NoDevices",
     "node:\n  name: node1\n",
     {"2:3 \"node\" has no \"uplinks\"", "2:3 \"node\" has no \"podDevices\""},
     "add `uplinks: [eth0]`, with your own value"},
    {"EmptyDevices",
     "node: {uplinks: [], podDevices: [ovn0]}\n",
     {"1:17 \"uplinks\" names no device"},
     "write `uplinks: [eth0]`"},
    {"NodeIsNothing", "node:\n", {"1:1 \"node\" must be a mapping"}},
    {"NodeIsAWord", "node: node1\n", {"1:7 \"node\" must be a mapping"}},
    {"UnknownWord",
     Node("subnts: []\n"),
     {"3:1 unknown key \"subnts\""},
     "did you mean \"subnets\"?"},
    {"UnknownWordInside",
     Node("subnets:\n- {name: a, cidr: [10.0.0.0/8], cidrs: [10.0.0.0/8]}\n"),
     {"4:13 unknown key \"cidr\" in an item of \"subnets\""},
     "did you mean \"cidrs\"?"},
    {"StrangeWord",
     Node("masquerade: {ingress: 1}\n"),
     {"3:14 unknown key \"ingress\" in \"masquerade\""},
     "known here: randomFully, reservedPorts"},
    {"WordOfAnotherPlace",
     Node("natOutgoing: true\n"),
     {"3:1 unknown key \"natOutgoing\""},
     "\"natOutgoing\" belongs under \"subnets[]\""},
    {"TopWordInside",
     Node("masquerade: {serviceCIDRs: []}\n"),
     {"3:14 unknown key \"serviceCIDRs\" in \"masquerade\""},
     "\"serviceCIDRs\" belongs at the top level"},
    {"FieldOfKubeOvn",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/8], excludeIps: []}]\n"),
     {"3:42 unknown key \"excludeIps\" in an item of \"subnets\""},
     "this field of Kube-OVN's Subnet decides nothing on a node: leave it out"},
    {"FieldNotSupported",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/8], gatewayNode: n}]\n"),
     {"3:42 unknown key \"gatewayNode\" in an item of \"subnets\""},
     "this field of Kube-OVN's Subnet is not supported"},
    {"ValueInsteadOfList",
     Node("otherNodes: 10.0.0.1\n"),
     {"3:13 \"otherNodes\" must be a list of addresses"},
     "write `otherNodes: [10.0.0.1]`"},
    {"MapInsteadOfList",
     Node("subnets: {name: a}\n"),
     {"3:10 \"subnets\" must be a list of mappings"}},
    {"ListInsteadOfValue",
     Node("subnets: [{name: [a], cidrs: [10.0.0.0/8]}]\n"),
     {"3:18 a list where a name belongs"}},
    {"WordInsteadOfMap",
     Node("subnets: [ovn-default]\n"),
     {"3:11 an item of \"subnets\" must be a mapping"}},
    {"ListWithoutValue",
     Node("otherNodes:\nserviceCIDRs: ~\n"),
     {"3:1 \"otherNodes\" has no value", "4:15 \"serviceCIDRs\" has no value"},
     "write `otherNodes: []` for none, or leave it out"},
    {"ItemWithoutValue",
     Node("otherNodes: [10.0.0.1, ~]\nserviceCIDRs:\n  - 10.0.0.0/8\n  -\n"),
     {"3:24 \"otherNodes\" has no value here", "5:15 \"serviceCIDRs\" has no value here"}},
    {"LastItemWithoutValue",
     Node("otherNodes:\n- 10.0.0.1\n-\n"),
     {"6:1 a value is missing before this"}},
    {"ValueMissing",
     Node("subnets: [{name: , cidrs: [10.0.0.0/8]}]\n"),
     {"3:12 \"name\" has no value here"}},
};
INSTANTIATE_TEST_SUITE_P(Shape, BrokenConfig, testing::ValuesIn(kShape), NameOf);

const std::vector<Broken> kValues = {
    {"NotACidr",
     Node("serviceCIDRs: [10.96.0/12]\n"),
     {"3:16 \"10.96.0/12\" is not a CIDR"},
     "a CIDR is written 10.16.0.0/16 or fd00:10:16::/112"},
    {"CidrWithoutLength",
     Node("serviceCIDRs: [10.96.0.0]\n"),
     {"3:16 \"10.96.0.0\" has no prefix length"},
     "write 10.96.0.0/32 for this one address"},
    {"PrefixTooLong",
     Node("serviceCIDRs:\n- 10.96.0.0/33\n- fd00::/129\n"),
     {"4:3 prefix length 33 is larger than 32", "5:3 prefix length 129 is larger than 128"},
     "an IPv4 CIDR is written a.b.c.d/1 to a.b.c.d/32"},
    {"PrefixNoNumber",
     Node("serviceCIDRs: [10.96.0.0/255.240.0.0]\n"),
     {"3:16 \"255.240.0.0\" is not a prefix length"}},
    {"HostBits",
     Node("serviceCIDRs:\n- 10.96.0.1/12\n- fd00::1/112\n"),
     {"4:3 10.96.0.1/12 has host bits set", "5:3 fd00::1/112 has host bits set"},
     "write 10.96.0.0/12"},
    {"Everything",
     Node("serviceCIDRs:\n- 0.0.0.0/0\n- ::/0\n"),
     {"4:3 0.0.0.0/0 is every address", "5:3 ::/0 is every address"},
     "write the range that is meant; an ipset takes no /0 either, but 0.0.0.0/1 and 128.0.0.0/1"},
    {"WideEnoughForIpv4",
     Node("serviceCIDRs: [\"::/64\"]\n"),
     {"3:16 ::/64 holds the IPv4-mapped addresses ::ffff:0:0/96"}},
    {"MappedCidr",
     Node("serviceCIDRs: [\"::ffff:10.0.0.0/104\"]\n"),
     {"3:16 \"::ffff:10.0.0.0/104\" is not a CIDR"}},
    {"NotAnAddress",
     Node("otherNodes: [node2, 10.0.0.256]\n"),
     {"3:14 \"node2\" is not an address", "3:21 \"10.0.0.256\" is not an address"},
     "write an IPv4 address like 172.18.0.3 or an IPv6 one like fd00::3"},
    {"CidrInsteadOfAddress",
     Node("otherNodes: [10.0.0.1/32]\n"),
     {"3:14 \"10.0.0.1/32\" is not an address"},
     "an address belongs here, not a CIDR: write 10.0.0.1"},
    {"MappedAddress",
     Node("otherNodes: [\"::ffff:10.0.0.1\"]\n"),
     {"3:14 \"::ffff:10.0.0.1\" is not an address"},
     "write 10.0.0.1: IPv4 addresses have one form here"},
    {"AddressesOfNobody",
     Node("otherNodes: [0.0.0.0, \"::\", 224.0.0.1, \"ff02::1\", 127.0.0.1, \"::1\"]\n"),
     {"3:14 0.0.0.0 is the unspecified address", "3:23 :: is the unspecified address",
      "3:29 224.0.0.1 is a multicast address", "3:40 ff02::1 is a multicast address",
      "3:51 127.0.0.1 is a loopback address", "3:62 ::1 is a loopback address"}},
    {"BadNames",
     Node("subnets:\n- {name: Ovn_Default, cidrs: [10.0.0.0/8]}\n- {name: \"-\", cidrs: "
          "[11.0.0.0/8]}\n"),
     {"4:10 \"Ovn_Default\" is not a name", "5:10 \"-\" is not a name"}},
    {"BoolYes",
     Node("masquerade: {randomFully: yes}\n"),
     {"3:27 \"yes\" is neither true nor false"},
     "write `randomFully: true`"},
    {"BoolOff",
     Node("masquerade: {randomFully: Off}\n"),
     {"3:27 \"Off\" is neither true nor false"},
     "write `randomFully: false`"},
    {"BoolInQuotes",
     Node("masquerade: {randomFully: \"true\"}\n"),
     {"3:27 \"true\" is neither true nor false, it is a text"},
     "write `randomFully: true`"},
    {"BoolNeither",
     Node("masquerade: {randomFully: maybe}\n"),
     {"3:27 \"maybe\" is neither true nor false"},
     "write `randomFully: true` or `randomFully: false`"},
    {"Choice",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/8], gatewayType: centralised}]\n"),
     {"3:55 \"centralised\" is no gatewayType"},
     "did you mean \"centralized\"?"},
    {"ChoiceFarOff",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/8], gatewayType: ecmp}]\n"),
     {"3:55 \"ecmp\" is no gatewayType"},
     "write one of: distributed, centralized"},
    {"Sizes",
     Node("flows: {maxEstablished: 0, maxEmbryos: 99999999999999999999}\n"),
     {"3:25 0 is too small", "3:40 99999999999999999999 is too large"},
     "\"maxEstablished\" is a number from 64 to 16777216"},
    {"SizeNoNumber",
     Node("flows: {maxEstablished: 64k, maxEmbryos: -5}\n"),
     {"3:25 \"64k\" is not a whole number", "3:42 \"-5\" is not a whole number"}},
    {"Durations",
     Node("timeouts: {udp: 30, icmp: 0s, sctp: 25d, other: fast, tcpClose: 10S}\n"),
     {"3:17 \"30\" is not a duration", "3:27 0s is too short", "3:37 25d is too long",
      "3:49 \"fast\" is not a duration", "3:65 \"10S\" is not a duration"},
     "say the unit: 30s, or m, h, d"},
    {"UnknownTimeout",
     Node("timeouts: {tcpEstablishd: 5d}\n"),
     {"3:12 unknown key \"tcpEstablishd\" in \"timeouts\""},
     "did you mean \"tcpEstablished\"?"},
    {"MarkZero",
     Node("marks: {masquerade: 0}\n"),
     {"3:21 a mark of 0 has no bit to set"},
     "the usual one is 0x4000"},
    {"MarkTooWide",
     Node("marks: {masquerade: 0x100000000}\n"),
     {"3:21 0x100000000 has more than 32 bits"}},
    {"MarkWithMask",
     Node("marks: {masquerade: 0x4000/0x4000}\n"),
     {"3:21 \"0x4000/0x4000\" is not a mark"}},
    {"Ports",
     Node("masquerade: {reservedPorts: [0, 65536, http, 10-5, 1-70000, -3]}\n"),
     {"3:30 there is no port 0", "3:33 there is no port 65536",
      "3:40 \"http\" is no port and no range of ports", "3:46 range 10-5 ends before it begins",
      "3:52 there is no port 70000", "3:61 \"-3\" is no port and no range of ports"}},
    {"DeviceNames",
     "node:\n  podDevices: [ovn0]\n  uplinks:\n  - averylongdevice0\n  - a/b\n  - a b\n  - lo\n"
     "  - eth[0-9\n  - ..\n  - \"\"\n",
     {"4:5 \"averylongdevice0\" is longer than 15 characters",
      "5:5 \"a/b\" cannot be a device name: it has a '/' in it",
      "6:5 \"a b\" cannot be a device name: it has a ' ' in it",
      "7:5 \"lo\" is never managed: it carries nothing between pods and network",
      "8:5 pattern \"eth[0-9\" has a '[' without its ']'", "9:5 \"..\" cannot be a device name",
      "10:5 a device name is not empty"}},
};
INSTANTIATE_TEST_SUITE_P(Values, BrokenConfig, testing::ValuesIn(kValues), NameOf);

const std::vector<Broken> kTogether = {
    {"DeviceTwice",
     "node: {uplinks: [eth0, eth0], podDevices: [ovn0]}\n",
     {"1:24 \"eth0\" is written twice"},
     "the first one is at 1:18"},
    {"DeviceOfBothRoles",
     "node: {uplinks: [\"eth*\"], podDevices: [ovn0, \"eth*\"]}\n",
     {"1:46 \"eth*\" is an uplink already"},
     "a device has one role; as an uplink it is at 1:18"},
    {"NodeAddressTwice",
     "node: {addresses: [\"fd00::1\", \"fd00:0::1\"], uplinks: [a], podDevices: [b]}\n",
     {"1:31 fd00::1 is written twice"}},
    {"OtherNodeTwice",
     Node("otherNodes: [10.0.0.1, 10.0.0.2, 10.0.0.1]\n"),
     {"3:34 10.0.0.1 is written twice"},
     "the first one is at 3:14"},
    {"OtherNodeIsThisNode",
     "node: {addresses: [10.0.0.1], uplinks: [a], podDevices: [b]}\notherNodes: [10.0.0.1]\n",
     {"2:14 10.0.0.1 is an address of this node"}},
    {"ServiceCidrTwice",
     Node("serviceCIDRs: [10.96.0.0/12, 10.96.0.0/12]\n"),
     {"3:30 10.96.0.0/12 is written twice"},
     "the other one is at 3:16"},
    {"SubnetNameTwice",
     Node("subnets:\n- {name: a, cidrs: [10.0.0.0/16]}\n- {name: a, cidrs: [10.1.0.0/16]}\n"),
     {"5:10 a second subnet is called \"a\""},
     "the first one is at 4:10"},
    {"SubnetWithoutCidrs",
     Node("subnets:\n- name: a\n- {name: b, cidrs: []}\n"),
     {"4:3 an item of \"subnets\" has no \"cidrs\"", "5:20 \"cidrs\" is empty"}},
    {"BothWaysOfWritingCidrs",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/16], cidrBlock: \"10.0.0.0/16\"}]\n"),
     {"3:54 \"cidrBlock\" and \"cidrs\" say the same thing twice"},
     "keep one of them"},
    {"CidrBlockParts",
     Node("subnets: [{name: a, cidrBlock: \"10.0.0.1/16, fd00::/300,\"}]\n"),
     {"3:33 10.0.0.1/16 has host bits set", "3:46 prefix length 300 is larger than 128",
      "3:57 \"\" is not a CIDR"}},
    {"CidrTwiceInASubnet",
     Node("subnets: [{name: a, cidrs: [10.0.0.0/16, 10.0.0.0/16]}]\n"),
     {"3:42 10.0.0.0/16 is written twice"}},
    {"NestedInASubnet",
     Node("subnets: [{name: a, cidrs: [10.0.3.0/24, 10.0.0.0/16]}]\n"),
     {"3:42 10.0.0.0/16 overlaps 10.0.3.0/24 of the same subnet"}},
    {"SubnetsOverlap",
     Node("subnets:\n- {name: a, cidrs: [10.0.0.0/16]}\n- {name: b, cidrs: [10.0.3.0/24]}\n"),
     {"5:21 10.0.3.0/24 overlaps 10.0.0.0/16 of subnet \"a\""},
     "the other one is at 4:21"},
    {"SubnetsOverlapIpv6",
     Node("subnets:\n- {name: a, cidrs: [\"fd00::/112\"]}\n- {name: b, cidrs: [\"fd00::/64\"]}\n"),
     {"5:21 fd00::/64 overlaps fd00::/112 of subnet \"a\""}},
    {"ServicesOverlapASubnet",
     Node("serviceCIDRs: [10.0.0.0/8]\nsubnets: [{name: a, cidrs: [10.16.0.0/16]}]\n"),
     {"4:29 10.16.0.0/16 overlaps 10.0.0.0/8 of the Service CIDRs"}},
    {"FloatingIpOfTwoFamilies",
     Node("floatingIPs: [{external: 172.18.0.50, internal: \"fd00::1\"}]\n"),
     {"3:49 172.18.0.50 and fd00::1 are of different families"}},
    {"FloatingIpTwice",
     Node("floatingIPs:\n- {external: 1.0.0.1, internal: 10.0.0.1}\n"
          "- {external: 1.0.0.1, internal: 10.0.0.2}\n"),
     {"5:14 1.0.0.1 is a floating IP already"},
     "the first one is at 4:14"},
    {"FloatingIpOfItself",
     Node("floatingIPs: [{external: 1.0.0.1, internal: 1.0.0.1}]\n"),
     {"3:45 1.0.0.1 stands for itself"}},
    {"FloatingIpOfFloatingIp",
     Node("floatingIPs:\n- {external: 1.0.0.1, internal: 1.0.0.2}\n"
          "- {external: 1.0.0.2, internal: 10.0.0.2}\n"),
     {"4:33 1.0.0.2 is itself a floating IP"}},
    {"FloatingIpOfTheNode",
     "node: {addresses: [1.0.0.1], uplinks: [a], podDevices: [b]}\n"
     "floatingIPs: [{external: 1.0.0.1, internal: 10.0.0.1}]\n",
     {"2:26 1.0.0.1 is an address of this node"}},
    {"FloatingIpWithoutPod",
     Node("floatingIPs: [{external: 1.0.0.1}]\n"),
     {"3:16 an item of \"floatingIPs\" has no \"internal\""}},
    {"MarksShareBits",
     Node("marks: {masquerade: 0xc000, local: 0x8000}\n"),
     {"3:36 marks \"masquerade\" (0xc000) and \"local\" (0x8000) share 0x8000"}},
    {"MarkSharesWithADefault",
     Node("marks: {masquerade: 0x2}\n"),
     {"3:21 marks \"masquerade\" (0x2) and \"policyForward\" (0x90002) share 0x2"}},
    {"PolicyMarksAlike",
     Node("marks: {policyNat: 0x1, policyForward: 0x3}\n"),
     {"3:40 mark \"policyNat\" (0x1) cannot be told from \"policyForward\" (0x3)"}},
};
INSTANTIATE_TEST_SUITE_P(Together, BrokenConfig, testing::ValuesIn(kTogether), NameOf);

TEST(BrokenConfigs, AllErrorsOfAFileComeInOneRunInItsOrder) {
  const Loaded loaded = LoadText("t.yaml",
                                 "marks: {local: 0}\n"
                                 "node: {uplinks: [a b]}\n"
                                 "subnets: [{cidrs: [10.0.0.1/8], natOutgoing: no}]\n");

  EXPECT_THAT(
      Problems(loaded),
      ElementsAre("1:16 a mark of 0 has no bit to set", "2:8 \"node\" has no \"podDevices\"",
                  "2:18 \"a b\" cannot be a device name: it has a ' ' in it",
                  "3:12 an item of \"subnets\" has no \"name\"",
                  "3:20 10.0.0.1/8 has host bits set", "3:46 \"no\" is neither true nor false"));
}

TEST(BrokenConfigs, AHundredErrorsAreShownAndTheRestCounted) {
  std::string text = kNode;
  text += "otherNodes:\n";
  for (int i = 0; i < 250; ++i) text += "- node\n";

  const Loaded loaded = LoadText("t.yaml", text);

  EXPECT_THAT(loaded.diagnostics, SizeIs(100));
  EXPECT_EQ(loaded.left_out, 150u);
  EXPECT_THAT(loaded.Render(), HasSubstr("t.yaml: 250 errors, the first 100 are shown\n"));
}

TEST(BrokenConfigs, MoreThanTheMapsHoldIsRefused) {
  std::string text = std::string(kNode) + "subnets:\n- name: big\n  natOutgoing: true\n  cidrs:\n";
  for (int i = 0; i < 22000; ++i) text += fmt::format("  - 10.{}.{}.0/24\n", i / 256, i % 256);

  const Loaded loaded = LoadText("t.yaml", text);

  EXPECT_THAT(Problems(loaded),
              ElementsAre("4:9 the sets have more than 65536 members with this subnet"));
}

TEST(BrokenConfigs, AFileThatCannotBeReadIsNamed) {
  const Loaded loaded = LoadFile("/nonexistent.yaml");

  EXPECT_FALSE(loaded);
  EXPECT_EQ(loaded.Render(),
            "/nonexistent.yaml: error: open /nonexistent.yaml: No such file or directory\n"
            "/nonexistent.yaml: 1 error\n");
}

TEST(BrokenConfigs, AnEndlessFileIsTooLong) {
  const Loaded loaded = LoadFile("/dev/zero");

  EXPECT_THAT(Problems(loaded), ElementsAre("1:1 the file is longer than 1048576 bytes"));
}

// A file that an editor has written half of.
TEST(BrokenConfigs, EveryBeginningOfTheExampleEndsInAnAnswer) {
  const std::string text = test::ReadSource("docs/examples/kube-ovn.yaml");
  std::size_t accepted = 0;

  for (std::size_t length = 0; length <= text.size(); ++length) {
    const Loaded loaded = LoadText("t.yaml", text.substr(0, length));
    EXPECT_NE(loaded.config.has_value(), !loaded.diagnostics.empty()) << length;
    accepted += loaded.config.has_value();
  }

  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, text.size());
}

}  // namespace
}  // namespace natrix::config
