// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "userspace/cli/command.h"
#include "userspace/cli/flow_list.h"
#include "userspace/cli/table.h"
#include "userspace/model/address.h"
#include "userspace/model/reason_text.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Wanted {
  std::optional<model::Prefix> src;
  std::optional<model::Prefix> dst;
  std::optional<nx_l4> proto;

  bool Matches(const Flow& flow) const {
    return (!src || src->Contains(model::Address{flow.original.src})) &&
           (!dst || dst->Contains(model::Address{flow.original.dst})) &&
           (!proto || *proto == flow.original.proto);
  }
};

std::optional<model::Prefix> ParseRange(const std::string& text) {
  if (const auto address = model::Address::Parse(text)) return model::Prefix::Of(*address);
  return model::Prefix::Parse(text);
}

std::optional<nx_l4> ParseProtocol(const std::string& text) {
  for (unsigned number = 0; number < 256; ++number)
    if (ProtocolName(static_cast<nx_l4>(number)) == text) return static_cast<nx_l4>(number);
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
      number > 255)
    return std::nullopt;
  return static_cast<nx_l4>(number);
}

// An error sentence instead when a value makes no sense.
std::expected<Wanted, std::string> Parse(const FlowFilter& filter) {
  Wanted wanted;
  for (const auto& [text, range] :
       {std::pair{filter.src, &wanted.src}, std::pair{filter.dst, &wanted.dst}}) {
    if (!text) continue;
    *range = ParseRange(*text);
    if (!*range) return std::unexpected(fmt::format("\"{}\" is no address or prefix", *text));
  }
  if (filter.proto) {
    wanted.proto = ParseProtocol(*filter.proto);
    if (!wanted.proto) return std::unexpected(fmt::format("\"{}\" is no protocol", *filter.proto));
  }
  return wanted;
}

// One direction as it leaves or enters.
struct Leg {
  nx_addr src;
  nx_addr dst;
  __be16 sport;
  __be16 dport;
};
Leg Original(const Flow& flow) {
  return {flow.original.src, flow.original.dst, flow.original.sport, flow.original.dport};
}
Leg Translated(const Flow& flow) {
  return {flow.entry.src, flow.entry.dst, flow.entry.sport, flow.entry.dport};
}

bool IsPing(nx_l4 proto) { return proto == NX_L4_ICMP || proto == NX_L4_ICMPV6; }
bool HasPorts(nx_l4 proto) {
  return proto == NX_L4_TCP || proto == NX_L4_UDP || proto == NX_L4_SCTP || proto == NX_L4_UDPLITE;
}

// An ICMP query has an identifier where others have a source port.
Json ToJson(const Leg& leg, nx_l4 proto) {
  Json json{{"src", model::Address{leg.src}.ToString()},
            {"dst", model::Address{leg.dst}.ToString()}};
  if (HasPorts(proto)) {
    json["sport"] = ntohs(leg.sport);
    json["dport"] = ntohs(leg.dport);
  }
  if (IsPing(proto)) {
    json["id"] = ntohs(leg.sport);
    json["type"] = ntohs(leg.dport) >> 8;
  }
  return json;
}

Json ToJson(const Flow& flow) {
  const nx_l4 proto = flow.original.proto;
  const model::ReasonText reason = model::TextOf(flow.entry.why);
  return {{"protocol", ProtocolName(proto)},
          {"state", StateName(flow.entry.state)},
          {"established", flow.established},
          {"secondsLeft", flow.seconds_left},
          {"original", ToJson(Original(flow), proto)},
          {"translated", ToJson(Translated(flow), proto)},
          {"reason", reason.name},
          {"text", reason.text}};
}

// 10.0.0.1:80, [fd00::1]:80, and without ports the address alone.
std::string Endpoint(const nx_addr& address, __be16 port, bool with_port) {
  const model::Address parsed{address};
  if (!with_port) return parsed.ToString();
  if (parsed.family() == model::Family::kIpv4)
    return fmt::format("{}:{}", parsed.ToString(), ntohs(port));
  return fmt::format("[{}]:{}", parsed.ToString(), ntohs(port));
}
std::string ToText(const Leg& leg, nx_l4 proto) {
  const bool ports = HasPorts(proto);
  return fmt::format("{} -> {}", Endpoint(leg.src, leg.sport, ports || IsPing(proto)),
                     Endpoint(leg.dst, leg.dport, ports));
}

Result<> PrintJson(PinnedMaps& pins, const Wanted& wanted) {
  // Written one by one: a full table would be hundreds of megabytes as one document in memory.
  bool first = true;
  fmt::print("{{\n  \"flows\": [");
  auto done = ForEachFlow(pins, [&](const Flow& flow) {
    if (!wanted.Matches(flow)) return;
    fmt::print("{}\n    {}", first ? "" : ",", ToJson(flow).dump());
    first = false;
  });
  fmt::print("{}]\n}}\n", first ? "" : "\n  ");
  return done;
}

Result<> PrintTable(PinnedMaps& pins, const Wanted& wanted) {
  std::vector<Flow> flows;
  auto done = ForEachFlow(pins, [&](const Flow& flow) {
    if (wanted.Matches(flow)) flows.push_back(flow);
  });
  if (!done) return done;
  std::ranges::sort(flows, [](const Flow& a, const Flow& b) {
    return std::memcmp(&a.original, &b.original, sizeof(nx_tuple)) < 0;
  });
  TextTable table(
      {{"PROTO"}, {"STATE"}, {"LEFT", Align::kRight}, {"ORIGINAL"}, {"LEAVES AS"}, {"WHY"}});
  for (const Flow& flow : flows) {
    const nx_l4 proto = flow.original.proto;
    table.Add({ProtocolName(proto), StateName(flow.entry.state),
               fmt::format("{}s", flow.seconds_left), ToText(Original(flow), proto),
               ToText(Translated(flow), proto), model::TextOf(flow.entry.why).text});
  }
  fmt::print("{}", table.Render());
  return {};
}

}  // namespace

int Flows(const Context& context, const FlowFilter& filter) {
  const auto wanted = Parse(filter);
  if (!wanted) return ReportUsage(wanted.error());
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  const auto done = context.json ? PrintJson(pins, *wanted) : PrintTable(pins, *wanted);
  return done ? kOk : Report(done.error());
}

}  // namespace natrix::cli
