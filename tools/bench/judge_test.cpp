// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tools/bench/chart.h"
#include "tools/bench/document.h"
#include "tools/bench/goals.h"
#include "tools/bench/report.h"
#include "tools/bench/stats.h"

namespace natrix::bench {
namespace {

using testing::DoubleEq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

TEST(BenchStats, MedianOfOddAndEvenNumbers) {
  EXPECT_DOUBLE_EQ(SpreadOf({9, 1, 5})->median, 5);
  EXPECT_DOUBLE_EQ(SpreadOf({8, 1, 5, 3})->median, 4);
  EXPECT_DOUBLE_EQ(SpreadOf({8, 1, 5, 3})->low, 1);
  EXPECT_DOUBLE_EQ(SpreadOf({8, 1, 5, 3})->high, 8);
  EXPECT_FALSE(SpreadOf({}));
}

// A round in which the machine was twice as slow is in both, and so in no ratio.
TEST(BenchStats, RatioIsOfTheSameRound) {
  EXPECT_THAT(MedianRatio({200, 400, 210}, {100, 200, 100}), Optional(DoubleEq(2.0)));
  EXPECT_THAT(MedianDifference({150, 350, 160}, {100, 300, 105}), Optional(DoubleEq(50)));
}

TEST(BenchStats, NoRatioOfDifferentRoundsOrOfNothing) {
  EXPECT_FALSE(MedianRatio({1, 2}, {1}));
  EXPECT_FALSE(MedianRatio({1, 2}, {1, 0}));
  EXPECT_FALSE(MedianRatio({}, {}));
  EXPECT_FALSE(MedianDifference({1}, {1, 2}));
}

class BenchGoals : public testing::Test {
 protected:
  BenchGoals() {
    Measured measured{.id = "case", .unit = "ns/packet", .floor = "T"};
    measured.Lane("T").samples = {100, 100, 100};
    measured.Lane("natrix").samples = {120, 120, 130};
    measured.Lane("legacy").samples = {240, 250, 240};
    results_.cases = {measured};
  }

  Judgement Of(Compare compare, double limit, const std::string& against) const {
    return Judge({.case_id = "case",
                  .lane = "natrix",
                  .compare = compare,
                  .limit = limit,
                  .against = against},
                 4, results_);
  }

  Results results_;
};

TEST_F(BenchGoals, ALimitIsMetWhenItIsReached) {
  EXPECT_EQ(Of(Compare::kRatioAtMost, 1.20, "T").state, State::kMet);
  EXPECT_EQ(Of(Compare::kRatioAtMost, 1.19, "T").state, State::kMissed);
  EXPECT_EQ(Of(Compare::kRatioAtLeast, 1.20, "T").state, State::kMet);
  EXPECT_EQ(Of(Compare::kRatioAtLeast, 1.21, "T").state, State::kMissed);
}

TEST_F(BenchGoals, ASpeedupIsHowManyTimesLessItCosts) {
  const Judgement met = Of(Compare::kSpeedupAtLeast, 2.0, "legacy");
  EXPECT_THAT(met.measured, Optional(DoubleEq(2.0)));
  EXPECT_EQ(met.state, State::kMet);
  EXPECT_EQ(Of(Compare::kSpeedupAtLeast, 2.1, "legacy").state, State::kMissed);
}

TEST_F(BenchGoals, DifferencesAndValuesAreInTheUnitOfTheCase) {
  EXPECT_EQ(Of(Compare::kDifferenceAtMost, 20, "T").state, State::kMet);
  EXPECT_EQ(Of(Compare::kDifferenceAtMost, 19, "T").state, State::kMissed);
  EXPECT_EQ(Of(Compare::kValueAtMost, 120, "").state, State::kMet);
  EXPECT_EQ(Of(Compare::kValueAtMost, 119, "").state, State::kMissed);
  EXPECT_EQ(Of(Compare::kValueAtLeast, 120, "").state, State::kMet);
  EXPECT_EQ(Of(Compare::kValueAtLeast, 121, "").state, State::kMissed);
}

TEST_F(BenchGoals, WhatWasRefusedIsNotMeasuredAndSaysWhy) {
  results_.cases[0].Lane("T").refused = "half of it was lost";
  const Judgement judgement = Of(Compare::kRatioAtMost, 1.20, "T");
  EXPECT_EQ(judgement.state, State::kNotMeasured);
  EXPECT_FALSE(judgement.measured);
  EXPECT_THAT(judgement.reason, HasSubstr("half of it was lost"));
  EXPECT_TRUE(results_.HasRefused());
}

TEST_F(BenchGoals, WhatDidNotRunIsNotMeasuredAndSaysSo) {
  EXPECT_THAT(Of(Compare::kRatioAtMost, 1, "P").reason, HasSubstr("lane P"));
  EXPECT_EQ(Judge({.case_id = "case", .lane = "natrix"}, 6, results_).state, State::kNotMeasured);
  const Judgement absent =
      Judge({.case_id = "case", .lane = "natrix", .absent = "no XDP"}, 4, results_);
  EXPECT_EQ(absent.reason, "no XDP");
}

TEST_F(BenchGoals, OtherCasesAreComparedRoundByRound) {
  Measured many = results_.cases[0];
  many.id = "many";
  many.Lane("natrix").samples = {132, 132, 143};
  results_.cases.push_back(many);
  const Judgement judgement = Judge({.case_id = "many",
                                     .lane = "natrix",
                                     .compare = Compare::kRatioAtMost,
                                     .limit = 1.03,
                                     .against = "natrix",
                                     .against_case = "case"},
                                    4, results_);
  EXPECT_THAT(judgement.measured, Optional(testing::DoubleNear(1.1, 1e-9)));
  EXPECT_EQ(judgement.state, State::kMissed);
}

TEST_F(BenchGoals, OneFamilyIsComparedWithTheOther) {
  Measured v6 = results_.cases[0];
  v6.family = 6;
  v6.Lane("natrix").samples = {126, 126, 130};
  results_.cases.push_back(v6);
  const Judgement judgement = Judge({.case_id = "case",
                                     .lane = "natrix",
                                     .compare = Compare::kRatioAtMost,
                                     .limit = 1.1,
                                     .against = "natrix",
                                     .against_family = 4},
                                    6, results_);
  EXPECT_THAT(judgement.measured, Optional(DoubleEq(1.05)));
  EXPECT_EQ(judgement.state, State::kMet);
}

TEST_F(BenchGoals, AChartLeavesOutWhatWasRefused) {
  results_.cases[0].Lane("legacy").refused = "lost";
  const Chart chart = ChartOf(results_, "a < b", {"case", "never-run"}, 4, false);
  ASSERT_EQ(chart.groups.size(), 1U);
  EXPECT_EQ(chart.groups[0].bars.size(), 2U);
  const std::string svg = SvgText(chart);
  EXPECT_THAT(svg, HasSubstr("a &lt; b, IPv4"));
  EXPECT_THAT(svg, HasSubstr("class=\"natrix\""));
  EXPECT_THAT(svg, testing::Not(HasSubstr("legacy")));
}

// The longest bar takes the room there is; by logarithms a quarter is not a quarter as long.
TEST_F(BenchGoals, BarsAreAsLongAsTheirValues) {
  Chart chart{.title = "t", .unit = "ns", .groups = {}};
  chart.groups.push_back({"g", {{"a", {25, 25, 25}}, {"b", {100, 100, 100}}}});
  EXPECT_THAT(SvgText(chart), HasSubstr("width=\"137.5\""));
  EXPECT_THAT(SvgText(chart), HasSubstr("width=\"550.0\""));
  chart.logarithmic = true;
  EXPECT_THAT(SvgText(chart), HasSubstr("width=\"183.3\""));
  EXPECT_THAT(SvgText(chart), HasSubstr("width=\"550.0\""));
}

TEST_F(BenchGoals, TheDocumentKeepsWhatPeopleWrote) {
  const std::string fragment = MarkdownText({}, results_, JudgeAll(results_, {4}));
  EXPECT_THAT(fragment, HasSubstr("| natrix | 120 | 120 to 130 | 1.20 |"));
  EXPECT_EQ(Replaced("a\n<!-- measured -->\nold\n<!-- end -->\nb\n", "new\n"),
            "a\n<!-- measured -->\nnew\n<!-- end -->\nb\n");
  EXPECT_FALSE(Replaced("no marks", "new\n"));
  EXPECT_FALSE(Replaced("<!-- measured -->\n", "new\n"));
}

TEST_F(BenchGoals, TheTableShowsARefusedLaneWithoutFigures) {
  results_.cases[0].Lane("legacy").refused = "12.00 % arrived";
  const std::string table = TableText(results_);
  EXPECT_THAT(table, HasSubstr("legacy        REFUSED: 12.00 % arrived"));
  EXPECT_THAT(table, HasSubstr("1.20"));
  EXPECT_THAT(table, testing::Not(HasSubstr("240")));
}

TEST_F(BenchGoals, JsonHoldsEverySampleAndEveryGoal) {
  const auto json = nlohmann::json::parse(JsonText({}, results_, JudgeAll(results_, {4, 6})));
  EXPECT_EQ(json["cases"][0]["lanes"][1]["samples"].size(), 3U);
  EXPECT_TRUE(json["cases"][0]["lanes"][1]["refused"].is_null());
  EXPECT_DOUBLE_EQ(json["cases"][0]["lanes"][1]["ratio_to_floor"], 1.2);
  std::size_t judged = 0;
  for (const Goal& goal : Goals()) judged += goal.against_family == 0 ? 2 : 1;
  EXPECT_EQ(json["goals"].size(), judged);
}

// A goal without a case would be "not measured" for ever, silently.
TEST(BenchGoalList, EveryGoalCanBeJudgedOrSaysWhyNot) {
  for (const Goal& goal : Goals()) {
    EXPECT_THAT(goal.area, testing::Not(IsEmpty()));
    EXPECT_THAT(goal.text, testing::Not(IsEmpty()));
    EXPECT_GT(goal.limit, 0) << goal.area;
    EXPECT_NE(goal.case_id.empty(), goal.absent.empty()) << goal.area << ": " << goal.text;
  }
}

}  // namespace
}  // namespace natrix::bench
