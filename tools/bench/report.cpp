// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace natrix::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string LaneLine(const Measured& measured, const LaneResult& lane) {
  const std::optional<Spread> spread = SpreadOf(lane.samples);
  if (!lane.refused.empty()) return fmt::format("  {:<13} REFUSED: {}\n", lane.lane, lane.refused);
  if (!spread) return {};
  const std::optional<double> ratio = RatioToFloor(measured, lane);
  std::string line =
      fmt::format("  {:<13}{:>10}{:>10}{:>10}", lane.lane, NumberText(spread->median),
                  NumberText(spread->low), NumberText(spread->high));
  if (measured.unit == "ns/packet")
    line += fmt::format("{:>9.2f}", 1000.0 / spread->median);
  else
    line += fmt::format("{:>9}", "");
  line += ratio ? fmt::format("{:>9.2f}", *ratio) : fmt::format("{:>9}", "");
  if (measured.unit == "ns/packet") line += fmt::format("{:>9.2f}", 100 * lane.delivered);
  return line + "\n";
}

std::string CaseText(const Measured& measured) {
  std::string text = fmt::format("{}, IPv{}\n", measured.title, measured.family);
  text += fmt::format("  {:<13}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}\n", measured.unit, "median", "min",
                      "max", measured.unit == "ns/packet" ? "Mpps" : "",
                      measured.floor.empty() ? "" : "x " + measured.floor,
                      measured.unit == "ns/packet" ? "arrived%" : "");
  for (const LaneResult& lane : measured.lanes) text += LaneLine(measured, lane);
  return text + "\n";
}

Json LaneJson(const Measured& measured, const LaneResult& lane) {
  Json json{{"lane", lane.lane}};
  if (const std::optional<Spread> spread = SpreadOf(lane.samples)) {
    json["median"] = spread->median;
    json["min"] = spread->low;
    json["max"] = spread->high;
  }
  const std::optional<double> ratio = RatioToFloor(measured, lane);
  json["ratio_to_floor"] = ratio ? Json(*ratio) : Json(nullptr);
  json["delivered"] = lane.delivered;
  json["refused"] = lane.refused.empty() ? Json(nullptr) : Json(lane.refused);
  json["samples"] = lane.samples;
  return json;
}

Json CaseJson(const Measured& measured) {
  Json json{{"id", measured.id},     {"title", measured.title}, {"family", measured.family},
            {"unit", measured.unit}, {"floor", measured.floor}, {"lanes", Json::array()}};
  for (const LaneResult& lane : measured.lanes) json["lanes"].push_back(LaneJson(measured, lane));
  return json;
}

Json GoalJson(const Judgement& judgement) {
  const Goal& goal = judgement.goal;
  Json json{{"area", goal.area},          {"goal", goal.text},    {"limit", goal.limit},
            {"family", judgement.family}, {"case", goal.case_id}, {"lane", goal.lane}};
  json["measured"] = judgement.measured ? Json(*judgement.measured) : Json(nullptr);
  json["state"] = NameOf(judgement.state);
  if (!judgement.reason.empty()) json["reason"] = judgement.reason;
  return json;
}

}  // namespace

std::string NumberText(double value) {
  if (value >= 100 || value <= -100) return fmt::format("{:.0f}", value);
  if (value >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3g}", value);
}

std::optional<double> RatioToFloor(const Measured& measured, const LaneResult& lane) {
  const LaneResult* floor = measured.Find(measured.floor);
  if (!floor || !floor->IsUsable() || !lane.IsUsable()) return std::nullopt;
  return MedianRatio(lane.samples, floor->samples);
}

std::vector<Judgement> JudgeAll(const Results& results, const std::vector<int>& families) {
  std::vector<Judgement> judgements;
  for (const Goal& goal : Goals())
    for (const int family : families)
      if (family != goal.against_family) judgements.push_back(Judge(goal, family, results));
  return judgements;
}

std::string TableText(const Results& results) {
  std::string text;
  for (const Measured& measured : results.cases) text += CaseText(measured);
  return text;
}

std::string GoalText(const std::vector<Judgement>& judgements) {
  std::string text = fmt::format("{:<40} {:<55} {:>4} {:>9} {:>9}  {}\n", "goal", "", "IPv",
                                 "limit", "measured", "");
  std::string area;
  for (const Judgement& judgement : judgements) {
    const Goal& goal = judgement.goal;
    text += fmt::format(
        "{:<40} {:<55} {:>4} {:>9} {:>9}  {}{}\n", goal.area == area ? "" : goal.area, goal.text,
        judgement.family, NumberText(goal.limit),
        judgement.measured ? NumberText(*judgement.measured) : "-", NameOf(judgement.state),
        judgement.reason.empty() ? "" : ": " + judgement.reason);
    area = goal.area;
  }
  return text;
}

std::string JsonText(const Circumstances& circumstances, const Results& results,
                     const std::vector<Judgement>& judgements) {
  Json json{{"format", 1},
            {"machine",
             {{"kernel", circumstances.kernel},
              {"processor", circumstances.processor},
              {"cores", circumstances.cores},
              {"load", circumstances.load}}},
            {"command", circumstances.command},
            {"rounds", circumstances.rounds},
            {"packets", circumstances.packets},
            {"cases", Json::array()},
            {"goals", Json::array()}};
  for (const Measured& measured : results.cases) json["cases"].push_back(CaseJson(measured));
  for (const Judgement& judgement : judgements) json["goals"].push_back(GoalJson(judgement));
  return json.dump(1) + "\n";
}

}  // namespace natrix::bench
