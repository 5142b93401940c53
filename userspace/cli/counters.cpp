// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "maps/counter_maps.h"
#include "userspace/cli/command.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/table.h"
#include "userspace/model/address.h"
#include "userspace/model/detour_text.h"
#include "userspace/model/reason_text.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;
using maps::CounterMaps;

struct ReasonRow {
  model::ReasonText reason;
  nx_count sum;
};

// Packets of established flows that went through the stack.
struct DetourRow {
  model::DetourText detour;
  std::uint64_t packets;
};

// What one CIDR sent, or what it got.
struct SubnetRow {
  std::string subnet;
  std::string cidr;
  std::string direction;  // as Kube-OVN's metrics have it
  nx_gateway sum;
};

struct Rows {
  std::vector<ReasonRow> reasons;
  std::vector<DetourRow> detours;
  std::vector<SubnetRow> subnets;
};

Result<std::vector<ReasonRow>> ReadReasons(const CounterMaps& maps, bool all) {
  const auto sums = maps.Reasons();
  if (!sums) return std::unexpected(sums.error());
  std::vector<ReasonRow> rows;
  for (unsigned reason = 0; reason < sums->size(); ++reason)
    if (const nx_count& sum = (*sums)[reason]; all || sum.packets > 0)
      rows.push_back({model::TextOf(reason), sum});
  return rows;
}

Result<std::vector<DetourRow>> ReadDetours(const CounterMaps& maps, bool all) {
  const auto sums = maps.Detours();
  if (!sums) return std::unexpected(sums.error());
  std::vector<DetourRow> rows;
  for (unsigned detour = 0; detour < sums->size(); ++detour)
    if (const std::uint64_t packets = (*sums)[detour].packets; all || packets > 0)
      rows.push_back({model::DetourTextOf(detour), packets});
  return rows;
}

Result<std::vector<SubnetRow>> ReadSubnets(const CounterMaps& maps, bool all) {
  const auto list = maps.Subnets();
  if (!list) return std::unexpected(list.error());
  std::vector<SubnetRow> rows;
  for (const maps::SubnetCounters& counters : *list)
    for (const nx_direction way : {NX_EGRESS, NX_INGRESS})
      if (const nx_gateway& sum = counters.sums[way]; all || sum.packets + sum.wire_packets > 0)
        rows.push_back({.subnet = counters.subnet.name,
                        .cidr = model::Prefix::FromAbi(counters.subnet.cidr).ToString(),
                        .direction = way == NX_EGRESS ? "egress" : "ingress",
                        .sum = sum});
  return rows;
}

Result<Rows> Read(PinnedMaps& pins, const CounterChoice& choice) {
  const auto maps = CounterMaps::Open([&](const char* name) { return pins.Fd(name); });
  if (!maps) return std::unexpected(maps.error());
  Rows rows;
  if (choice.reasons) {
    auto reasons = ReadReasons(*maps, choice.all);
    if (!reasons) return std::unexpected(std::move(reasons).error());
    rows.reasons = *std::move(reasons);
    auto detours = ReadDetours(*maps, choice.all);
    if (!detours) return std::unexpected(std::move(detours).error());
    rows.detours = *std::move(detours);
  }
  if (choice.subnets) {
    auto subnets = ReadSubnets(*maps, choice.all);
    if (!subnets) return std::unexpected(std::move(subnets).error());
    rows.subnets = *std::move(subnets);
  }
  return rows;
}

void PrintJson(const Rows& rows, const CounterChoice& choice) {
  Json document = Json::object();
  Json reasons = Json::array(), detours = Json::array(), subnets = Json::array();
  for (const auto& [reason, sum] : rows.reasons)
    reasons.push_back({{"reason", reason.name},
                       {"kind", reason.kind},
                       {"text", reason.text},
                       {"packets", sum.packets},
                       {"bytes", sum.bytes}});
  for (const auto& [detour, packets] : rows.detours)
    detours.push_back({{"detour", detour.name}, {"text", detour.text}, {"packets", packets}});
  for (const auto& [subnet, cidr, direction, sum] : rows.subnets)
    subnets.push_back({{"subnet", subnet},
                       {"cidr", cidr},
                       {"direction", direction},
                       {"packets", sum.packets},
                       {"bytes", sum.bytes},
                       {"wirePackets", sum.wire_packets},
                       {"wireBytes", sum.wire_bytes}});
  if (choice.reasons) document["counters"] = std::move(reasons);
  if (choice.reasons) document["detours"] = std::move(detours);
  if (choice.subnets) document["subnets"] = std::move(subnets);
  fmt::print("{}\n", document.dump(2));
}

void PrintReasons(const std::vector<ReasonRow>& rows) {
  TextTable table(
      {{"KIND"}, {"PACKETS", Align::kRight}, {"BYTES", Align::kRight}, {"REASON"}, {"MEANING"}});
  for (const auto& [reason, sum] : rows)
    table.Add({reason.kind, fmt::to_string(sum.packets), fmt::to_string(sum.bytes), reason.name,
               reason.text});
  fmt::print("{}", table.Render());
}

void PrintDetours(const std::vector<DetourRow>& rows) {
  if (rows.empty()) return;
  TextTable table({{"THROUGH THE STACK", Align::kRight}, {"DETOUR"}, {"MEANING"}});
  for (const auto& [detour, packets] : rows)
    table.Add({fmt::to_string(packets), detour.name, detour.text});
  fmt::print("\n{}", table.Render());
}

void PrintSubnets(const std::vector<SubnetRow>& rows) {
  TextTable table({{"SUBNET"},
                   {"CIDR"},
                   {"DIRECTION"},
                   {"PACKETS", Align::kRight},
                   {"BYTES", Align::kRight},
                   {"WIRE-PACKETS", Align::kRight},
                   {"WIRE-BYTES", Align::kRight}});
  for (const auto& [subnet, cidr, direction, sum] : rows)
    table.Add({subnet, cidr, direction, fmt::to_string(sum.packets), fmt::to_string(sum.bytes),
               fmt::to_string(sum.wire_packets), fmt::to_string(sum.wire_bytes)});
  fmt::print("{}", table.Render());
}

}  // namespace

int Counters(const Context& context, const CounterChoice& choice) {
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  const auto rows = Read(pins, choice);
  if (!rows) return Report(rows.error());
  if (context.json) {
    PrintJson(*rows, choice);
    return kOk;
  }
  if (choice.reasons) {
    PrintReasons(rows->reasons);
    PrintDetours(rows->detours);
  }
  if (choice.reasons && choice.subnets) fmt::print("\n");
  if (choice.subnets) PrintSubnets(rows->subnets);
  return kOk;
}

}  // namespace natrix::cli
