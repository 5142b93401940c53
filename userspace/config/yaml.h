// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/config/source.h"

namespace natrix::config {

struct Entry;

// A YAML value that knows where it was written.
struct Node {
  enum class Kind { kScalar, kList, kMap };

  Kind kind = Kind::kScalar;
  Span where;
  std::string text;            // kScalar, without quotes and escapes
  bool quoted = false;         // kScalar: any style but plain
  bool broken = false;         // already reported: nothing more is to be said about it
  std::vector<Node> items;     // kList
  std::vector<Entry> entries;  // kMap; keys are different from each other

  // Nothing was written where a value belongs ("key:", "~", "null").
  bool IsNull() const;
  const Entry* Find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Span key_where;
  Node value;
};

// Deeper than any configuration is, shallower than any stack.
inline constexpr std::size_t kMaxDepth = 16;

// The one document of `source`; nullopt when it cannot be made sense of, which is then in
// `diagnostics`.  Less grave mistakes (a key written twice) are reported there too, and parsing
// goes on.  Refuses anchors, aliases and tags: a configuration says what it means.
std::optional<Node> ParseYaml(const Source& source, Diagnostics& diagnostics);

}  // namespace natrix::config
