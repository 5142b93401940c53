// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>

#include "userspace/config/values.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Family;
using model::Prefix;

// A pattern is longer than the names it stands for, by its brackets.
constexpr std::size_t kMaxPattern = 64;

bool HasWildcard(std::string_view text) { return text.find_first_of("*?[") != text.npos; }

// Why no device can have this name (dev_valid_name in net/core/dev.c); empty: one can.
std::string WhyNoDevice(std::string_view text) {
  if (text.empty()) return "a device name is not empty";
  if (text == "." || text == "..") return fmt::format("\"{}\" cannot be a device name", text);
  if (text == "lo") return "\"lo\" is never managed: it carries nothing between pods and network";
  for (const char c : text)
    if (c == '/' || c == ':' || std::isspace(static_cast<unsigned char>(c)))
      return fmt::format("\"{}\" cannot be a device name: it has a '{}' in it", text, c);
  const std::size_t most = HasWildcard(text) ? kMaxPattern : IFNAMSIZ - 1;
  if (text.size() > most) return fmt::format("\"{}\" is longer than {} characters", text, most);
  const std::size_t bracket = text.rfind('[');
  if (bracket != text.npos && text.find(']', bracket) == text.npos)
    return fmt::format("pattern \"{}\" has a '[' without its ']'", text);
  return "";
}

// What kind of address this is when it can be nobody's; empty otherwise.
std::string_view WhyNobodys(const Address& address) {
  if (address.IsUnspecified()) return "the unspecified address";
  if (address.IsMulticast()) return "a multicast address";
  if (address.IsLoopback()) return "a loopback address";
  return "";
}

std::string AddressHelp(std::string_view text) {
  if (text.starts_with("::ffff:") && Address::Parse(text.substr(7)))
    return fmt::format("write {}: IPv4 addresses have one form here", text.substr(7));
  if (text.find('/') != text.npos && Prefix::Parse(text))
    return fmt::format("an address belongs here, not a CIDR: write {}",
                       text.substr(0, text.find('/')));
  return "write an IPv4 address like 172.18.0.3 or an IPv6 one like fd00::3";
}

constexpr std::string_view kCidrHelp = "a CIDR is written 10.16.0.0/16 or fd00:10:16::/112";

// Reports why `text`, which Prefix::Parse refused, is no CIDR.
void ReportCidr(const Node& node, Diagnostics& diagnostics) {
  const std::string_view text = node.text;
  const std::size_t slash = text.find('/');
  const std::optional<Address> address = Address::Parse(text.substr(0, slash));
  if (!address) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is not a CIDR", text),
                      std::string(kCidrHelp));
    return;
  }
  const int most = address->family() == Family::kIpv4 ? 32 : 128;
  if (slash == text.npos) {
    diagnostics.Error(node.where, fmt::format("\"{}\" has no prefix length", text),
                      fmt::format("write {}/{} for this one address", text, most));
    return;
  }
  const std::string_view digits = text.substr(slash + 1);
  const bool number =
      !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (!number || (digits.size() > 1 && digits[0] == '0')) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is not a prefix length", digits),
                      std::string(kCidrHelp));
    return;
  }
  diagnostics.Error(node.where, fmt::format("prefix length {} is larger than {}", digits, most),
                    most == 32 ? "an IPv4 CIDR is written a.b.c.d/1 to a.b.c.d/32"
                               : "an IPv6 CIDR is written x::/1 to x::/128");
}

// An IPv6 prefix this wide would hold all of IPv4 too in the maps, where IPv4 is v4-mapped.  Bit by
// bit, because a Prefix never contains one of the other family.
bool CoversIpv4(const Prefix& prefix) {
  static const Address kAny4 = *Address::Parse("0.0.0.0");
  if (prefix.family() == Family::kIpv4) return false;
  for (int bit = 0; bit < prefix.length; ++bit) {
    const int differs = prefix.address.bytes.byte[bit / 8] ^ kAny4.bytes.byte[bit / 8];
    if (bit >= 96 || ((differs >> (7 - bit % 8)) & 1) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> ReadDevice(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  std::string why = WhyNoDevice(node.text);
  if (why.empty()) return node.text;
  diagnostics.Error(node.where, std::move(why), "device names are what `ip link` shows");
  return std::nullopt;
}

std::optional<Address> ReadAddress(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<Address> address = Address::Parse(node.text);
  if (!address) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is not an address", node.text),
                      AddressHelp(node.text));
    return std::nullopt;
  }
  if (const std::string_view why = WhyNobodys(*address); !why.empty()) {
    diagnostics.Error(node.where, fmt::format("{} is {}", node.text, why),
                      "write an address that one host has");
    return std::nullopt;
  }
  return address;
}

std::optional<Address> ReadClusterIp(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (node.kind != Node::Kind::kScalar || node.text != "None")
    return ReadAddress(node, key, diagnostics);
  diagnostics.Error(node.where, "a headless Service has no address to be called at",
                    "leave the whole Service out: its clients call the endpoints themselves");
  return std::nullopt;
}

std::optional<Prefix> ReadCidr(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<Prefix> prefix = Prefix::Parse(node.text);
  if (!prefix) {
    ReportCidr(node, diagnostics);
    return std::nullopt;
  }
  if (prefix->length == 0) {
    const bool is4 = prefix->family() == Family::kIpv4;
    diagnostics.Error(node.where, fmt::format("{} is every address", node.text),
                      fmt::format("write the range that is meant; an ipset takes no /0 either, but "
                                  "{}",
                                  is4 ? "0.0.0.0/1 and 128.0.0.0/1" : "8000::/1 and the like"));
    return std::nullopt;
  }
  if (prefix->HasHostBits()) {
    diagnostics.Error(node.where, fmt::format("{} has host bits set", node.text),
                      fmt::format("write {}", prefix->WithoutHostBits().ToString()));
    return std::nullopt;
  }
  if (CoversIpv4(*prefix)) {
    diagnostics.Error(node.where,
                      fmt::format("{} holds the IPv4-mapped addresses ::ffff:0:0/96", node.text),
                      "write a longer prefix: 2000::/3 is all of the global IPv6 internet");
    return std::nullopt;
  }
  return prefix;
}

std::optional<Prefix> ReadInterfaceAddress(const Node& node, const Key& key,
                                           Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<Prefix> own = Prefix::Parse(node.text);
  if (!own) {
    ReportCidr(node, diagnostics);
    return std::nullopt;
  }
  if (const std::string_view why = WhyNobodys(own->address); !why.empty()) {
    diagnostics.Error(node.where, fmt::format("{} is {}", own->address.ToString(), why),
                      "write the container's own address");
    return std::nullopt;
  }
  const int most = own->family() == Family::kIpv4 ? 32 : 128;
  if (own->length == 0 || CoversIpv4(own->WithoutHostBits())) {
    diagnostics.Error(node.where, fmt::format("/{} is no network of one container", own->length),
                      "write the prefix length that CNI's result has");
    return std::nullopt;
  }
  if (own->length != most && !own->HasHostBits()) {
    diagnostics.Error(node.where, fmt::format("{} is a network, not an address", node.text),
                      "write the container's own address with the network's prefix length");
    return std::nullopt;
  }
  return own;
}

std::optional<Address> ReadHostIp(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<Address> address = Address::Parse(node.text);
  if (address && address->IsLoopback() && address->family() == Family::kIpv6) {
    diagnostics.Error(node.where, "a container cannot be reached at ::1",
                      "the kernel routes nothing from there: leave the mapping out");
    return std::nullopt;
  }
  if (address && (address->IsLoopback() || address->IsUnspecified())) return address;
  return ReadAddress(node, key, diagnostics);
}

std::optional<Prefix> ReadRange(const Node& node, const Key& key, Diagnostics& diagnostics) {
  const std::optional<Prefix> prefix = Prefix::Parse(node.text);
  if (prefix && prefix->length == 0 && !prefix->HasHostBits()) return prefix;
  return ReadCidr(node, key, diagnostics);
}

Node Slice(const Node& whole, std::size_t first, std::size_t last) {
  Node part;
  part.text = whole.text.substr(first, last - first);
  part.quoted = true;  // "" is an empty text, not a missing value
  part.where = whole.where;
  // Places inside a string are known when it is written without escapes and on one line; between
  // quotes it is two characters longer, unless it is a slice itself.
  const std::size_t written = whole.where.end - whole.where.begin;
  const std::size_t quotes = written - std::min(written, whole.text.size());
  if (quotes == 0 || (whole.quoted && quotes == 2))
    part.where = {whole.where.begin + quotes / 2 + first, whole.where.begin + quotes / 2 + last};
  return part;
}

std::vector<Node> SplitCommas(const Node& node, const Key& key, Diagnostics& diagnostics) {
  std::vector<Node> parts;
  if (!IsScalar(node, key, diagnostics)) return parts;
  const std::string_view all = node.text;
  for (std::size_t begin = 0; begin <= all.size();) {
    const std::size_t end = std::min(all.find(',', begin), all.size());
    std::size_t first = begin, last = end;
    while (first < last && all[first] == ' ') ++first;
    while (last > first && all[last - 1] == ' ') --last;
    parts.push_back(Slice(node, first, last));
    begin = end + 1;
  }
  return parts;
}

}  // namespace natrix::config
