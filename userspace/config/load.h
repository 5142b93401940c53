// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/model/config.h"

namespace natrix::config {

// A configuration, or everything that is wrong with it: exactly one of the two.  Either may come
// with warnings.
struct Loaded {
  std::optional<model::Config> config;
  std::vector<Diagnostic> diagnostics;  // in the order of the file
  std::size_t left_out = 0;             // further errors, not in `diagnostics`
  std::vector<Diagnostic> warnings;     // what can be used, but may surprise

  explicit operator bool() const { return config.has_value(); }
  // All of it as a person reads it, and how many errors there were; empty when there is nothing.
  std::string Render() const;
  std::string RenderWarnings() const;
};

// A file that cannot be read is a diagnostic without a line.  A Service that is what it was in
// `before`, another configuration or null, is shared with that.
Loaded LoadFile(const std::string& path, const model::Config* before = nullptr);
// `name` is what diagnostics call the text.
Loaded LoadText(std::string name, std::string text, const model::Config* before = nullptr);

}  // namespace natrix::config
