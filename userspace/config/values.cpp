// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

#include "userspace/base/suggest.h"
#include "userspace/config/duration.h"

namespace natrix::config {
namespace {

bool IsAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// RFC 1123 subdomain, as Kubernetes names are.
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && IsAlnum(text.front()) && IsAlnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return IsAlnum(c) || c == '-' || c == '.'; });
}

// Decimal or 0x: what YAML 1.2 calls an integer and people write for marks.  A number too large
// for 64 bits comes back as the largest one, for the range check to refuse.
std::optional<std::uint64_t> ParseInteger(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  if (base == 10 && text.size() > 1 && text[0] == '0') return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::numeric_limits<std::uint64_t>::max();
  return number;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// What somebody meant by a word that YAML 1.1 took for a truth value.
std::optional<bool> MeantBool(std::string_view text) {
  const std::string word = Lower(text);
  for (const char* yes : {"true", "yes", "on", "y", "1", "enabled"})
    if (word == yes) return true;
  for (const char* no : {"false", "no", "off", "n", "0", "disabled"})
    if (word == no) return false;
  return std::nullopt;
}

std::string_view Article(const Key& key) {
  switch (key.type) {
    case Type::kAddresses:
      return "an address";
    case Type::kCidrs:
      return "a CIDR";
    case Type::kDevices:
    case Type::kDevice:
      return "a device name";
    case Type::kPorts:
      return "a port or a range of ports";
    case Type::kServicePorts:
      return "a service port";
    case Type::kLoopBacks:
      return "an endpoint with a source";
    case Type::kSourceRanges:
      return "a service port with a CIDR";
    default:
      return TypeName(key.type);
  }
}

}  // namespace

std::string ShapeHelp(const Key& key) {
  if (key.example.empty()) return "";
  return fmt::format("write `{}: {}`", key.name(), key.example);
}

bool IsScalar(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (node.broken) return false;
  if (node.IsNull()) {
    diagnostics.Error(node.where, fmt::format("\"{}\" has no value here", key.name()),
                      ShapeHelp(key));
    return false;
  }
  if (node.kind == Node::Kind::kScalar) return true;
  const char* what = node.kind == Node::Kind::kList ? "a list" : "a mapping";
  diagnostics.Error(node.where, fmt::format("{} where {} belongs", what, Article(key)),
                    ShapeHelp(key));
  return false;
}

std::optional<std::string> ReadName(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  if (IsName(node.text)) return node.text;
  diagnostics.Error(
      node.where, fmt::format("\"{}\" is not a name", node.text),
      "a name has lower case letters, digits, '-' and '.', and begins and ends with a "
      "letter or digit");
  return std::nullopt;
}

std::optional<std::string> ReadContainer(const Node& node, const Key& key,
                                         Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto allowed = [&](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; };
  if (!node.text.empty() && alnum(node.text[0]) && std::ranges::all_of(node.text, allowed))
    return node.text;
  diagnostics.Error(node.where, fmt::format("\"{}\" is not a container's name", node.text),
                    "it has letters, digits, '_', '.' and '-', and begins with a letter or digit");
  return std::nullopt;
}

std::optional<bool> ReadBool(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  if (!node.quoted && node.text == "true") return true;
  if (!node.quoted && node.text == "false") return false;
  const std::optional<bool> meant = MeantBool(node.text);
  diagnostics.Error(node.where,
                    fmt::format("\"{}\" is neither true nor false", node.text) +
                        (node.quoted ? ", it is a text" : ""),
                    meant ? fmt::format("write `{}: {}`", key.name(), *meant)
                          : fmt::format("write `{0}: true` or `{0}: false`", key.name()));
  return std::nullopt;
}

std::optional<std::uint32_t> ReadCount(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseInteger(node.text);
  const std::string range = fmt::format("a number from {} to {}", key.least, key.most);
  if (!number || node.quoted) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is not a whole number", node.text),
                      fmt::format("write {}", range) + (node.quoted ? ", without quotes" : ""));
    return std::nullopt;
  }
  if (*number < key.least || *number > key.most) {
    diagnostics.Error(
        node.where, fmt::format("{} is too {}", node.text, *number < key.least ? "small" : "large"),
        fmt::format("\"{}\" is {}", key.name(), range));
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint16_t> ReadPort(const Node& node, const Key& key, Diagnostics& diagnostics) {
  const std::optional<std::uint32_t> number = ReadCount(node, key, diagnostics);
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<std::uint32_t> ReadMark(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseInteger(node.text);
  if (!number) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is not a mark", node.text),
                      fmt::format("write its bits as a number, like {}", key.fallback));
    return std::nullopt;
  }
  if (*number == 0) {
    diagnostics.Error(node.where, "a mark of 0 has no bit to set",
                      fmt::format("the usual one is {}", key.fallback));
    return std::nullopt;
  }
  if (*number > std::numeric_limits<std::uint32_t>::max()) {
    diagnostics.Error(node.where, fmt::format("{} has more than 32 bits", node.text),
                      "a packet mark is a number up to 0xffffffff");
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint32_t> ReadDuration(const Node& node, const Key& key,
                                          Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::optional<std::uint32_t> seconds = ParseDuration(node.text);
  if (!seconds) {
    const bool bare = ParseInteger(node.text).has_value();
    diagnostics.Error(node.where, fmt::format("\"{}\" is not a duration", node.text),
                      bare ? fmt::format("say the unit: {}s, or m, h, d", node.text)
                           : "write numbers with their units, like 30s, 1h30m or 5d");
    return std::nullopt;
  }
  if (*seconds == 0 || *seconds > kMaxSeconds) {
    diagnostics.Error(node.where,
                      fmt::format("{} is too {}", node.text, *seconds == 0 ? "short" : "long"),
                      fmt::format("a timeout is from 1s to {}", FormatDuration(kMaxSeconds)));
    return std::nullopt;
  }
  return seconds;
}

std::optional<std::size_t> ReadChoice(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const auto found = std::ranges::find(key.choices, std::string_view(node.text));
  if (found != key.choices.end()) return static_cast<std::size_t>(found - key.choices.begin());
  const auto close = DidYouMean(node.text, key.choices);
  diagnostics.Error(node.where, fmt::format("\"{}\" is no {}", node.text, key.name()),
                    close ? fmt::format("did you mean \"{}\"?", *close)
                          : fmt::format("write one of: {}", fmt::join(key.choices, ", ")));
  return std::nullopt;
}

namespace {

// Two ports with `separator` between them, or one.  `help` says how it is written.
std::optional<model::PortRange> ReadRangeOfPorts(const Node& node, char separator,
                                                 std::string_view help, Diagnostics& diagnostics) {
  const std::string_view text = node.text;
  const std::size_t at = text.find(separator);
  const auto first = ParseInteger(text.substr(0, at));
  const auto last = at == text.npos ? first : ParseInteger(text.substr(at + 1));
  if (!first || !last) {
    diagnostics.Error(node.where, fmt::format("\"{}\" is no port and no range of ports", text),
                      std::string(help));
    return std::nullopt;
  }
  for (const std::uint64_t port : {*first, *last}) {
    if (port >= 1 && port <= 65535) continue;
    diagnostics.Error(node.where, fmt::format("there is no port {}", port),
                      "ports are from 1 to 65535");
    return std::nullopt;
  }
  if (*first > *last) {
    diagnostics.Error(node.where, fmt::format("range {} ends before it begins", text),
                      fmt::format("write \"{}{}{}\"", *last, separator, *first));
    return std::nullopt;
  }
  return model::PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

}  // namespace

std::optional<model::PortRange> ReadPorts(const Node& node, const Key& key,
                                          Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  return ReadRangeOfPorts(node, '-', "write 8080, or \"30000-32767\"", diagnostics);
}

std::optional<model::PortRange> ReadPortRange(const Node& node, const Key& key,
                                              Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  return ReadRangeOfPorts(node, node.text.contains(':') ? ':' : '-', "write \"32768:65535\"",
                          diagnostics);
}

std::optional<std::string> ReadInterface(const Node& node, const Key& key,
                                         Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const std::string& text = node.text;
  const bool is_name = std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == ':' || c == '+';
  });
  if (is_name && !text.empty() && text != "+" && text.size() <= 15 &&
      text.find('+') >= text.size() - 1)
    return text;
  diagnostics.Error(node.where, fmt::format("\"{}\" is no device name", text),
                    "write one of up to 15 characters, or `eth+` for all that begin with \"eth\"");
  return std::nullopt;
}

}  // namespace natrix::config
