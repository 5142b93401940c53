// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "maps/abi/names.h"

namespace natrix::cli {

int Report(const Error& error) {
  const int code = error.code().value();
  const bool denied = code == EPERM || code == EACCES;
  fmt::print(stderr, "natrix: {}{}\n", error.ToString(), denied ? " (root is needed)" : "");
  return denied ? kNotPermitted : kFailed;
}

int CheckLoaded(const Context& context) {
  const auto exists = context.root.Exists();
  if (!exists) return Report(exists.error());
  if (*exists) return kOk;
  fmt::print(stderr, "natrix: no datapath is loaded: nothing is pinned under {}\n",
             context.root.path());
  return kNotLoaded;
}

int ReportUsage(const std::string& what) {
  fmt::print(stderr, "natrix: {}\n", what);
  return kUsage;
}

int Version(const Context& context, const std::string& version) {
  if (context.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"version", version}, {"layout", NX_LAYOUT}}.dump(2));
  else
    fmt::print("natrix {} (map layout {})\n", version, NX_LAYOUT);
  return kOk;
}

}  // namespace natrix::cli
