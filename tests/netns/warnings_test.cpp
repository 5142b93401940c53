// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/netns/node.h"

// Where a user meets a warning.
namespace natrix::netns {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kOrdersDiffer = R"(node: {name: node1, uplinks: [eth0], podDevices: [ovn0]}
subnets:
- name: net1
  cidrs: [10.16.0.0/16]
  natOutgoing: true
  natOutgoingPolicyRules:
  - {match: {dstIPs: 192.0.2.0/24}, action: forward}
  - {match: {dstIPs: 192.0.2.7}, action: nat}
)";
constexpr const char* kWarning =
    "node.yaml:8:6: subnet \"net1\": \"nat\" of rule 1 beats \"forward\" of rule 0 at 7:6 where "
    "both "
    "match; as in Kube-OVN's rules";

class WarningsTest : public NodeTest {
 protected:
  static std::size_t Count(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
  }
};

TEST_F(WarningsTest, CheckShowsThemAndIsContent) {
  WriteFile(kOrdersDiffer);

  const auto checked = Natrix({"check", config_path()});

  EXPECT_EQ(checked.status, 0);
  EXPECT_THAT(checked.output, HasSubstr("ok, with warnings"));
  EXPECT_THAT(checked.errors, HasSubstr("node.yaml:8:6: warning: subnet \"net1\""));
  EXPECT_THAT(checked.errors, HasSubstr("    8 |   - {match: {dstIPs: 192.0.2.7}, action: nat}\n"));
}

TEST_F(WarningsTest, CheckHasThemInItsDocument) {
  WriteFile(kOrdersDiffer);

  const Json answer = NatrixJson({"check", config_path()});

  EXPECT_EQ(answer.at("ok"), true);
  EXPECT_EQ(answer.at("errors"), Json::array());
  ASSERT_EQ(answer.at("warnings").size(), 1U);
  EXPECT_EQ(answer.at("warnings")[0].at("line"), 8);
  EXPECT_EQ(answer.at("warnings")[0].at("column"), 6);
  EXPECT_THAT(answer.at("warnings")[0].at("message").get<std::string>(),
              HasSubstr("\"nat\" of rule 1 beats \"forward\" of rule 0 at 7:6"));
  WriteConfig();
  EXPECT_EQ(NatrixJson({"check", config_path()}).at("warnings"), Json::array());
}

TEST_F(WarningsTest, AFileWithErrorsHasBoth) {
  WriteFile(std::string(kOrdersDiffer) + "otherNodes: [node2]\n");

  const Json answer = NatrixJson({"check", config_path()});

  EXPECT_EQ(answer.at("ok"), false);
  EXPECT_EQ(answer.at("errors").size(), 1U);
  EXPECT_EQ(answer.at("warnings").size(), 1U);
  EXPECT_EQ(Natrix({"check", config_path()}).status, 1);
}

TEST_F(WarningsTest, NatrixdLogsEachOnceWheneverItTakesAFileOver) {
  WriteFile(kOrdersDiffer);
  auto daemon = Start();
  EXPECT_EQ(Count(daemon.Output(), kWarning), 1U) << daemon.Output();
  EXPECT_EQ(Count(daemon.Output(), " warning config "), 1U);

  WriteFile("policyOrder: first-match\n" + std::string(kOrdersDiffer));
  const std::size_t from = daemon.Output().size();
  Reload(daemon);
  EXPECT_EQ(Count(daemon.Output().substr(from), " warning config "), 1U);
  EXPECT_THAT(daemon.Output().substr(from), HasSubstr("node.yaml:9:6: subnet \"net1\""));

  WriteConfig();
  const std::size_t later = daemon.Output().size();
  Reload(daemon);
  EXPECT_THAT(daemon.Output().substr(later), Not(HasSubstr(" warning ")));
}

}  // namespace
}  // namespace natrix::netns
