// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/port_list.h"

#include <charconv>

namespace natrix::daemon {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n";
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return "";
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return port;
}

std::optional<model::PortRange> ParsePair(std::string_view text, std::string_view separators) {
  const std::size_t split = text.find_first_of(separators);
  const auto first = ParsePort(text.substr(0, split));
  const auto last =
      split == std::string_view::npos ? first : ParsePort(Trim(text.substr(split + 1)));
  if (!first || !last || *first > *last) return std::nullopt;
  return model::PortRange{*first, *last};
}

}  // namespace

std::optional<std::vector<model::PortRange>> ParsePortList(std::string_view text) {
  std::vector<model::PortRange> ranges;
  text = Trim(text);
  for (bool more = !text.empty(); more;) {
    const std::size_t comma = text.find(',');
    const auto range = ParsePair(text.substr(0, comma), "-");
    if (!range) return std::nullopt;
    ranges.push_back(*range);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return ranges;
}

std::optional<model::PortRange> ParsePortRange(std::string_view text) {
  return ParsePair(Trim(text), " \t");
}

}  // namespace natrix::daemon
