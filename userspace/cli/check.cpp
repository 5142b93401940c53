// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "userspace/cli/command.h"
#include "userspace/config/load.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<config::Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const auto& diagnostic : diagnostics)
    list.push_back({{"file", diagnostic.file},
                    {"line", diagnostic.line},
                    {"column", diagnostic.column},
                    {"message", diagnostic.message},
                    {"help", diagnostic.help}});
  return list;
}

Json ToJson(const config::Loaded& loaded, const std::string& file) {
  return {{"file", file},
          {"ok", loaded.config.has_value()},
          {"errors", ToJson(loaded.diagnostics)},
          {"warnings", ToJson(loaded.warnings)},
          {"leftOut", loaded.left_out}};
}

}  // namespace

int Check(const Context& context, const std::string& file) {
  const auto loaded = config::LoadFile(file);
  if (context.json) {
    // A file may hold any bytes; the document is UTF-8 nevertheless.
    fmt::print("{}\n", ToJson(loaded, file).dump(2, ' ', false, Json::error_handler_t::replace));
  } else if (loaded) {
    fmt::print(stderr, "{}", loaded.RenderWarnings());
    fmt::print("{}: ok{}\n", file, loaded.warnings.empty() ? "" : ", with warnings");
  } else {
    fmt::print(stderr, "{}", loaded.Render());
  }
  return loaded ? kOk : kFailed;
}

}  // namespace natrix::cli
