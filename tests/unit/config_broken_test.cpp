// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/broken.h"
#include "tests/unit/golden.h"
#include "userspace/config/load.h"

namespace natrix::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

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
    {"OverlongUtf8OfThreeBytes", "a: \xe0\x80\xaf\n", {"1:4 byte 0xe0 is not UTF-8 text"}},
    {"Surrogate", "a: \xed\xa0\x80\n", {"1:4 byte 0xed is not UTF-8 text"}},
    {"BeyondUnicode", "a: \xf4\x90\x80\x80\n", {"1:4 byte 0xf4 is not UTF-8 text"}},
    {"CutShortUtf8", "a: \xe2\x82", {"1:4 byte 0xe2 is not UTF-8 text"}},
    {"Utf16", std::string("\xff\xfen\0o\0", 6), {"1:1 byte 0xff is not UTF-8 text"}},
    {"TooLong", std::string(65 * 1024 * 1024, 'a'), {"1:1 the file is longer than 67108864 bytes"}},
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
    {"BlockScalarHeader",
     Node("otherNodes:\n- 10.0.0.1\n- |0.0.0.2\n"),
     {"4:11 what follows here is not YAML"}},
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
     Node("subnets: [{name: a, cidrs: [10.0.0.0/8], u2oInterconnection: true}]\n"),
     {"3:42 unknown key \"u2oInterconnection\" in an item of \"subnets\""},
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

TEST(BrokenConfigs, MoreCidrsThanTheMapsHoldAreRefused) {
  std::string text = std::string(kNode) + "subnets:\n- name: big\n  natOutgoing: true\n  cidrs:\n";
  for (int i = 0; i < 22000; ++i) text += fmt::format("  - 10.{}.{}.0/24\n", i / 256, i % 256);

  const Loaded loaded = LoadText("t.yaml", text);

  // Line 7 holds the first CIDR; each is in three sets, and 3 * 21845 is 65535.
  EXPECT_THAT(Problems(loaded),
              ElementsAre("4102:5 one too many: there can be 4095 CIDRs of subnets",
                          "21852:5 one too many: the sets hold 65536 members"));
}

TEST(BrokenConfigs, MoreFloatingIpsThanTheMapsHoldAreRefused) {
  std::string text = std::string(kNode) + "floatingIPs:\n";
  for (int i = 0; i < 8193; ++i)
    text += fmt::format("- {{external: 1.0.{0}.{1}, internal: 2.0.{0}.{1}}}\n", i / 256, i % 256);

  const Loaded loaded = LoadText("t.yaml", text);

  EXPECT_THAT(Problems(loaded),
              ElementsAre("8196:14 one too many: there can be 8192 floating IPs"));
}

// What a bad disk or a merge conflict makes of a file: bytes changed, lost or doubled.
TEST(BrokenConfigs, EveryDamagedExampleEndsInAnAnswer) {
  const std::string whole = test::ReadSource("docs/examples/kube-ovn.yaml");
  std::minstd_rand random(1);
  const std::string bytes = "\n\t {}[]:,-#&*!|>'\"%@`~\\0a9./\xc3\x01";

  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (auto edits = random() % 4 + 1; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      const std::size_t length = random() % 20;
      if (random() % 3 == 0)
        text.erase(at, length);
      else if (random() % 2 == 0)
        text.insert(at, text.substr(random() % text.size(), length));
      else
        text[at] = bytes[random() % bytes.size()];
    }
    const Loaded loaded = LoadText("t.yaml", text);
    ASSERT_NE(loaded.config.has_value(), !loaded.diagnostics.empty()) << text;
    for (const Diagnostic& d : loaded.diagnostics) ASSERT_GT(d.line, 0) << text;
  }
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

  EXPECT_THAT(Problems(loaded), ElementsAre("1:1 the file is longer than 67108864 bytes"));
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
