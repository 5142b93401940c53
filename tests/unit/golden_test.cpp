// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/golden.h"

#include <gmock/gmock.h>

#include <string>

#include "userspace/config/load.h"
#include "userspace/config/reference.h"

namespace natrix::config {
namespace {

using test::ExpectGolden;
using test::ReadSource;

// tests/golden/config/NAME.yaml, and what a person reads about it in NAME.txt.
class RenderedErrors : public testing::TestWithParam<std::string> {};

TEST_P(RenderedErrors, AreAsReviewed) {
  const std::string base = "tests/golden/config/" + GetParam();

  const Loaded loaded = LoadText(GetParam() + ".yaml", ReadSource(base + ".yaml"));

  EXPECT_FALSE(loaded);
  ExpectGolden(base + ".txt", loaded.Render());
}

INSTANTIATE_TEST_SUITE_P(Golden, RenderedErrors,
                         testing::Values("mistakes", "characters", "syntax"),
                         [](const auto& test_case) { return test_case.param; });

TEST(Reference, TablesOfTheDocumentationAreThoseOfTheParser) {
  ExpectGolden("docs/config.md", WithReferenceTables(ReadSource("docs/config.md")));
}

TEST(Reference, EveryWordIsDocumented) {
  const std::string page = WithReferenceTables(ReadSource("docs/config.md"));

  for (const char* path : {"top",
                           "node",
                           "subnets[]",
                           "subnets[].natOutgoingPolicyRules[]",
                           "subnets[].natOutgoingPolicyRules[].match",
                           "ipvs",
                           "floatingIPs[]",
                           "calico",
                           "calico.ipPools[]",
                           "calico.metadata",
                           "marks",
                           "masquerade",
                           "flows",
                           "metrics",
                           "timeouts",
                           "kubeProxy",
                           "kubeProxy.detectLocal",
                           "kubeProxy.iptables",
                           "services[]",
                           "services[].ports[]",
                           "services[].sessionAffinityConfig",
                           "services[].sessionAffinityConfig.clientIP",
                           "services[].endpoints[]",
                           "services[].endpoints[].hints",
                           "services[].endpoints[].hints.forZones[]"})
    EXPECT_THAT(page, testing::HasSubstr("<!-- words: " + std::string(path) + " -->\n| word "));
}

TEST(Reference, SchemaIsThatOfTheParser) { ExpectGolden("docs/natrix.schema.json", JsonSchema()); }

}  // namespace
}  // namespace natrix::config
