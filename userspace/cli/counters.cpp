// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "maps/abi/reason.h"
#include "maps/per_cpu_array_view.h"
#include "userspace/cli/command.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/reason_text.h"
#include "userspace/cli/table.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Counter {
  ReasonText reason;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

Result<std::vector<Counter>> Read(PinnedMaps& pins, bool all) {
  const auto view = pins.Open<maps::PerCpuArrayView<nx_count>>("nx_count");
  if (!view) return std::unexpected(view.error());
  std::vector<Counter> counters;
  for (std::uint32_t i = 0; i < view->size(); ++i) {
    const auto copies = view->At(i);
    if (!copies) return std::unexpected(copies.error());
    Counter counter{.reason = TextOf(i)};
    for (const nx_count& copy : *copies) {
      counter.packets += copy.packets;
      counter.bytes += copy.bytes;
    }
    if (all || counter.packets > 0) counters.push_back(counter);
  }
  return counters;
}

void PrintJson(const std::vector<Counter>& counters) {
  Json list = Json::array();
  for (const auto& counter : counters)
    list.push_back({{"reason", counter.reason.name},
                    {"kind", counter.reason.kind},
                    {"text", counter.reason.text},
                    {"packets", counter.packets},
                    {"bytes", counter.bytes}});
  fmt::print("{}\n", Json{{"counters", std::move(list)}}.dump(2));
}

void PrintTable(const std::vector<Counter>& counters) {
  TextTable table(
      {{"KIND"}, {"PACKETS", Align::kRight}, {"BYTES", Align::kRight}, {"REASON"}, {"MEANING"}});
  for (const auto& counter : counters)
    table.Add({counter.reason.kind, fmt::to_string(counter.packets), fmt::to_string(counter.bytes),
               counter.reason.name, counter.reason.text});
  fmt::print("{}", table.Render());
}

}  // namespace

int Counters(const Context& context, bool all) {
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  const auto counters = Read(pins, all);
  if (!counters) return Report(counters.error());
  context.json ? PrintJson(*counters) : PrintTable(*counters);
  return kOk;
}

}  // namespace natrix::cli
