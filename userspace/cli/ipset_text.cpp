// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ipset_text.h"

#include <fmt/format.h>

#include <set>

namespace natrix::cli {
namespace {

using model::Family;
using model::Prefix;

std::string CreateLine(const SetName& set) {
  if (set.kind == SetName::Kind::kPort)
    return fmt::format("create {} {} range 0-65535\n", set.text, set.type);
  return fmt::format("create {} {} family {} hashsize 1024 maxelem {}\n", set.text, set.type,
                     set.family == Family::kIpv4 ? "inet" : "inet6",
                     set.kind == SetName::Kind::kPrefix ? 1048576 : 65536);
}

// One address is written without a length, and all of them as two halves.
std::vector<std::string> ToIpset(const Prefix& prefix) {
  const bool v4 = prefix.family() == Family::kIpv4;
  if (prefix.length == (v4 ? 32 : 128)) return {prefix.address.ToString()};
  if (prefix.length != 0) return {prefix.ToString()};
  if (v4) return {"0.0.0.0/1", "128.0.0.0/1"};
  return {"::/1", "8000::/1"};
}

std::vector<std::string> ToIpset(const SetName& set, const Member& member) {
  using Kind = SetName::Kind;
  if (set.kind == Kind::kPrefix || set.kind == Kind::kAddress) return ToIpset(member.prefix);
  if (set.kind != Kind::kRange) return {ToText(set, member)};
  std::vector<std::string> elements = ToIpset(member.source);
  const SetName called{.text = {}, .type = {}, .family = set.family, .kind = Kind::kService};
  for (std::string& source : elements) source = ToText(called, member) + "," + source;
  return elements;
}

}  // namespace

std::string IpsetText(const std::vector<NamedSet>& sets) {
  std::string text;
  for (const NamedSet& set : sets) {
    text += CreateLine(set.name);
    // `ipset restore` refuses an element twice, and a half of /0 may be a member of its own.
    std::set<std::string> written;
    for (const Member& member : set.members)
      for (const std::string& element : ToIpset(set.name, member))
        if (written.insert(element).second)
          text += fmt::format("add {} {}\n", set.name.text, element);
  }
  return text;
}

}  // namespace natrix::cli
