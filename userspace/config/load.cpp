// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/load.h"

#include <fmt/format.h>

#include <utility>

#include "userspace/base/file.h"
#include "userspace/config/check.h"
#include "userspace/config/decode.h"
#include "userspace/config/source.h"
#include "userspace/config/text.h"
#include "userspace/config/yaml.h"

namespace natrix::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::optional<model::Config> Read(const Source& source, const model::Config* before,
                                  Diagnostics& diagnostics) {
  if (!CheckText(source, diagnostics)) return std::nullopt;
  const std::optional<Node> root = ParseYaml(source, diagnostics);
  if (!root) return std::nullopt;
  Decoded decoded = Decode(*root, before, diagnostics);
  Check(decoded, diagnostics);
  if (!diagnostics.ok()) return std::nullopt;
  return std::move(decoded.config);
}

}  // namespace

std::string Loaded::Render() const {
  std::string out = RenderWarnings();
  for (const Diagnostic& diagnostic : diagnostics) out += config::Render(diagnostic);
  const std::size_t all = diagnostics.size() + left_out;
  if (all == 0) return out;
  const std::string& file = diagnostics.front().file;
  out += fmt::format("{}: {} error{}", file, all, all == 1 ? "" : "s");
  if (left_out > 0) out += fmt::format(", the first {} are shown", diagnostics.size());
  return out + "\n";
}

std::string Loaded::RenderWarnings() const {
  std::string out;
  for (const Diagnostic& warning : warnings) out += config::Render(warning);
  return out;
}

Loaded LoadFile(const std::string& path, const model::Config* before) {
  Result<std::string> text = ReadFile(path, kMaxBytes);
  if (text) return LoadText(path, *std::move(text), before);
  Loaded loaded;
  loaded.diagnostics.push_back({.file = path, .message = text.error().ToString()});
  return loaded;
}

Loaded LoadText(std::string name, std::string text, const model::Config* before) {
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  const Source source(std::move(name), std::move(text));
  Diagnostics diagnostics(source);
  Loaded loaded;
  loaded.config = Read(source, before, diagnostics);
  loaded.left_out = diagnostics.left_out();
  loaded.diagnostics = diagnostics.Take();
  loaded.warnings = diagnostics.TakeWarnings();
  return loaded;
}

}  // namespace natrix::config
