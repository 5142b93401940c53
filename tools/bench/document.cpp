// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/document.h"

#include <fmt/core.h>

#include "tools/bench/chart.h"

namespace natrix::bench {
namespace {

constexpr std::string_view kBegin = "<!-- measured -->\n";
constexpr std::string_view kEnd = "<!-- end -->";

std::string GoalRows(const std::vector<Judgement>& judgements) {
  std::string text = "| case | goal | limit | IPv4 | IPv6 | |\n|---|---|---|---|---|---|\n";
  // A goal's judgements stand next to each other, one for each family.
  for (std::size_t i = 0; i < judgements.size();) {
    const Goal& goal = judgements[i].goal;
    std::string measured[2] = {"-", "-"};
    std::string states;
    for (; i < judgements.size() && judgements[i].goal.area == goal.area &&
           judgements[i].goal.text == goal.text;
         ++i) {
      const Judgement& one = judgements[i];
      if (one.measured) measured[one.family == 6] = NumberText(*one.measured);
      const std::string state =
          NameOf(one.state) + (one.reason.empty() ? "" : " (" + one.reason + ")");
      if (states.find(state) == states.npos) states += (states.empty() ? "" : "; ") + state;
    }
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", goal.area, goal.text,
                        NumberText(goal.limit), measured[0], measured[1], states);
  }
  return text;
}

std::string LaneRow(const Measured& measured, const LaneResult& lane) {
  if (!lane.refused.empty())
    return fmt::format("| {} | refused: {} | | |\n", lane.lane, lane.refused);
  const std::optional<Spread> spread = SpreadOf(lane.samples);
  if (!spread) return {};
  const std::optional<double> ratio = RatioToFloor(measured, lane);
  return fmt::format("| {} | {} | {} to {} | {} |\n", lane.lane, NumberText(spread->median),
                     NumberText(spread->low), NumberText(spread->high),
                     ratio ? fmt::format("{:.2f}", *ratio) : "");
}

}  // namespace

std::string MarkdownText(const Circumstances& circumstances, const Results& results,
                         const std::vector<Judgement>& judgements) {
  std::string text = fmt::format(
      "`{}`: kernel {}, {} x {}, load when it began {}; {} rounds of {} packets.\n\n"
      "### Goals\n\n{}\n### Cases\n\n",
      circumstances.command, circumstances.kernel, circumstances.cores, circumstances.processor,
      circumstances.load, circumstances.rounds, circumstances.packets, GoalRows(judgements));
  for (const Measured& measured : results.cases) {
    text += fmt::format("**{}, IPv{}**\n\n| lane | {} | least to most | {} |\n|---|---|---|---|\n",
                        measured.title, measured.family, measured.unit,
                        measured.floor.empty() ? "" : "times " + measured.floor);
    for (const LaneResult& lane : measured.lanes) text += LaneRow(measured, lane);
    text += "\n";
  }
  return text;
}

std::optional<std::string> Replaced(std::string_view document, std::string_view fragment) {
  const std::size_t begin = document.find(kBegin);
  if (begin == document.npos) return std::nullopt;
  const std::size_t end = document.find(kEnd, begin);
  if (end == document.npos) return std::nullopt;
  return std::string(document.substr(0, begin + kBegin.size())) + std::string(fragment) +
         std::string(document.substr(end));
}

std::vector<std::pair<std::string, std::string>> Charts(const Results& results) {
  const std::vector<std::string> masquerade{"masquerade-1k", "masquerade-32k", "masquerade-256k",
                                            "masquerade-new", "pass-through"};
  const std::vector<std::string> services{"service-10-last", "service-100-last",
                                          "service-1000-last", "service-10000-last",
                                          "service-30000-last"};
  std::vector<std::pair<std::string, std::string>> files;
  for (const int family : {4, 6}) {
    const auto add = [&](const char* name, const Chart& chart) {
      if (!chart.groups.empty())
        files.emplace_back(fmt::format("{}-ipv{}.svg", name, family), SvgText(chart));
    };
    add("masquerade",
        ChartOf(results, "Masquerade: what a packet costs", masquerade, family, true));
    add("pod", ChartOf(results, "Service to a local pod", {"pod-1k", "pod-32k"}, family, false));
    add("services", ChartOf(results, "First packet to a Service", services, family, true));
    add("tcp", ChartOf(results, "Short connections", {"connect-close"}, family, false));
  }
  return files;
}

}  // namespace natrix::bench
