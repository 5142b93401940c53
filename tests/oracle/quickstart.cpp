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

// The flows of one family: every row of the example that a user can see.
void AddFlows(Family family, std::vector<LiveFlow>& flows) {
  const Cast& cast = CastOf(family);
  const std::string version = family == Family::kIpv4 ? "IPv4 " : "IPv6 ";
  const auto add = [&](const char* name, Kind kind, Place from, const std::string& source,
                       const std::string& destination, Place to) {
    const auto port = static_cast<std::uint16_t>(40000 + flows.size());
    flows.push_back({version + name, kind, from, source, destination, to, port});
  };
  using enum Place;
  using enum Kind;
  add("TCP   pod1 -> internet", kTcp, kPod1, cast.pod1, cast.web, kOutside);
  add("TCP   pod1 -> internet, 1 MB each way", kTcpStream, kPod1, cast.pod1, cast.web, kOutside);
  add("UDP   pod1 -> internet", kUdp, kPod1, cast.pod1, cast.web, kOutside);
  add("ICMP  pod1 -> internet", kEcho, kPod1, cast.pod1, cast.web, kOutside);
  add("TCP   pod2 -> internet", kTcp, kPod2, cast.pod2, cast.web2, kOutside);
  add("TCP   pod1 -> other node", kTcp, kPod1, cast.pod1, cast.other_node, kOutside);
  add("TCP   pod3 (no-nat) -> internet", kTcp, kPod3, cast.pod3, cast.web, kOutside);
  add("UDP   pod3 (no-nat) -> internet", kUdp, kPod3, cast.pod3, cast.web, kOutside);
  add("ICMP  pod3 (no-nat) -> internet", kEcho, kPod3, cast.pod3, cast.web, kOutside);
  add("TCP   pod3 (no-nat) -> service", kTcp, kPod3, cast.pod3, cast.service, kOutside);
  add("UDP   pod1 -> service", kUdp, kPod1, cast.pod1, cast.service, kOutside);
  add("TCP   pod1 -> pod3", kTcp, kPod1, cast.pod1, cast.pod3, kPod3);
  add("UDP   pod3 -> pod1", kUdp, kPod3, cast.pod3, cast.pod1, kPod1);
  add("TCP   internet -> pod3, routed", kTcp, kOutside, cast.client, cast.pod3, kPod3);
  add("TCP   internet -> floating IP of pod1", kTcp, kOutside, cast.client, cast.floating, kPod1);
  add("UDP   internet -> floating IP of pod1", kUdp, kOutside, cast.client, cast.floating, kPod1);
  add("ICMP  internet -> floating IP of pod1", kEcho, kOutside, cast.client, cast.floating, kPod1);
  add("TCP   pod2 -> floating IP of pod1", kTcp, kPod2, cast.pod2, cast.floating, kPod1);
  add("TCP   pod1 -> its own floating IP", kTcp, kPod1, cast.pod1, cast.floating, kPod1);
}

std::string TextOf(const Sight& sight) {
  if (!sight.answered) return sight.trouble;
  const bool v6 = sight.address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", sight.address, sight.port)
            : fmt::format("{}:{}", sight.address, sight.port);
}

// The port's number is chance where it was changed; whether it was is not.
bool Same(const LiveFlow& flow, const Sight& one, const Sight& other) {
  return one.answered && other.answered && one.address == other.address &&
         (one.port == flow.source_port) == (other.port == flow.source_port);
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
    std::vector<LiveFlow> flows;
    AddFlows(Family::kIpv4, flows);
    AddFlows(Family::kIpv6, flows);
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
