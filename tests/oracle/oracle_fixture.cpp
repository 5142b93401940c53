// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/oracle_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "tests/support/checksum.h"

namespace natrix::oracle {

using support::VerifyChecksums;

namespace {

EngineKind KindFrom(const char* variable, EngineKind fallback) {
  const char* text = std::getenv(variable);
  return text ? ParseEngine(text).value() : fallback;
}

testing::AssertionResult Fail(const Exchange& exchange, const std::string& why) {
  return testing::AssertionFailure() << why << "\n" << exchange.transcript();
}

enum class Chooser {
  kKernel,  // draws from all ports of a class, the old one among them
  kNatrix,  // never takes the old one
};

std::string Mismatch(const Seen& seen, const Arrival& expected, std::uint16_t sent_port,
                     Chooser chooser) {
  const auto layers = support::Dissect(seen.frame);
  if (!layers) return "something unreadable arrives";
  if (seen.place != expected.place) return std::string("expected at ") + NameOf(expected.place);
  if (layers->src != expected.src) return "expected from " + expected.src;
  if (layers->dst != expected.dst) return "expected to " + expected.dst;
  const bool changed = SourcePort(seen.frame) != sent_port;
  if (changed && !expected.port_changed) return "expected the port it was sent with";
  if (!changed && expected.port_changed && chooser == Chooser::kNatrix)
    return "expected another port";
  if (seen.mark != expected.mark) return "expected another mark";
  if (VerifyChecksums(seen.frame).AnyBad()) return "expected right checksums";
  return {};
}

testing::AssertionResult Shows(const Exchange& exchange, const std::vector<Seen>& side,
                               const std::optional<Arrival>& expected, Chooser chooser) {
  if (side.size() != (expected ? 1U : 0U))
    return Fail(exchange, expected ? "expected one packet" : "expected nothing to arrive");
  const std::string trouble =
      expected ? Mismatch(side[0], *expected, exchange.sent_port(), chooser) : std::string();
  return trouble.empty() ? testing::AssertionSuccess() : Fail(exchange, trouble);
}

}  // namespace

EngineKind JudgeKind() { return KindFrom("NATRIX_ORACLE_LEFT", EngineKind::kLegacy); }

Oracle::Oracle() : Oracle(LoadConfig(ExamplePath())) {}

Oracle::Oracle(const model::Config& config, const Scene::Options& scene)
    : nodes_(JudgeKind(), KindFrom("NATRIX_ORACLE_RIGHT", EngineKind::kNatrix), scene),
      exchange_(nodes_) {
  nodes_.Apply(config);
}

void Oracle::TearDown() {
  if (std::getenv("NATRIX_ORACLE_VERBOSE")) std::cout << exchange_.transcript();
}

void Oracle::Change(const std::string& subnet, const std::function<void(model::Subnet&)>& change) {
  model::Config config = nodes_.config();
  const auto found = std::ranges::find(config.subnets, subnet, &model::Subnet::name);
  ASSERT_NE(found, config.subnets.end()) << subnet;
  change(*found);
  nodes_.Apply(config);
}

PacketSpec Oracle::Tcp(const std::string& src, const std::string& dst, std::uint8_t flags) const {
  return {.src = src,
          .dst = dst,
          .protocol = support::kTcp,
          .sport = 40000,
          .dport = 80,
          .tcp_flags = flags};
}

PacketSpec Oracle::Udp(const std::string& src, const std::string& dst) const {
  return {.src = src,
          .dst = dst,
          .protocol = support::kUdp,
          .sport = 40000,
          .dport = 53,
          .payload = 20};
}

PacketSpec Oracle::Echo(const std::string& src, const std::string& dst) const {
  return {
      .src = src, .dst = dst, .protocol = support::kIcmp, .sport = 4711, .dport = 1, .payload = 20};
}

testing::AssertionResult Agree(const Exchange& exchange) {
  if (!exchange.agreed()) return Fail(exchange, "the two nodes differ");
  return testing::AssertionSuccess();
}

testing::AssertionResult Arrives(const Exchange& exchange, const Arrival& expected) {
  if (!exchange.agreed()) return Fail(exchange, "the two nodes differ");
  const auto& last = exchange.last();
  if (last.left.size() != 1) return Fail(exchange, "expected one packet");
  if (const auto left = LeftShows(exchange, expected); !left) return left;
  return RightShows(exchange, expected);
}

testing::AssertionResult LeftShows(const Exchange& exchange,
                                   const std::optional<Arrival>& expected) {
  return Shows(exchange, exchange.last().left, expected, Chooser::kKernel);
}

testing::AssertionResult RightShows(const Exchange& exchange,
                                    const std::optional<Arrival>& expected) {
  return Shows(exchange, exchange.last().right, expected, Chooser::kNatrix);
}

testing::AssertionResult Vanishes(const Exchange& exchange) {
  if (!exchange.agreed()) return Fail(exchange, "the two nodes differ");
  if (!exchange.last().left.empty()) return Fail(exchange, "expected nothing to arrive");
  return testing::AssertionSuccess();
}

}  // namespace natrix::oracle
