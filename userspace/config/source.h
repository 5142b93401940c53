// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace natrix::config {

// Half-open byte range [begin, end) of one file.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// One file's name and text, with its lines found once.
class Source {
 public:
  Source(std::string name, std::string text);

  struct Position {
    int line = 0;    // from 1
    int column = 0;  // from 1, in characters, as editors count
  };
  Position Locate(std::size_t offset) const;
  // Without its line end.  `line` from 1; empty for a line the file does not have.
  std::string_view Line(int line) const;
  // The offset where a line starts; the end of the text for a line the file does not have.
  std::size_t LineStart(int line) const;

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> starts_;  // of each line; never empty
};

// Characters in valid UTF-8; a stray byte counts as one.
std::size_t CountCharacters(std::string_view text);

}  // namespace natrix::config
