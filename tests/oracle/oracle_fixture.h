// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "tests/oracle/exchange.h"
#include "tests/oracle/two_nodes.h"

namespace natrix::oracle {

// The judge: iptables-legacy, or what NATRIX_ORACLE_LEFT says.
EngineKind JudgeKind();

// Two nodes under the example configuration, in one family.  The left engine is iptables-legacy,
// or what NATRIX_ORACLE_LEFT says; the right one natrix, or NATRIX_ORACLE_RIGHT.  With
// NATRIX_ORACLE_VERBOSE set, every test prints what happened.
class Oracle : public testing::TestWithParam<Family> {
 protected:
  Oracle();
  // The same under another configuration.
  explicit Oracle(const model::Config& config, const Scene::Options& scene = {});
  void TearDown() override;

  Family family() const { return GetParam(); }
  const Cast& cast() const { return CastOf(family()); }
  PacketSpec Tcp(const std::string& src, const std::string& dst, std::uint8_t flags) const;
  PacketSpec Udp(const std::string& src, const std::string& dst) const;
  PacketSpec Echo(const std::string& src, const std::string& dst) const;

  // Puts the configuration in force with one of its subnets changed.
  void Change(const std::string& subnet, const std::function<void(model::Subnet&)>& change);

  TwoNodes nodes_;
  Exchange exchange_;
};

#define ORACLE_FAMILIES(suite)                                        \
  INSTANTIATE_TEST_SUITE_P(                                           \
      Families, suite, testing::Values(Family::kIpv4, Family::kIpv6), \
      [](const auto& param) { return param.param == Family::kIpv4 ? "IPv4" : "IPv6"; })

// What a step must have come to, on both sides.
struct Arrival {
  Place place = Place::kOutside;
  std::string src;
  std::string dst;
  bool port_changed = false;  // or the echo identifier, from what was sent
  std::uint32_t mark = 0;
};
// gtest predicates: success, or the transcript with what was expected.
testing::AssertionResult Arrives(const Exchange& exchange, const Arrival& expected);
testing::AssertionResult Vanishes(const Exchange& exchange);
// What one side came to, where the two are meant to differ; nullopt: nothing arrives.
testing::AssertionResult LeftShows(const Exchange& exchange,
                                   const std::optional<Arrival>& expected);
testing::AssertionResult RightShows(const Exchange& exchange,
                                    const std::optional<Arrival>& expected);
// Both sides agree, on whatever it is.
testing::AssertionResult Agree(const Exchange& exchange);

}  // namespace natrix::oracle
