// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "userspace/cli/command.h"
#include "userspace/cli/ipset_text.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/set_list.h"
#include "userspace/cli/table.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* FamilyOf(const SetName& set) {
  return set.family == model::Family::kIpv4 ? "inet" : "inet6";
}

int ReportNoSet(const std::string& name) {
  fmt::print(stderr, "natrix: there is no set \"{}\"; `natrix sets` lists them\n", name);
  return kNotFound;
}

Json ToJson(const NamedSet& set) {
  Json members = Json::array();
  for (const Member& member : set.members) members.push_back(ToText(set.name, member));
  return {{"name", set.name.text},
          {"type", set.name.type},
          {"family", FamilyOf(set.name)},
          {"members", std::move(members)}};
}

void List(const Context& context, const std::vector<NamedSet>& sets) {
  if (context.json) {
    Json list = Json::array();
    for (const NamedSet& set : sets) list.push_back(ToJson(set));
    fmt::print("{}\n", Json{{"sets", std::move(list)}}.dump(2));
    return;
  }
  TextTable table({{"NAME"}, {"TYPE"}, {"FAMILY"}, {"MEMBERS", Align::kRight}});
  for (const NamedSet& set : sets)
    table.Add(
        {set.name.text, set.name.type, FamilyOf(set.name), fmt::to_string(set.members.size())});
  fmt::print("{}", table.Render());
}

void ShowOne(const Context& context, const NamedSet& set) {
  if (context.json) {
    fmt::print("{}\n", ToJson(set).dump(2));
    return;
  }
  fmt::print("Name: {}\nType: {}\nFamily: {}\nMembers: {}\n", set.name.text, set.name.type,
             FamilyOf(set.name), set.members.size());
  for (const Member& member : set.members) fmt::print("{}\n", ToText(set.name, member));
}

std::string_view MemberName(SetName::Kind kind) {
  switch (kind) {
    case SetName::Kind::kPrefix:
    case SetName::Kind::kAddress:
      return "address";
    case SetName::Kind::kService:
      return "ADDRESS,PROTOCOL:PORT";
    case SetName::Kind::kPort:
      return "port";
    case SetName::Kind::kLoop:
    case SetName::Kind::kRange:
      return "ADDRESS,PROTOCOL:PORT,ADDRESS";
  }
  return "";
}

int Test(const Context& context, PinnedMaps& pins, const SetName& set, const std::string& text) {
  const auto asked = ParseMember(set, text);
  if (!asked) return ReportUsage(fmt::format("\"{}\" is no {}", text, MemberName(set.kind)));
  const auto member = IsMember(pins, set, *asked);
  if (!member) return Report(member.error());
  if (context.json)
    fmt::print("{}\n", Json{{"set", set.text}, {"address", text}, {"member", *member}}.dump(2));
  else
    fmt::print("{} is {}in set {}\n", text, *member ? "" : "NOT ", set.text);
  return *member ? kOk : kFailed;
}

int CheckArguments(const Context& context, const std::optional<std::string>& name,
                   const std::optional<std::string>& test, SetFormat format) {
  if (name && !ParseSetName(*name)) return ReportNoSet(*name);
  if (test && !name) return ReportUsage("--test needs the name of a set");
  if (format == SetFormat::kIpset && (test || context.json))
    return ReportUsage("--format ipset goes with neither --test nor --json");
  return kOk;
}

}  // namespace

int Sets(const Context& context, const std::optional<std::string>& name,
         const std::optional<std::string>& test, SetFormat format) {
  if (const int code = CheckArguments(context, name, test, format); code != kOk) return code;
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  auto sets = ReadSets(pins);
  if (!sets) return Report(sets.error());
  if (name) {
    std::erase_if(*sets, [&](const NamedSet& set) { return set.name.text != *name; });
    if (sets->empty()) return ReportNoSet(*name);
  }
  if (test) return Test(context, pins, sets->front().name, *test);
  if (format == SetFormat::kIpset)
    fmt::print("{}", IpsetText(*sets));
  else if (name)
    ShowOne(context, sets->front());
  else
    List(context, *sets);
  return kOk;
}

}  // namespace natrix::cli
