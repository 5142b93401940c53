// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace natrix::test {
namespace {

std::filesystem::path InSource(const std::string& path) {
  return std::filesystem::path(NATRIX_SOURCE_DIR) / path;
}

}  // namespace

std::string ReadSource(const std::string& path) {
  std::ifstream file(InSource(path));
  EXPECT_TRUE(file) << "cannot read " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void ExpectGolden(const std::string& path, const std::string& actual) {
  const char* bless = std::getenv("NATRIX_BLESS");
  if (bless != nullptr && std::string_view(bless) == "1") {
    std::filesystem::create_directories(InSource(path).parent_path());
    std::ofstream(InSource(path)) << actual;
    return;
  }
  EXPECT_EQ(ReadSource(path), actual) << path << " differs; if it should, run tools/bless";
}

}  // namespace natrix::test
