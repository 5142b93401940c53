// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/model/config.h"

namespace natrix::config {

// A configuration, or everything that is wrong with it: exactly one of the two.
struct Loaded {
  std::optional<model::Config> config;
  std::vector<Diagnostic> diagnostics;  // in the order of the file
  std::size_t left_out = 0;             // further errors, not in `diagnostics`

  explicit operator bool() const { return config.has_value(); }
  // All diagnostics as a person reads them, and how many there were; empty when there are none.
  std::string Render() const;
};

// A file that cannot be read is a diagnostic without a line.
Loaded LoadFile(const std::string& path);
// `name` is what diagnostics call the text.
Loaded LoadText(std::string name, std::string text);

}  // namespace natrix::config
