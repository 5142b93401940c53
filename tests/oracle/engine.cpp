// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/engine.h"

#include <cstdlib>

#include "tests/support/setup_error.h"
#include "userspace/config/load.h"

namespace natrix::oracle {

std::optional<EngineKind> ParseEngine(std::string_view text) {
  if (text == "legacy") return EngineKind::kLegacy;
  if (text == "nft") return EngineKind::kNft;
  if (text == "natrix") return EngineKind::kNatrix;
  return std::nullopt;
}

std::unique_ptr<Engine> MakeEngine(EngineKind kind, const Scene& scene) {
  return kind == EngineKind::kNatrix ? MakeNatrixEngine(scene) : MakeKernelEngine(kind, scene);
}

std::string ExamplePath() { return NATRIX_SOURCE_DIR "/docs/examples/kube-ovn.yaml"; }

model::Config LoadConfig(const std::string& path) {
  config::Loaded loaded = config::LoadFile(path);
  if (!loaded) throw support::SetupError(loaded.Render());
  return *std::move(loaded.config);
}

std::string ProgramPath(const std::string& name) {
  if (const char* folder = std::getenv("NATRIX_BIN_DIR")) return std::string(folder) + "/" + name;
  const std::string layer = name == "natrixd" ? "daemon" : "cli";
  return std::string(NATRIX_BUILD_DIR) + "/userspace/" + layer + "/" + name;
}

}  // namespace natrix::oracle
