// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// What docs/ says about the configuration, made from the table in keys.h.
namespace natrix::config {

// `markdown` with the lines between `<!-- words: PATH -->` and `<!-- end -->` replaced by the table
// of the words under PATH ("" is written as "top").
std::string WithReferenceTables(std::string_view markdown);

// The JSON schema (draft 7, which editors know best) of the whole file.
std::string JsonSchema();

}  // namespace natrix::config
