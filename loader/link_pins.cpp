// SPDX-License-Identifier: Apache-2.0
#include "loader/link_pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace natrix::loader {

std::string LinkPinName(std::string_view device, std::uint32_t ifindex, std::string_view what) {
  std::string name = fmt::format("{}-{}-{}", device, ifindex, what);
  std::ranges::replace(name, '.', '_');
  return name;
}

std::optional<LinkPin> ParseLinkPin(std::string_view file, const LinkPinKinds& kinds) {
  // From the right: a device's name may hold dashes itself.
  const std::size_t second = file.rfind('-');
  if (second == std::string_view::npos || second == 0) return std::nullopt;
  const std::size_t first = file.rfind('-', second - 1);
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  LinkPin pin{.file = std::string(file),
              .device = std::string(file.substr(0, first)),
              .what = std::string(file.substr(second + 1))};
  if (std::ranges::find(kinds, pin.what) == kinds.end()) return std::nullopt;
  const std::string_view number = file.substr(first + 1, second - first - 1);
  const auto parsed = std::from_chars(number.begin(), number.end(), pin.ifindex);
  if (parsed.ec != std::errc() || parsed.ptr != number.end()) return std::nullopt;
  return pin;
}

Result<std::vector<LinkPin>> ListLinkPins(const PinRoot& root, const LinkPinKinds& kinds) {
  std::error_code error;
  std::vector<LinkPin> pins;
  std::filesystem::directory_iterator entry(root.LinksDir(), error), end;
  if (error == std::errc::no_such_file_or_directory) return pins;
  for (; !error && entry != end; entry.increment(error))
    if (auto pin = ParseLinkPin(entry->path().filename().string(), kinds))
      pins.push_back(*std::move(pin));
  if (error) return std::unexpected(Error(error, "list " + root.LinksDir()));
  std::ranges::sort(pins, {}, &LinkPin::file);
  return pins;
}

}  // namespace natrix::loader
