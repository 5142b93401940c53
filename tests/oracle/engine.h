// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/oracle/scene.h"
#include "tests/support/process.h"
#include "userspace/model/config.h"

namespace natrix::oracle {

// What "ovn-subnet-gateway" counts of one CIDR of a Subnet.
struct GatewayCount {
  std::string subnet;
  std::string cidr;
  bool egress = false;  // -s CIDR, else -d CIDR
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  friend auto operator<=>(const GatewayCount& a, const GatewayCount& b) = default;
};

// What does the translating in a scene's node.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual const char* name() const = 0;
  // Puts a configuration in force; when it returns, the next packet is judged by it.
  virtual void Apply(const model::Config& config) = 0;
  // The same from a file, that natrixd is started with as users do.
  virtual void ApplyFile(const std::string& path) = 0;
  // Its connections are gone, as if it had just begun.
  virtual void Forget() = 0;
  // Of every CIDR and direction.
  virtual std::vector<GatewayCount> GatewayCounts() const = 0;
  // What it knows about its connections, for a person who looks into a mismatch.
  virtual std::string Explain() const = 0;
};

// The example users start from, docs/examples/kube-ovn.yaml: ovn-default (natOutgoing), no-nat,
// join, all distributed; a floating IP of pod1.
std::string ExamplePath();
// A configuration file's content.  Throws SetupError with its diagnostics when it has errors.
model::Config LoadConfig(const std::string& path);

enum class EngineKind { kLegacy, kNft, kNatrix };
// "legacy", "nft" or "natrix".
std::optional<EngineKind> ParseEngine(std::string_view text);

// iptables (of either backend) and ipset, or natrixd, for `scene`, which must outlive it.
std::unique_ptr<Engine> MakeEngine(EngineKind kind, const Scene& scene);
std::unique_ptr<Engine> MakeKernelEngine(EngineKind kind, const Scene& scene);
std::unique_ptr<Engine> MakeNatrixEngine(const Scene& scene);

// A program of this build: natrixd, natrix.  Taken from the folder NATRIX_BIN_DIR names if that is
// set, else from the build tree the tests were built in.
std::string ProgramPath(const std::string& name);

}  // namespace natrix::oracle
