// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <vector>

#include "userspace/config/load.h"

// Broken configurations as data: a text, and every problem it must be refused for.
namespace natrix::config {

// Two lines that are right, so that the third is the first of the case's own.
inline constexpr const char* kNode = "node: {uplinks: [eth0], podDevices: [ovn0]}\n#\n";

// "3:14 message" of each diagnostic.
inline std::vector<std::string> Problems(const Loaded& loaded) {
  std::vector<std::string> list;
  for (const Diagnostic& d : loaded.diagnostics)
    list.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
  return list;
}

struct Broken {
  std::string name;
  std::string text;
  std::vector<std::string> problems;
  std::string help = "";  // of the first problem; empty: not looked at
};

inline void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class BrokenConfig : public testing::TestWithParam<Broken> {};

inline std::string NameOf(const testing::TestParamInfo<Broken>& info) { return info.param.name; }

inline std::string Node(const std::string& rest) { return kNode + rest; }

}  // namespace natrix::config
