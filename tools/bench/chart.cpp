// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/bench/report.h"

namespace natrix::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kLeft = 120;  // names
constexpr double kRight = 90;  // figures
constexpr double kBar = 16;
constexpr double kGap = 5;
constexpr double kHead = 44;   // title
constexpr double kGroup = 26;  // a group's name

// Colours that both kinds of paper show: CSS of the SVG itself, which pages that embed it as an
// image follow, too.
constexpr char kStyle[] =
    "<style>text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold;font-size:15px}"
    ".bar{fill:#8c959f}.floor{fill:#c8ccd1}.natrix{fill:#0969da}.range{stroke:#24292f;"
    "stroke-width:1}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#768390}"
    ".floor{fill:#444c56}.natrix{fill:#58a6ff}.range{stroke:#e6edf3}}</style>\n";

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '&')
      escaped += "&amp;";
    else
      escaped += c;
  }
  return escaped;
}

std::string TextAt(double x, double y, const std::string& text, const std::string& more = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y,
                     more.empty() ? "" : " " + more, Escaped(text));
}

const char* ClassOf(const std::string& lane) {
  if (lane == "natrix") return "natrix";
  return lane.size() == 1 ? "floor" : "bar";  // X, T, P, K
}

// From values to lengths.
class Scale {
 public:
  explicit Scale(const Chart& chart) : logarithmic_(chart.logarithmic) {
    for (const Group& group : chart.groups) {
      for (const Bar& bar : group.bars) {
        high_ = std::max(high_, bar.value.high);
        low_ = std::min(low_, bar.value.low);
      }
    }
  }
  double Length(double value) const {
    const double whole = kWidth - kLeft - kRight;
    if (high_ <= 0) return 0;
    if (!logarithmic_) return whole * value / high_;
    // The shortest bar is still to be seen.
    const double least = low_ / 2;
    return whole * std::log(value / least) / std::log(high_ / least);
  }

 private:
  bool logarithmic_;
  double high_ = 0;
  double low_ = 1e300;
};

std::string BarText(const Bar& bar, const Scale& scale, double y) {
  const double middle = y + kBar / 2;
  std::string text = TextAt(kLeft - 8, y + kBar - 3, bar.name, "text-anchor=\"end\"");
  text += fmt::format(
      "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      ClassOf(bar.name), kLeft, y, scale.Length(bar.value.median), kBar);
  text += fmt::format(
      "<line class=\"range\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
      kLeft + scale.Length(bar.value.low), middle, kLeft + scale.Length(bar.value.high), middle);
  return text + TextAt(kLeft + scale.Length(bar.value.high) + 8, y + kBar - 3,
                       NumberText(bar.value.median));
}

}  // namespace

std::string SvgText(const Chart& chart) {
  const Scale scale(chart);
  std::string body;
  double y = kHead;
  for (const Group& group : chart.groups) {
    body += TextAt(kLeft, y + kGroup - 10, group.name);
    y += kGroup;
    for (const Bar& bar : group.bars) {
      body += BarText(bar, scale, y);
      y += kBar + kGap;
    }
  }
  const std::string unit =
      chart.unit + (chart.logarithmic ? ", logarithmic" : "") + "; median, line: least to most";
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
             "width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\">\n",
             kWidth, y + 10) +
         fmt::format("<title>{}</title>\n", Escaped(chart.title)) + kStyle +
         TextAt(8, 18, chart.title, "class=\"title\"") + TextAt(8, 36, unit) + body + "</svg>\n";
}

Chart ChartOf(const Results& results, const std::string& title, const std::vector<std::string>& ids,
              int family, bool logarithmic) {
  Chart chart{.title = fmt::format("{}, IPv{}", title, family), .logarithmic = logarithmic};
  for (const std::string& id : ids) {
    const Measured* measured = results.Find(id, family);
    if (!measured) continue;
    chart.unit = measured->unit;
    Group group{.name = measured->title, .bars = {}};
    for (const LaneResult& lane : measured->lanes)
      if (lane.IsUsable()) group.bars.push_back({lane.lane, *SpreadOf(lane.samples)});
    if (!group.bars.empty()) chart.groups.push_back(std::move(group));
  }
  return chart;
}

}  // namespace natrix::bench
