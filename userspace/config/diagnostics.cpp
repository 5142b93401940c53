// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace natrix::config {
namespace {

constexpr std::size_t kLineWidth = 120;
constexpr std::size_t kMessageLength = 300;

// What of a line is printed, and where the caret goes under it.
struct Excerpt {
  std::string line;
  std::string caret;
};

bool IsPrintable(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return lead >= 0x20 && lead < 0x7f;
  // C1 controls (U+0080 to U+009F) start with 0xc2 and are terminal escapes too.
  if (lead == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0) return false;
  const std::size_t announced = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  return character.size() == announced;
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> list;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    list.push_back(text.substr(i, next - i));
    i = next;
  }
  return list;
}

// A message quotes the file, and escapes in it ("\u001b") are decoded by then.
std::string Printable(std::string_view text) {
  std::string out;
  std::size_t count = 0;
  for (const std::string_view character : Characters(text)) {
    if (++count > kMessageLength) return out + "...";
    out += IsPrintable(character) ? character : "?";
  }
  return out;
}

// A file is not trusted with the terminal: what is no printable character becomes '?'.  A tab stays
// one in both lines, so that the caret stays under its place.
void Append(Excerpt& out, std::string_view character, bool pointed_at) {
  const bool tab = character == "\t";
  out.line += tab || IsPrintable(character) ? character : "?";
  out.caret += pointed_at ? '^' : tab ? '\t' : ' ';
}

// `from` and `width` count characters of `line`.
Excerpt ExcerptOf(std::string_view line, std::size_t from, std::size_t width) {
  const std::vector<std::string_view> characters = Characters(line);
  std::size_t first = 0;
  if (characters.size() > kLineWidth && from > kLineWidth / 2) first = from - kLineWidth / 2;
  const std::size_t last = std::min(characters.size(), first + kLineWidth);
  Excerpt out;
  if (first > 0) out = {"...", "   "};
  for (std::size_t i = first; i < last; ++i)
    Append(out, characters[i], i >= from && i < from + width);
  if (last < characters.size()) out.line += "...";
  // Something is missing at the end of the line.
  if (from >= last) out.caret += '^';
  out.caret.erase(out.caret.find_last_of('^') + 1);
  return out;
}

std::vector<Diagnostic> InOrder(std::vector<Diagnostic> list) {
  std::ranges::stable_sort(list, {},
                           [](const Diagnostic& d) { return std::tuple(d.line, d.column); });
  return list;
}

}  // namespace

std::string Render(const Diagnostic& d) {
  if (d.line == 0) return fmt::format("{}: error: {}\n", d.file, d.message);
  std::string out = fmt::format("{}:{}:{}: {}: {}\n", d.file, d.line, d.column,
                                d.warning ? "warning" : "error", d.message);
  out += fmt::format("{:>5} | {}\n      | {}\n", d.line, d.text, d.caret);
  if (!d.help.empty()) out += fmt::format("      = help: {}\n", d.help);
  return out;
}

std::string OneLine(const Diagnostic& d) {
  return fmt::format("{}:{}:{}: {}{}{}", d.file, d.line, d.column, d.message,
                     d.help.empty() ? "" : "; ", d.help);
}

void Diagnostics::Error(Span where, std::string_view message, std::string_view help) {
  if (full())
    ++left_out_;
  else
    list_.push_back(Locate(where, message, help));
}

void Diagnostics::Warn(Span where, std::string_view message, std::string_view help) {
  if (warnings_.size() == kMost) return;
  warnings_.push_back(Locate(where, message, help));
  warnings_.back().warning = true;
}

Diagnostic Diagnostics::Locate(Span where, std::string_view message, std::string_view help) const {
  const Source::Position at = source_.Locate(where.begin);
  const std::string_view line = source_.Line(at.line);
  const std::size_t offset = where.begin - std::min(where.begin, source_.LineStart(at.line));
  const std::string_view pointed =
      offset < line.size() ? line.substr(offset, where.end - std::min(where.end, where.begin))
                           : std::string_view();
  const std::size_t width = std::max<std::size_t>(1, CountCharacters(pointed));
  Excerpt excerpt = ExcerptOf(line, static_cast<std::size_t>(at.column) - 1, width);
  return {
      .file = source_.name(),
      .line = at.line,
      .column = at.column,
      .width = static_cast<int>(width),
      .message = Printable(message),
      .help = Printable(help),
      .text = std::move(excerpt.line),
      .caret = std::move(excerpt.caret),
  };
}

std::string Diagnostics::PlaceOf(Span where) const {
  const Source::Position at = source_.Locate(where.begin);
  return fmt::format("{}:{}", at.line, at.column);
}

std::string FirstAt(Span first, const Diagnostics& diagnostics) {
  return fmt::format("the first one is at {}", diagnostics.PlaceOf(first));
}

std::vector<Diagnostic> Diagnostics::Take() { return InOrder(std::move(list_)); }

std::vector<Diagnostic> Diagnostics::TakeWarnings() { return InOrder(std::move(warnings_)); }

}  // namespace natrix::config
