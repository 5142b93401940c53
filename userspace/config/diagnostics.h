// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/config/source.h"

namespace natrix::config {

// One thing that is wrong in a file.  Holds all it needs to be shown, so that it may outlive the
// text it is about.
struct Diagnostic {
  bool warning = false;  // the file can be used as it is
  std::string file;
  int line = 0;         // from 1; 0 when the file itself could not be read
  int column = 0;       // from 1, in characters
  int width = 1;        // characters to point at, on this line
  std::string message;  // what is wrong, in the file's own words
  std::string help;     // what to write instead; empty when that cannot be known
  std::string text;     // the offending line, of a long one the part around the place
  std::string caret;    // what to print under `text`: spaces and ^^^
};

// "node.yaml:3:7: error: ..." with the line, a caret under the place, and the help.
std::string Render(const Diagnostic& diagnostic);
// "node.yaml:3:7: message; help": for a log.
std::string OneLine(const Diagnostic& diagnostic);

// Collects everything that is wrong in one file, so that one run reports all of it.
class Diagnostics {
 public:
  // More than a person will read in one go; the rest are only counted.
  static constexpr std::size_t kMost = 100;

  explicit Diagnostics(const Source& source) : source_(source) {}  // source must outlive this

  void Error(Span where, std::string_view message, std::string_view help = "");
  // Like an error, but ok() stays true.  Beyond kMost they are left out.
  void Warn(Span where, std::string_view message, std::string_view help = "");
  bool ok() const { return list_.empty(); }
  std::size_t count() const { return list_.size() + left_out_; }
  bool full() const { return list_.size() == kMost; }

  // "12:5": how a message refers to another place of the same file.
  std::string PlaceOf(Span where) const;

  // In the order of the file: the errors, and what was only warned of.
  std::vector<Diagnostic> Take();
  std::vector<Diagnostic> TakeWarnings();
  std::size_t left_out() const { return left_out_; }

 private:
  Diagnostic Locate(Span where, std::string_view message, std::string_view help) const;

  const Source& source_;
  std::vector<Diagnostic> list_;
  std::vector<Diagnostic> warnings_;
  std::size_t left_out_ = 0;
};

// The help of what is written a second time: where it was written first.
std::string FirstAt(Span first, const Diagnostics& diagnostics);

}  // namespace natrix::config
