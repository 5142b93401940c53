// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/flow_list.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "maps/flow_half.h"
#include "maps/keyed_map_view.h"

namespace natrix::cli {
namespace {

struct HashTuple {
  std::size_t operator()(const nx_tuple& tuple) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&tuple), sizeof(tuple)});
  }
};
struct SameTuple {
  bool operator()(const nx_tuple& a, const nx_tuple& b) const {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  }
};
struct Half {
  nx_flow entry;
  bool established;
};
using Halves = std::unordered_map<nx_tuple, Half, HashTuple, SameTuple>;

Result<Halves> ReadHalves(PinnedMaps& pins) {
  const auto flows = pins.Open<maps::HashMapView<nx_tuple, nx_established>>("nx_flow");
  if (!flows) return std::unexpected(flows.error());
  const auto embryos = pins.Open<maps::LruMapView<nx_tuple, nx_flow>>("nx_embryo");
  if (!embryos) return std::unexpected(embryos.error());
  Halves halves;
  const auto take = [&](bool established) {
    return [&halves, established](const nx_tuple& key, const auto& entry) {
      halves.insert_or_assign(key, Half{maps::FlowOf(entry), established});
    };
  };
  // Embryos first: one that is established between the two reads is overwritten, not lost.
  if (auto done = embryos->ForEach(take(false)); !done) return std::unexpected(done.error());
  if (auto done = flows->ForEach(take(true)); !done) return std::unexpected(done.error());
  return halves;
}

}  // namespace

std::optional<std::uint32_t> SecondsLeft(const nx_flow& half, const nx_config& config,
                                         std::uint32_t now) {
  if (half.state >= NX_STATE_COUNT || config.hz == 0) return std::nullopt;
  // Jiffies wrap; a half that was seen after `now` was read is as young as can be.
  const auto age = std::max(static_cast<std::int32_t>(now - half.seen), 0);
  const std::uint32_t timeout = config.timeout[half.state];
  if (static_cast<std::uint32_t>(age) > timeout) return std::nullopt;
  return (timeout - static_cast<std::uint32_t>(age)) / config.hz;
}

Result<> ForEachFlow(PinnedMaps& pins, const std::function<void(const Flow&)>& visit) {
  const auto config = pins.Config();
  if (!config) return std::unexpected(config.error());
  const auto halves = ReadHalves(pins);
  if (!halves) return std::unexpected(halves.error());
  const auto now = pins.Jiffies();
  if (!now) return std::unexpected(now.error());
  for (const auto& [key, half] : *halves) {
    if (half.entry.role != NX_ROLE_ORIGINAL) continue;
    // A flow lives as long as one of its directions was seen.
    auto left = SecondsLeft(half.entry, *config, *now);
    if (const auto reply = halves->find(maps::PartnerOf(key, half.entry)); reply != halves->end())
      left = std::max(left, SecondsLeft(reply->second.entry, *config, *now));
    if (left) visit({key, half.entry, half.established, *left});
  }
  return {};
}

std::string ProtocolName(nx_l4 proto) {
  switch (proto) {
    case NX_L4_ICMP:
      return "icmp";
    case NX_L4_TCP:
      return "tcp";
    case NX_L4_UDP:
      return "udp";
    case NX_L4_GRE:
      return "gre";
    case NX_L4_ESP:
      return "esp";
    case NX_L4_AH:
      return "ah";
    case NX_L4_ICMPV6:
      return "icmpv6";
    case NX_L4_SCTP:
      return "sctp";
    case NX_L4_UDPLITE:
      return "udplite";
  }
  return std::to_string(static_cast<unsigned>(proto));
}

std::string StateName(nx_state state) {
  switch (state) {
#define X(enumerator, value, seconds, text) \
  case enumerator:                          \
    return text;
    NX_STATES(X)
#undef X
    default:
      return std::to_string(static_cast<unsigned>(state));
  }
}

}  // namespace natrix::cli
