// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace natrix::test {

// A file of the source tree, by its path from the root; fails the test when it cannot be read.
std::string ReadSource(const std::string& path);

// Expects that the checked-in file `path` is `actual`.  With NATRIX_BLESS=1 in the environment
// (tools/bless) it is written instead.
void ExpectGolden(const std::string& path, const std::string& actual);

}  // namespace natrix::test
