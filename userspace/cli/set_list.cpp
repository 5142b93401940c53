// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/set_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "maps/in_force.h"
#include "maps/keyed_map_view.h"
#include "userspace/cli/flow_list.h"

namespace natrix::cli {
namespace {

using model::Address;
using model::Family;
using model::kFamilies;
using model::Prefix;
using LoopView = maps::HashMapView<nx_loop_key, nx_loop>;
using PortView = maps::HashMapView<nx_port_key, nx_port_member>;
using RangeView = maps::LpmMapView<nx_range_key, nx_range>;
using SetView = maps::LpmMapView<nx_set_key, nx_set_member>;

constexpr std::array kServiceProtocols = {NX_L4_TCP, NX_L4_UDP, NX_L4_SCTP};

std::string OvnPrefix(Family family) { return family == Family::kIpv4 ? "ovn40" : "ovn60"; }
std::string CaliPrefix(Family family) { return family == Family::kIpv4 ? "cali40" : "cali60"; }

// ipset has no longer names than IPSET_MAXNAMELEN, to which kube-proxy cuts those of IPv6.
std::string KubeName(Family family, std::string_view name) {
  constexpr std::size_t kLongest = 31;
  std::string full = family == Family::kIpv4 ? "KUBE-" : "KUBE-6-";
  return full.append(name).substr(0, kLongest);
}

SetName WellKnown(Family family, nx_set_id id, const char* ipset, const char* type) {
  return {.text = OvnPrefix(family) + ipset, .type = type, .family = family, .id = id};
}

std::vector<SetName> WellKnownSets() {
  std::vector<SetName> names;
  for (const Family family : kFamilies) {
#define X(enumerator, value, ipset, type) \
  names.push_back(WellKnown(family, enumerator, ipset, type));
    NX_SETS(X)
#undef X
  }
  return names;
}

// Calico's.  By all names that Felix' versions give them.
std::vector<SetName> CalicoSets() {
  std::vector<SetName> names;
  for (const Family family : kFamilies) {
#define X(enumerator, value, ipset)                    \
  names.push_back({.text = CaliPrefix(family) + ipset, \
                   .type = "hash:net",                 \
                   .family = family,                   \
                   .id = enumerator});
    NX_CALI_SETS(X)
#undef X
  }
  return names;
}

SetName RuleSet(Family family, nx_set_id id, const std::string& rule) {
  const auto named = [&](const char* before, const char* after) {
    return SetName{.text = OvnPrefix(family) + before + rule + after,
                   .type = "hash:net",
                   .family = family,
                   .id = id,
                   .rule = rule};
  };
  switch (id) {
#define X(enumerator, value, before, after) \
  case enumerator:                          \
    return named(before, after);
    NX_RULE_SETS(X)
#undef X
    default:
      return {};
  }
}

// kube-proxy's, in IPVS mode.  A port has no family: its sets exist for each, with the same
// members.
std::vector<SetName> IpvsSets() {
  using Kind = SetName::Kind;
  std::vector<SetName> names;
  for (const Family family : kFamilies) {
    const auto add = [&](SetName set, const char* name) {
      set.text = KubeName(family, name);
      set.family = family;
      names.push_back(std::move(set));
    };
#define X(in, name) \
  add({.text = {}, .type = "hash:ip,port", .kind = Kind::kService, .bit = in}, name);
    NX_IP_PORT_SETS(X)
#undef X
#define X(in, name, proto) \
  add({.text = {}, .type = "bitmap:port", .kind = Kind::kPort, .protocol = proto, .bit = in}, name);
    NX_BARE_PORT_SETS(X)
#undef X
#define X(in, name) add({.text = {}, .type = "hash:ip", .kind = Kind::kAddress, .bit = in}, name);
    NX_IP_SETS(X)
#undef X
    add({.text = {}, .type = "hash:ip,port,ip", .kind = Kind::kLoop}, NX_LOOP_SET);
#define X(number, name, ipset) \
  add({.text = {}, .type = ipset, .kind = Kind::kRange, .range = number}, name);
    NX_RANGE_SETS(X)
#undef X
  }
  return names;
}

bool IsRuleId(std::string_view text) {
  return text.size() == NX_RULE_ID && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::string RuleOf(const nx_set_key& key) {
  return {key.rule, strnlen(key.rule, sizeof(key.rule))};
}

Result<bool> HasCalico(PinnedMaps& pins) {
  const auto generation = pins.Open<maps::ArrayMapView<nx_generation>>("nx_generation");
  if (!generation) return std::unexpected(generation.error());
  const auto config = pins.Open<maps::ArrayMapView<nx_config>>("nx_config");
  if (!config) return std::unexpected(config.error());
  return maps::ReadInForce(*generation, [&](std::uint32_t side) -> Result<bool> {
    const auto scalars = config->At(side);
    if (!scalars) return std::unexpected(scalars.error());
    return scalars->calico.present != 0;
  });
}

Result<std::vector<NamedSet>> ReadPrefixSets(PinnedMaps& pins) {
  const auto view = pins.Open<SetView>("nx_set");
  if (!view) return std::unexpected(view.error());
  // Sets of rules come behind the others of their family: those have no rule.
  std::map<std::tuple<Family, std::string, nx_set_id>, NamedSet> sets;
  for (const SetName& name : WellKnownSets()) sets[{name.family, "", name.id}].name = name;
  const auto calico = HasCalico(pins);
  if (!calico) return std::unexpected(calico.error());
  for (const SetName& name : CalicoSets())
    if (*calico) sets[{name.family, "", name.id}].name = name;
  auto read = view->ForEach([&](const nx_set_key& key, const nx_set_member& member) {
    const Prefix prefix{.address = {key.addr}, .length = static_cast<int>(member.length)};
    const Family family = prefix.family();
    const auto [set, is_new] = sets.try_emplace({family, RuleOf(key), key.set});
    if (is_new) set->second.name = RuleSet(family, key.set, RuleOf(key));
    set->second.members.push_back({.prefix = prefix});
  });
  if (!read) return std::unexpected(std::move(read).error());
  std::vector<NamedSet> list;
  for (auto& [key, set] : sets)
    if (!set.name.text.empty()) list.push_back(std::move(set));
  return list;
}

bool Holds(const SetName& set, const nx_port_key& key, const nx_port_member& member) {
  if ((member.sets & set.bit) == 0) return false;
  const bool bare = Address{key.addr} == Address{};
  if (set.kind == SetName::Kind::kPort) return bare && key.proto == set.protocol;
  const bool any = key.port == 0;
  return !bare && Address{key.addr}.family() == set.family &&
         (any ? set.kind == SetName::Kind::kAddress : set.kind == SetName::Kind::kService);
}

Result<> ReadPorts(PinnedMaps& pins, std::uint32_t side, std::vector<NamedSet>& sets) {
  const auto view = pins.Open<PortView>(side == 0 ? "nx_ports_left" : "nx_ports_right");
  if (!view) return std::unexpected(view.error());
  return view->ForEach([&](const nx_port_key& key, const nx_port_member& held) {
    for (NamedSet& set : sets) {
      if (!Holds(set.name, key, held)) continue;
      Member member{.prefix = {}, .protocol = key.proto, .port = ntohs(key.port)};
      if (set.name.kind != SetName::Kind::kPort) member.prefix = Prefix::Of({key.addr});
      set.members.push_back(member);
    }
  });
}

Result<> ReadLoops(PinnedMaps& pins, std::uint32_t side, std::vector<NamedSet>& sets) {
  const auto view = pins.Open<LoopView>(side == 0 ? "nx_loop_left" : "nx_loop_right");
  if (!view) return std::unexpected(view.error());
  return view->ForEach([&](const nx_loop_key& key, const nx_loop&) {
    for (NamedSet& set : sets)
      if (set.name.kind == SetName::Kind::kLoop && Address{key.dst}.family() == set.name.family)
        set.members.push_back({.prefix = Prefix::Of({key.dst}),
                               .protocol = key.proto,
                               .port = ntohs(key.port),
                               .source = Prefix::Of({key.src})});
  });
}

Result<> ReadRanges(PinnedMaps& pins, std::uint32_t side, std::vector<NamedSet>& sets) {
  const auto view = pins.Open<RangeView>(side == 0 ? "nx_range_left" : "nx_range_right");
  if (!view) return std::unexpected(view.error());
  return view->ForEach([&](const nx_range_key& key, const nx_range&) {
    for (NamedSet& set : sets)
      if (set.name.kind == SetName::Kind::kRange && key.set == set.name.range &&
          Address{key.dst}.family() == set.name.family)
        set.members.push_back(
            {.prefix = Prefix::Of({key.dst}),
             .protocol = key.proto,
             .port = ntohs(key.port),
             .source = Prefix::FromAbi({key.length - NX_RANGE_KEY_BITS, key.src})});
  });
}

// No set at all when kube-proxy does not run in IPVS mode.
Result<std::vector<NamedSet>> ReadIpvsSets(PinnedMaps& pins, std::uint32_t side) {
  const auto config = pins.Open<maps::ArrayMapView<nx_config>>("nx_config");
  if (!config) return std::unexpected(config.error());
  const auto scalars = config->At(side);
  if (!scalars) return std::unexpected(scalars.error());
  std::vector<NamedSet> sets;
  if (scalars->ipvs == 0) return sets;
  for (SetName& name : IpvsSets()) sets.push_back({.name = std::move(name), .members = {}});
  if (auto read = ReadPorts(pins, side, sets); !read) return std::unexpected(read.error());
  if (auto read = ReadLoops(pins, side, sets); !read) return std::unexpected(read.error());
  if (auto read = ReadRanges(pins, side, sets); !read) return std::unexpected(read.error());
  return sets;
}

Result<bool> IsInNetSet(PinnedMaps& pins, const SetName& set, const Member& member) {
  if (member.prefix.family() != set.family) return false;
  const auto view = pins.Open<SetView>("nx_set");
  if (!view) return std::unexpected(view.error());
  nx_set_key key{};
  key.length = NX_SET_KEY_BITS + 128;
  key.set = set.id;
  set.rule.copy(key.rule, sizeof(key.rule));
  key.addr = member.prefix.address.bytes;
  const auto found = view->Find(key);
  if (!found) return std::unexpected(found.error());
  return found->has_value();
}

std::string ServiceText(const Member& member) {
  return member.prefix.address.ToString() + "," + ProtocolName(member.protocol) + ":" +
         std::to_string(member.port);
}

}  // namespace

std::optional<SetName> ParseSetName(std::string_view text) {
  for (const auto& names : {WellKnownSets(), CalicoSets(), IpvsSets()})
    if (const auto named = std::ranges::find(names, text, &SetName::text); named != names.end())
      return *named;
  constexpr std::string_view kBefore = "ovn40natpr-";
  if (text.size() < kBefore.size() + NX_RULE_ID) return std::nullopt;
  const std::string rule(text.substr(kBefore.size(), NX_RULE_ID));
  if (!IsRuleId(rule)) return std::nullopt;
  for (const Family family : kFamilies)
    for (const nx_set_id id : {NX_SET_RULE_SRC, NX_SET_RULE_DST})
      if (SetName name = RuleSet(family, id, rule); name.text == text) return name;
  return std::nullopt;
}

Result<std::vector<NamedSet>> ReadSets(PinnedMaps& pins) {
  auto sets = ReadPrefixSets(pins);
  if (!sets) return sets;
  const auto generation = pins.Open<maps::ArrayMapView<nx_generation>>("nx_generation");
  if (!generation) return std::unexpected(generation.error());
  auto ports =
      maps::ReadInForce(*generation, [&](std::uint32_t side) { return ReadIpvsSets(pins, side); });
  if (!ports) return ports;
  std::ranges::move(*ports, std::back_inserter(*sets));
  for (NamedSet& set : *sets) std::ranges::sort(set.members);
  return sets;
}

std::string ToText(const SetName& set, const Member& member) {
  switch (set.kind) {
    case SetName::Kind::kPrefix:
    case SetName::Kind::kAddress:
      break;
    case SetName::Kind::kService:
      return ServiceText(member);
    case SetName::Kind::kPort:
      return std::to_string(member.port);
    case SetName::Kind::kLoop:
      return ServiceText(member) + "," + member.source.address.ToString();
    case SetName::Kind::kRange:
      return ServiceText(member) + "," +
             (set.range == NX_RANGE_IP ? member.source.address.ToString()
                                       : member.source.ToString());
  }
  return member.prefix.ToString();
}

std::optional<Member> ParseMember(const SetName& set, std::string_view text) {
  using Kind = SetName::Kind;
  Member member{.prefix = {}, .protocol = set.protocol};
  if (set.kind != Kind::kPort) {
    const auto address = Address::Parse(text.substr(0, text.find(',')));
    if (!address) return std::nullopt;
    member.prefix = Prefix::Of(*address);
  }
  if (set.kind == Kind::kPrefix || set.kind == Kind::kAddress)
    return text.contains(',') ? std::nullopt : std::optional(member);
  if (set.kind == Kind::kLoop || set.kind == Kind::kRange) {
    const std::size_t comma = text.rfind(',');
    const auto source = Address::Parse(text.substr(std::min(comma, text.size() - 1) + 1));
    if (!source) return std::nullopt;
    member.source = Prefix::Of(*source);
    text = text.substr(0, comma);
  }
  if (set.kind != Kind::kPort) {
    const std::size_t comma = text.find(',');
    if (comma == text.npos) return std::nullopt;
    text.remove_prefix(comma + 1);
    if (const std::size_t colon = text.find(':'); colon != text.npos) {
      const std::string_view name = text.substr(0, colon);
      const auto* known = std::ranges::find_if(
          kServiceProtocols, [&](nx_l4 protocol) { return ProtocolName(protocol) == name; });
      if (known == kServiceProtocols.end()) return std::nullopt;
      member.protocol = *known;
      text.remove_prefix(colon + 1);
    }
  }
  const auto port = ParsePort(text);
  if (!port) return std::nullopt;
  member.port = *port;
  return member;
}

namespace {

Result<bool> IsLoop(PinnedMaps& pins, std::uint32_t side, const Member& member) {
  const auto view = pins.Open<LoopView>(side == 0 ? "nx_loop_left" : "nx_loop_right");
  if (!view) return std::unexpected(view.error());
  const auto found = view->Find({member.prefix.address.bytes, member.source.address.bytes,
                                 htons(member.port), member.protocol, 0});
  if (!found) return std::unexpected(found.error());
  return found->has_value();
}

Result<bool> IsPort(PinnedMaps& pins, std::uint32_t side, const SetName& set,
                    const Member& member) {
  const auto view = pins.Open<PortView>(side == 0 ? "nx_ports_left" : "nx_ports_right");
  if (!view) return std::unexpected(view.error());
  nx_port_key key{.addr = {}, .port = htons(member.port), .proto = member.protocol, .pad = 0};
  if (set.kind == SetName::Kind::kAddress) key.proto = {};
  if (set.kind != SetName::Kind::kPort) key.addr = member.prefix.address.bytes;
  const auto found = view->Find(key);
  if (!found) return std::unexpected(found.error());
  return found->has_value() && ((*found)->sets & set.bit) != 0;
}

Result<bool> IsRange(PinnedMaps& pins, std::uint32_t side, const SetName& set,
                     const Member& member) {
  const auto view = pins.Open<RangeView>(side == 0 ? "nx_range_left" : "nx_range_right");
  if (!view) return std::unexpected(view.error());
  const auto found = view->Find({.length = NX_RANGE_KEY_BITS + 128,
                                 .dst = member.prefix.address.bytes,
                                 .port = htons(member.port),
                                 .proto = member.protocol,
                                 .set = set.range,
                                 .src = member.source.address.bytes});
  if (!found) return std::unexpected(found.error());
  return found->has_value();
}

}  // namespace

Result<bool> IsMember(PinnedMaps& pins, const SetName& set, const Member& member) {
  if (set.kind == SetName::Kind::kPrefix) return IsInNetSet(pins, set, member);
  if (set.kind != SetName::Kind::kPort && member.prefix.family() != set.family) return false;
  const auto generation = pins.Open<maps::ArrayMapView<nx_generation>>("nx_generation");
  if (!generation) return std::unexpected(generation.error());
  return maps::ReadInForce(*generation, [&](std::uint32_t side) {
    return set.kind == SetName::Kind::kLoop    ? IsLoop(pins, side, member)
           : set.kind == SetName::Kind::kRange ? IsRange(pins, side, set, member)
                                               : IsPort(pins, side, set, member);
  });
}

}  // namespace natrix::cli
