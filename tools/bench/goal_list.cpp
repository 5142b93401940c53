// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <utility>

#include "tools/bench/goals.h"

namespace natrix::bench {
namespace {

using enum Compare;

void AddMasquerade(std::vector<Goal>& goals) {
  struct Limits {
    const char* flows;
    double floor;
    double speedup;
  };
  for (const auto& [flows, floor, speedup] : {Limits{"1k", 1.20, 1.7}, Limits{"32k", 1.35, 1.8}}) {
    const std::string area = fmt::format("established masquerade, {} flows", flows);
    const std::string id = fmt::format("masquerade-{}", flows);
    goals.push_back({.area = area,
                     .text = "times floor T, at most",
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kRatioAtMost,
                     .limit = floor,
                     .against = "T"});
    goals.push_back({.area = area,
                     .text = "times quicker than iptables-legacy, at least",
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kSpeedupAtLeast,
                     .limit = speedup,
                     .against = "legacy"});
    goals.push_back({.area = area,
                     .text = "times floor K (no firewall), at most",
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kRatioAtMost,
                     .limit = 0.95,
                     .against = "K"});
  }
}

void AddPod(std::vector<Goal>& goals) {
  for (const auto& [flows, floor] : {std::pair("1k", 1.35), std::pair("32k", 1.5)}) {
    const std::string area = fmt::format("DNAT to a local pod, {} flows", flows);
    const std::string id = fmt::format("pod-{}", flows);
    goals.push_back({.area = area,
                     .text = "times floor P, at most",
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kRatioAtMost,
                     .limit = floor,
                     .against = "P"});
    goals.push_back({.area = area,
                     .text = "times quicker than iptables-legacy, at least",
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kSpeedupAtLeast,
                     .limit = 2.2,
                     .against = "legacy"});
  }
}

void AddXdp(std::vector<Goal>& goals) {
  for (const auto& [flows, floor] : {std::pair("1k", 1.3), std::pair("32k", 1.5)}) {
    const std::string area = fmt::format("XDP, established masquerade, {} flows", flows);
    const std::string id = fmt::format("masquerade-{}", flows);
    goals.push_back({.area = area,
                     .text = "times floor X, at most",
                     .case_id = id,
                     .lane = "natrix-xdp",
                     .compare = kRatioAtMost,
                     .limit = floor,
                     .against = "X"});
    goals.push_back({.area = area,
                     .text = "times quicker than iptables-legacy, at least",
                     .case_id = id,
                     .lane = "natrix-xdp",
                     .compare = kSpeedupAtLeast,
                     .limit = 4.5,
                     .against = "legacy"});
  }
}

void AddNewFlows(std::vector<Goal>& goals) {
  goals.push_back({.area = "new masqueraded flow",
                   .text = "ns a packet, at most",
                   .case_id = "masquerade-new",
                   .lane = "natrix",
                   .compare = kValueAtMost,
                   .limit = 2000});
  goals.push_back({.area = "new masqueraded flow",
                   .text = "times quicker than iptables-legacy, at least",
                   .case_id = "masquerade-new",
                   .lane = "natrix",
                   .compare = kSpeedupAtLeast,
                   .limit = 1.7,
                   .against = "legacy"});
}

void AddServices(std::vector<Goal>& goals) {
  const std::string area = "first packet to a Service";
  goals.push_back({.area = area,
                   .text = "number 10,000: times quicker than iptables-legacy, at least",
                   .case_id = "service-10000-last",
                   .lane = "natrix",
                   .compare = kSpeedupAtLeast,
                   .limit = 15,
                   .against = "legacy"});
  goals.push_back({.area = area,
                   .text = "number 10,000: times quicker than nft vmaps, at least",
                   .case_id = "service-10000-last",
                   .lane = "natrix",
                   .compare = kSpeedupAtLeast,
                   .limit = 1.7,
                   .against = "nft"});
  goals.push_back({.area = area,
                   .text = "of 30,000: times the same of 100, at most",
                   .case_id = "service-30000-last",
                   .lane = "natrix",
                   .compare = kRatioAtMost,
                   .limit = 1.05,
                   .against = "natrix",
                   .against_case = "service-100-last"});
}

void AddSmall(std::vector<Goal>& goals) {
  goals.push_back({.area = "10 rules, short connections",
                   .text = "times the connections of iptables-legacy, at least",
                   .case_id = "connect-close",
                   .lane = "natrix",
                   .compare = kRatioAtLeast,
                   .limit = 1.2,
                   .against = "legacy"});
  for (const char* what : {"prefixes", "policies", "services"})
    goals.push_back({.area = "established packets while rules grow",
                     .text = std::string("10 -> 10,000 ") + what + ": times, at most",
                     .case_id = std::string(what) + "-10000",
                     .lane = "natrix",
                     .compare = kRatioAtMost,
                     .limit = 1.03,
                     .against = "natrix",
                     .against_case = std::string(what) + "-10"});
  goals.back().text = "10 -> 10,000 rules (Services): times, at most";
  goals.push_back({.area = "bulk TCP with GSO, 1 stream",
                   .text = "times floor K, at least",
                   .case_id = "bulk-1",
                   .lane = "natrix",
                   .compare = kRatioAtLeast,
                   .limit = 0.98,
                   .against = "K"});
  goals.push_back({.area = "bulk TCP with GSO, 1 stream",
                   .text = "times iptables-legacy, at least",
                   .case_id = "bulk-1",
                   .lane = "natrix",
                   .compare = kRatioAtLeast,
                   .limit = 1.0,
                   .against = "legacy"});
  goals.push_back({.area = "none of ours",
                   .text = "ns added to floor K, at most",
                   .case_id = "pass-through",
                   .lane = "natrix",
                   .compare = kDifferenceAtMost,
                   .limit = 60,
                   .against = "K"});
}

void AddFamilies(std::vector<Goal>& goals) {
  for (const char* id : {"masquerade-1k", "masquerade-32k", "pod-1k", "pod-32k", "masquerade-new"})
    goals.push_back({.area = "IPv6 beside IPv4",
                     .text = fmt::format("{}: times IPv4, at most", id),
                     .case_id = id,
                     .lane = "natrix",
                     .compare = kRatioAtMost,
                     .limit = 1.10,
                     .against = "natrix",
                     .against_family = 4});
}

void AddChanges(std::vector<Goal>& goals) {
  const std::string area = "one endpoint of 10k Services x 10 changed";
  goals.push_back({.area = area,
                   .text = "ms of natrixd's work until in force, the slowest",
                   .case_id = "change-p99",
                   .lane = "natrix",
                   .compare = kValueAtMost,
                   .limit = 1});
  goals.push_back({.area = area,
                   .text = "share of its callers' packets that arrive, at least",
                   .case_id = "change-delivered",
                   .lane = "natrix",
                   .compare = kValueAtLeast,
                   .limit = 1});
}

void AddLoads(std::vector<Goal>& goals) {
  const std::string area = "10k Services x 10 endpoints from empty";
  goals.push_back({.area = area,
                   .text = "ms until settled, less those of reading the file",
                   .case_id = "load-services",
                   .lane = "natrix",
                   .compare = kDifferenceAtMost,
                   .limit = 150,
                   .against = "natrix",
                   .against_case = "load-services-read"});
  goals.push_back({.area = area,
                   .text = "times quicker than iptables-restore, reading included",
                   .case_id = "load-services",
                   .lane = "natrix",
                   .compare = kSpeedupAtLeast,
                   .limit = 25,
                   .against = "legacy"});
  goals.push_back({.area = "100k-prefix set",
                   .text = "ms until settled, less those of reading the file",
                   .case_id = "load-prefixes",
                   .lane = "natrix",
                   .compare = kDifferenceAtMost,
                   .limit = 200,
                   .against = "natrix",
                   .against_case = "load-prefixes-read"});
  AddChanges(goals);
  goals.push_back({.area = "flow table full, 100k new flows/s",
                   .text = "share of established packets delivered, at least",
                   .case_id = "flood-delivered",
                   .lane = "natrix",
                   .compare = kValueAtLeast,
                   .limit = 0.999});
  goals.push_back({.area = "flow table full, 100k new flows/s",
                   .text = "times the unloaded cost, at most",
                   .case_id = "flood-full",
                   .lane = "natrix",
                   .compare = kRatioAtMost,
                   .limit = 1.3,
                   .against = "natrix",
                   .against_case = "flood-unloaded"});
}

}  // namespace

const std::vector<Goal>& Goals() {
  static const std::vector<Goal> goals = [] {
    std::vector<Goal> all;
    AddMasquerade(all);
    AddPod(all);
    AddXdp(all);
    AddNewFlows(all);
    AddServices(all);
    AddSmall(all);
    AddLoads(all);
    AddFamilies(all);
    return all;
  }();
  return goals;
}

}  // namespace natrix::bench
