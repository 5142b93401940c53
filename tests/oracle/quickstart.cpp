// SPDX-License-Identifier: Apache-2.0
//
// natrix_quickstart: two live nodes, one with natrixd and one with iptables + ipset, the same real
// traffic through both, and a table of what the far ends saw.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "tests/oracle/engine.h"
#include "tests/oracle/live_flow.h"
#include "tests/oracle/scene.h"

namespace natrix::oracle {
namespace {

constexpr int kLimitMs = 2000;

std::string TextOf(const Sight& sight) {
  if (!sight.answered) return sight.trouble;
  const bool v6 = sight.address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", sight.address, sight.port)
            : fmt::format("{}:{}", sight.address, sight.port);
}

class Quickstart {
 public:
  explicit Quickstart(EngineKind judge)
      : natrix_scene_("natrix", {.live = true, .offloads = true}),
        kernel_scene_("kernel", {.live = true, .offloads = true}),
        natrix_(MakeEngine(EngineKind::kNatrix, natrix_scene_)),
        kernel_(MakeEngine(judge, kernel_scene_)) {}

  // The exit status.
  int Run() {
    fmt::print(
        "quickstart: natrixd --config docs/examples/kube-ovn.yaml in one node, {} + ipset "
        "with the rules of Kube-OVN in the other\n",
        kernel_->name());
    natrix_->ApplyFile(ExamplePath());
    kernel_->ApplyFile(ExamplePath());
    const std::vector<LiveFlow> flows = ExampleFlows();
    fmt::print("quickstart: {} flows through each: the caller, as the far end sees it\n\n",
               flows.size());
    return Table(flows) == flows.size() ? 0 : 1;
  }

 private:
  // Returns how many rows are the same.
  std::size_t Table(const std::vector<LiveFlow>& flows) {
    constexpr const char* kRow = "{:<42} {:<27} {:<27} {}\n";
    fmt::print(kRow, "flow", "with natrix", "with iptables + ipset", "same?");
    fmt::print("{:-<42} {:-<27} {:-<27} {:-<5}\n", "", "", "", "");
    std::size_t same = 0;
    for (const LiveFlow& flow : flows) {
      const Sight natrix = Observe(natrix_scene_, flow, kLimitMs);
      const Sight kernel = Observe(kernel_scene_, flow, kLimitMs);
      const bool equal = Same(flow, natrix, kernel);
      same += equal;
      fmt::print(kRow, flow.name, TextOf(natrix), TextOf(kernel), equal ? "same" : "DIFFERENT");
      std::fflush(stdout);
    }
    fmt::print("\n{} of {} the same\n", same, flows.size());
    if (same != flows.size()) fmt::print("\nnatrix knows:\n{}\n", natrix_->Explain());
    return same;
  }

  Scene natrix_scene_;
  Scene kernel_scene_;
  std::unique_ptr<Engine> natrix_;
  std::unique_ptr<Engine> kernel_;
};

}  // namespace
}  // namespace natrix::oracle

int main(int argc, char** argv) {
  CLI::App app("natrix and iptables + ipset side by side", "natrix_quickstart");
  std::string backend = "legacy";
  app.add_option("--backend", backend, "Which iptables to compare with")
      ->check(CLI::IsMember({"legacy", "nft"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    fmt::print("quickstart: making two nodes, with three pods and an outside host each\n");
    std::fflush(stdout);
    return natrix::oracle::Quickstart(*natrix::oracle::ParseEngine(backend)).Run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "quickstart: {}\n", error.what());
    return 1;
  }
}
