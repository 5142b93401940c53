// SPDX-License-Identifier: Apache-2.0
//
// A packet does not get dearer, in terms of what the kernel alone takes in the same moment.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <tuple>

#include "tests/support/process.h"
#include "userspace/base/unique_fd.h"

namespace natrix::guard {
namespace {

using Json = nlohmann::json;

const char* const kFile = NATRIX_SOURCE_DIR "/tests/golden/ratios.txt";
// Other machines have other caches and other neighbours.  What this guards against, a stage that
// asks the kernel for a route or takes a detour for every packet, is more than that.
constexpr double kSlack = 1.2;
constexpr int kAttempts = 3;

using Ratios = std::map<std::pair<std::string, int>, double>;  // by case and family

std::string RunBench(const std::string& cases, const support::Argv& words, Json* json) {
  const UniqueFd file(::memfd_create("bench.json", MFD_CLOEXEC));
  const std::string path = fmt::format("/proc/{}/fd/{}", ::getpid(), file.get());
  support::Argv argv{NATRIX_BENCH, "--only",    "masquerade,pod", "--cases",
                     cases,        "--lanes",   "T,P,K,natrix",   "--json",
                     path,         "--packets", "32768"};
  std::ranges::copy(words, std::back_inserter(argv));
  const support::Finished done =
      support::TryCommand(nullptr, argv, {}, support::milliseconds(240000));
  EXPECT_EQ(done.status, 0) << done.output << done.errors;
  std::ifstream written(path);
  *json = Json::parse(written, nullptr, false);
  return done.output;
}

// Noise makes a sample dearer, never cheaper: the least of each side are compared.
double Least(const Json& measured, const std::string& lane) {
  for (const Json& one : measured.at("lanes"))
    if (one.at("lane") == lane && one.contains("min")) return one.at("min");
  ADD_FAILURE() << lane << " has no figure: " << measured.dump();
  return 1;
}

// The least that each case cost so far, and its floor.
struct Costs {
  double natrix = std::numeric_limits<double>::infinity();
  double floor = std::numeric_limits<double>::infinity();
};
using AllCosts = std::map<std::pair<std::string, int>, Costs>;

void Take(const Json& json, AllCosts& all) {
  for (const Json& measured : json.at("cases")) {
    Costs& costs = all[{measured.at("id"), measured.at("family")}];
    costs.natrix = std::min(costs.natrix, Least(measured, "natrix"));
    costs.floor = std::min(costs.floor, Least(measured, measured.at("floor")));
  }
}

Ratios RatiosOf(const AllCosts& all) {
  Ratios ratios;
  for (const auto& [of, costs] : all) ratios[of] = costs.natrix / costs.floor;
  return ratios;
}

Ratios Blessed() {
  Ratios ratios;
  std::ifstream file(kFile);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id;
    int family = 0;
    double ratio = 0;
    if (words >> id >> family >> ratio) ratios[{id, family}] = ratio;
  }
  return ratios;
}

std::string TextOf(const Ratios& ratios) {
  std::string text =
      "# case, family, times its floor: tools/bless --ratios writes it, on a quiet machine.\n";
  for (const auto& [of, ratio] : ratios)
    text += fmt::format("{} {} {:.2f}\n", of.first, of.second, ratio);
  return text;
}

// "masquerade-1k, IPv4: ..." of each that is too dear.
std::vector<std::string> TooDear(const Ratios& blessed, const Ratios& now, std::string& cases) {
  std::vector<std::string> lines;
  cases.clear();
  for (const auto& [of, ratio] : now) {
    const auto was = blessed.find(of);
    if (was != blessed.end() && ratio <= was->second * kSlack) continue;
    lines.push_back(fmt::format("{}, IPv{}: {:.2f} times its floor, was {:.2f}, allowed {:.2f}",
                                of.first, of.second, ratio, was == blessed.end() ? 0 : was->second,
                                was == blessed.end() ? 0 : was->second * kSlack));
    cases += (cases.empty() ? "" : ",") + of.first;
  }
  return lines;
}

TEST(Guard, PacketsDoNotGetDearer) {
  const char* bless = std::getenv("NATRIX_BLESS");
  const bool blessing = bless && std::string(bless) == "1";
  const Ratios blessed = Blessed();
  std::string cases = "masquerade-1k,pod-1k,pass-through";
  AllCosts costs;
  Ratios now;
  std::vector<std::string> dear;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Json json;
    RunBench("masquerade-1k,pod-1k,pass-through", {"--rounds", "7"}, &json);
    ASSERT_FALSE(json.is_discarded());
    Take(json, costs);
    now = RatiosOf(costs);
    dear = TooDear(blessed, now, cases);
    if (dear.empty() && !blessing) break;
  }
  fmt::print("{}", TextOf(now));
  ASSERT_EQ(now.size(), 6U);
  if (blessing) {
    ASSERT_TRUE((std::ofstream(kFile) << TextOf(now)).flush());
    return;
  }
  if (dear.empty()) return;
  Json json;
  const std::string profile = RunBench(cases, {"--rounds", "3", "--profile"}, &json);
  const std::size_t goals = profile.find("\ngoal ");
  const std::size_t from = goals == profile.npos ? 0 : profile.find("\n\n", goals);
  EXPECT_THAT(dear, testing::IsEmpty())
      << "Where its time goes:" << profile.substr(from == profile.npos ? 0 : from);
}

}  // namespace
}  // namespace natrix::guard
