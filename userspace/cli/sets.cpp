// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "maps/abi/set.h"
#include "maps/keyed_map_view.h"
#include "userspace/cli/command.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/table.h"
#include "userspace/model/address.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;
using model::Family;
using SetView = maps::LpmMapView<nx_set_key, nx_set_member>;

// One named set of one family, as ipset has them: ovn40subnets, ovn60subnets.
struct NamedSet {
  std::string name;
  nx_set_id id;
  Family family;
  std::string type;
  std::vector<model::Prefix> members;
};

std::vector<NamedSet> AllSets() {
  std::vector<NamedSet> sets;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const std::string prefix = family == Family::kIpv4 ? "ovn40" : "ovn60";
#define X(enumerator, value, ipset, type) \
  sets.push_back({prefix + ipset, enumerator, family, type, {}});
    NX_SETS(X)
#undef X
  }
  return sets;
}

Result<> ReadMembers(const SetView& view, std::vector<NamedSet>& sets) {
  auto done = view.ForEach([&](const nx_set_key& key, const nx_set_member& member) {
    const model::Prefix prefix{.address = {key.addr}, .length = static_cast<int>(member.length)};
    for (auto& set : sets)
      if (set.id == key.set && set.family == prefix.family()) set.members.push_back(prefix);
  });
  for (auto& set : sets) std::ranges::sort(set.members);
  return done;
}

const char* FamilyName(Family family) { return family == Family::kIpv4 ? "inet" : "inet6"; }

Json ToJson(const NamedSet& set) {
  Json members = Json::array();
  for (const auto& member : set.members) members.push_back(member.ToString());
  return {{"name", set.name},
          {"type", set.type},
          {"family", FamilyName(set.family)},
          {"members", std::move(members)}};
}

int List(const Context& context, const std::vector<NamedSet>& sets) {
  if (context.json) {
    Json list = Json::array();
    for (const auto& set : sets) list.push_back(ToJson(set));
    fmt::print("{}\n", Json{{"sets", std::move(list)}}.dump(2));
    return kOk;
  }
  TextTable table({{"NAME"}, {"TYPE"}, {"FAMILY"}, {"MEMBERS", Align::kRight}});
  for (const auto& set : sets)
    table.Add({set.name, set.type, FamilyName(set.family), fmt::to_string(set.members.size())});
  fmt::print("{}", table.Render());
  return kOk;
}

int ShowOne(const Context& context, const NamedSet& set) {
  if (context.json) {
    fmt::print("{}\n", ToJson(set).dump(2));
    return kOk;
  }
  fmt::print("Name: {}\nType: {}\nFamily: {}\nMembers: {}\n", set.name, set.type,
             FamilyName(set.family), set.members.size());
  for (const auto& member : set.members) fmt::print("{}\n", member.ToString());
  return kOk;
}

// Asks the kernel's own trie: what it answers is what is loaded.
int Test(const Context& context, const SetView& view, const NamedSet& set,
         const std::string& text) {
  const auto address = model::Address::Parse(text);
  if (!address) return ReportUsage(fmt::format("\"{}\" is no address", text));
  bool member = false;
  if (address->family() == set.family) {
    const auto found = view.Find(
        {.length = NX_SET_KEY_BITS + 128, .set = set.id, .rule = {}, .addr = address->bytes});
    if (!found) return Report(found.error());
    member = found->has_value();
  }
  if (context.json)
    fmt::print("{}\n", Json{{"set", set.name}, {"address", text}, {"member", member}}.dump(2));
  else
    fmt::print("{} is {}in set {}\n", text, member ? "" : "NOT ", set.name);
  return member ? kOk : kFailed;
}

}  // namespace

int Sets(const Context& context, const std::optional<std::string>& name,
         const std::optional<std::string>& test) {
  auto sets = AllSets();
  auto named = sets.end();
  if (name) {
    named = std::ranges::find(sets, *name, &NamedSet::name);
    if (named == sets.end()) {
      fmt::print(stderr, "natrix: there is no set \"{}\"; `natrix sets` lists them\n", *name);
      return kNotFound;
    }
  } else if (test) {
    return ReportUsage("--test needs the name of a set");
  }
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  const auto view = pins.Open<SetView>("nx_set");
  if (!view) return Report(view.error());
  if (test) return Test(context, *view, *named, *test);
  if (auto read = ReadMembers(*view, sets); !read) return Report(read.error());
  return name ? ShowOne(context, *named) : List(context, sets);
}

}  // namespace natrix::cli
