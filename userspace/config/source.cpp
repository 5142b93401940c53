// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/source.h"

#include <algorithm>
#include <utility>

namespace natrix::config {

Source::Source(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)), starts_{0} {
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') starts_.push_back(i + 1);
}

Source::Position Source::Locate(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto after = std::ranges::upper_bound(starts_, offset);
  const std::size_t start = *(after - 1);
  const std::size_t before = CountCharacters(std::string_view(text_).substr(start, offset - start));
  return {static_cast<int>(after - starts_.begin()), static_cast<int>(before) + 1};
}

std::string_view Source::Line(int line) const {
  const std::size_t start = LineStart(line);
  std::string_view rest = std::string_view(text_).substr(start);
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

std::size_t Source::LineStart(int line) const {
  const auto index = static_cast<std::size_t>(std::max(line, 1)) - 1;
  return index < starts_.size() ? starts_[index] : text_.size();
}

std::size_t CountCharacters(std::string_view text) {
  // Continuation bytes are 10xxxxxx.
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace natrix::config
