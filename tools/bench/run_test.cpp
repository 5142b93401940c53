// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/process.h"

// The tool as users run it, as small as it gets.  Its figures are of no interest here: they come
// from whatever else the machine was doing.
namespace natrix::bench {
namespace {

using Json = nlohmann::json;
using support::Argv;

struct Ran {
  int status = 0;
  std::string output;
  Json json;
};

Ran RunTiny(Argv words) {
  const UniqueFd file(::memfd_create("bench.json", MFD_CLOEXEC));
  const std::string path =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.get());
  Argv argv{NATRIX_BENCH, "--tiny", "--json", path};
  argv.insert(argv.end(), words.begin(), words.end());
  const support::Finished done =
      support::TryCommand(nullptr, argv, {}, support::milliseconds(600000));
  std::ifstream written(path);
  Ran ran{done.status, done.output + done.errors, Json::parse(written, nullptr, false)};
  EXPECT_FALSE(ran.json.is_discarded()) << ran.output;
  return ran;
}

const Json* LaneOf(const Json& measured, const std::string& name) {
  for (const Json& lane : measured.at("lanes"))
    if (lane.at("lane") == name) return &lane;
  return nullptr;
}

void ExpectUsable(const Json& measured, const std::string& name) {
  const std::string where = measured.at("id").get<std::string>() + " " +
                            std::to_string(measured.at("family").get<int>()) + " " + name;
  const Json* lane = LaneOf(measured, name);
  ASSERT_TRUE(lane) << where;
  EXPECT_TRUE(lane->at("refused").is_null()) << where << ": " << lane->dump();
  EXPECT_GE(lane->at("delivered").get<double>(), 0.99) << where;
  EXPECT_GT(lane->at("median").get<double>(), 0) << where;
  EXPECT_LE(lane->at("min").get<double>(), lane->at("median").get<double>()) << where;
  EXPECT_GE(lane->at("max").get<double>(), lane->at("median").get<double>()) << where;
  EXPECT_GT(lane->at("ratio_to_floor").get<double>(), 0) << where;
}

TEST(BenchRun, EveryLaneDeliversInBothFamilies) {
  const Ran ran = RunTiny({"--only", "masquerade"});
  EXPECT_EQ(ran.status, 0) << ran.output;
  std::vector<int> families;
  for (const Json& measured : ran.json.at("cases")) {
    families.push_back(measured.at("family"));
    for (const char* lane :
         {"X", "T", "K", "legacy", "iptables-nft", "nft", "natrix", "natrix-xdp"})
      ExpectUsable(measured, lane);
  }
  EXPECT_THAT(families, testing::UnorderedElementsAre(4, 6));
  EXPECT_THAT(ran.output, testing::HasSubstr("established masquerade, 1k flows"));
}

TEST(BenchRun, EveryAreaIsMeasuredAndNothingRefused) {
  const Ran ran = RunTiny({"--family", "6"});
  EXPECT_EQ(ran.status, 0) << ran.output;
  std::vector<std::string> ids;
  for (const Json& measured : ran.json.at("cases")) {
    ids.push_back(measured.at("id"));
    for (const Json& lane : measured.at("lanes")) {
      const std::string where = ids.back() + ": " + lane.dump();
      EXPECT_TRUE(lane.at("refused").is_null()) << where;
      EXPECT_FALSE(lane.at("samples").empty()) << where;
    }
  }
  EXPECT_THAT(ids, testing::IsSupersetOf(
                       {"masquerade-1k", "pod-1k", "service-10-last", "prefixes-10", "policies-100",
                        "services-100", "load-services", "load-services-read", "load-prefixes",
                        "change-p99", "change-delivered", "flood-full", "flood-delivered",
                        "connect-close", "latency-p99", "bulk-1"}));
}

// Without its rules a lane sends packets on with the sender's own address, and in less time: that
// must never become a figure.
TEST(BenchRun, ALaneThatDoesNotTranslateIsRefused) {
  for (const char* broken : {"natrix", "legacy", "natrix-xdp"}) {
    const Ran ran = RunTiny({"--only", "masquerade", "--family", "4", "--break", broken});
    EXPECT_EQ(ran.status, 1) << ran.output;
    const Json& measured = ran.json.at("cases").at(0);
    const Json* lane = LaneOf(measured, broken);
    ASSERT_TRUE(lane);
    EXPECT_TRUE(lane->at("refused").is_string()) << lane->dump();
    EXPECT_TRUE(lane->at("ratio_to_floor").is_null());
    ExpectUsable(measured, "K");
    for (const Json& goal : ran.json.at("goals")) {
      if (goal.at("case") != measured.at("id") || goal.at("lane") != broken) continue;
      EXPECT_EQ(goal.at("state"), "not measured") << goal.dump();
    }
  }
}

// Which file of which program, and what packets were counted as.
TEST(BenchRun, TheProfileTellsStages) {
  const Ran ran = RunTiny({"--only", "masquerade", "--family", "4", "--cases", "masquerade-1k",
                           "--lanes", "T,natrix", "--profile"});
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, testing::ContainsRegex("[0-9.]+  nx_pod_in bpf/stage/[a-z_]+.h"));
  EXPECT_THAT(ran.output, testing::ContainsRegex("[0-9]+ packets counted as SHORT_CUT"));
  EXPECT_EQ(ran.json.at("cases").size(), 1U);
  EXPECT_EQ(ran.json.at("cases").at(0).at("lanes").size(), 2U);
}

TEST(BenchRun, ABadCommandLineSaysSo) {
  const support::Finished done = support::TryCommand(nullptr, {NATRIX_BENCH, "--family", "5"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.errors, testing::HasSubstr("--family"));
}

}  // namespace
}  // namespace natrix::bench
