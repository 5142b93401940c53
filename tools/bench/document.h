// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/bench/report.h"

// What a run leaves in docs/benchmarks.md.  Pure.
namespace natrix::bench {

// Machine, goals and every case as Markdown.
std::string MarkdownText(const Circumstances& circumstances, const Results& results,
                         const std::vector<Judgement>& judgements);

// `document` with `fragment` between the lines "<!-- measured -->" and "<!-- end -->"; nullopt when
// it has not both.
std::optional<std::string> Replaced(std::string_view document, std::string_view fragment);

// Name of the file and its content, for docs/charts.
std::vector<std::pair<std::string, std::string>> Charts(const Results& results);

}  // namespace natrix::bench
