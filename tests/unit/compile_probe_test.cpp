// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "userspace/compile/compile.h"

namespace natrix::compile {
namespace {

using model::Address;

Address Addr(const std::string& text) { return Address::Parse(text).value(); }

model::Config Config() {
  model::Config config;
  config.node.addresses = {Addr("172.18.0.3"), Addr("fd00::3")};
  config.tproxy.on_ip = {Addr("172.18.0.9"), Addr("fd00::9")};
  config.tproxy.probes = {{Addr("10.241.39.2"), 80}, {Addr("fd00:241::2"), 8080}};
  return config;
}

TEST(CompileProbes, EachGoesToTheProxyOfItsFamily) {
  const auto table = Compile(Config(), {}).probe;

  ASSERT_EQ(table.size(), 2u);
  const auto v4 = table.find({Addr("10.241.39.2").bytes, __builtin_bswap16(80), 0});
  const auto v6 = table.find({Addr("fd00:241::2").bytes, __builtin_bswap16(8080), 0});
  ASSERT_NE(v4, table.end());
  ASSERT_NE(v6, table.end());
  EXPECT_EQ(Address{v4->second.proxy}.ToString(), "172.18.0.9");
  EXPECT_EQ(Address{v6->second.proxy}.ToString(), "fd00::9");
  for (const auto& [key, probe] : table) {
    EXPECT_EQ(probe.proxy_port, __builtin_bswap16(8102));
    EXPECT_EQ(probe.mark_output, 0x90003u);
    EXPECT_EQ(probe.mark_prerouting, 0x90004u);
  }
}

TEST(CompileProbes, TheirMarksAreNotAPodsToSet) {
  model::Config config = Config();
  EXPECT_EQ(Compile(config, {}).config.mark_untrusted & 0x90007, 0x90007u);

  config.tproxy.probes.clear();

  EXPECT_EQ(Compile(config, {}).config.mark_untrusted & 0x4, 0u);
  EXPECT_TRUE(Compile(config, {}).probe.empty());
}

TEST(CompileProbes, AreNoMembersOfAnySet) {
  EXPECT_TRUE(Compile(Config(), {}).net.empty());
  EXPECT_EQ(Compile(Config(), {}).set.entries(), 0U);
}

}  // namespace
}  // namespace natrix::compile
