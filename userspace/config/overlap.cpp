// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace natrix::config {
namespace {

// A CIDR, whose it is, and where that was written.
struct Written {
  model::Prefix cidr;
  const model::Subnet* subnet;  // nullptr: a Service CIDR
  Span where;
};

std::string Owner(const Written& written) {
  return written.subnet == nullptr ? "the Service CIDRs"
                                   : fmt::format("subnet \"{}\"", written.subnet->name);
}

void Report(const Written& a, const Written& b, Diagnostics& diagnostics) {
  const bool in_order = a.where.begin < b.where.begin;
  const Written& first = in_order ? a : b;
  const Written& second = in_order ? b : a;
  const std::string help = fmt::format("the other one is at {}", diagnostics.PlaceOf(first.where));
  if (first.cidr == second.cidr && first.subnet == second.subnet)
    diagnostics.Error(second.where, fmt::format("{} is written twice", second.cidr.ToString()),
                      help);
  else if (first.subnet == second.subnet)
    diagnostics.Error(second.where,
                      fmt::format("{} overlaps {} of the same subnet", second.cidr.ToString(),
                                  first.cidr.ToString()),
                      help);
  else
    diagnostics.Error(second.where,
                      fmt::format("{} overlaps {} of {}", second.cidr.ToString(),
                                  first.cidr.ToString(), Owner(first)),
                      help);
}

// Service CIDRs may lie in one another, as ServiceCIDR objects may.
bool MayMeet(const Written& a, const Written& b) {
  return a.subnet == nullptr && b.subnet == nullptr && a.cidr != b.cidr;
}

// Sorted, a CIDR comes right after those that contain it, so that the stack holds them.
void CheckGroup(std::vector<Written>& group, Diagnostics& diagnostics) {
  std::ranges::sort(group, {}, [](const Written& w) { return std::tuple(w.cidr, w.where.begin); });
  std::vector<const Written*> around;
  for (const Written& written : group) {
    while (!around.empty() && !around.back()->cidr.Contains(written.cidr)) around.pop_back();
    if (!around.empty() && !MayMeet(*around.back(), written))
      Report(*around.back(), written, diagnostics);
    // Of equal ones the first in the file stays, for others to be compared with.
    if (around.empty() || around.back()->cidr != written.cidr) around.push_back(&written);
  }
}

}  // namespace

void CheckOverlaps(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::Config& config = decoded.config;
  std::map<std::pair<std::string, std::string>, std::vector<Written>> groups;
  for (std::size_t i = 0; i < config.subnets.size(); ++i) {
    const model::Subnet& subnet = config.subnets[i];
    for (std::size_t j = 0; j < subnet.cidrs.size(); ++j)
      groups[{subnet.vpc, subnet.vlan}].push_back(
          {subnet.cidrs[j], &subnet, decoded.places.subnets[i].cidrs[j]});
  }
  // Services are reached from the default VPC's overlay.
  std::vector<Written>& overlay = groups[{model::Subnet().vpc, ""}];
  for (std::size_t i = 0; i < config.service_cidrs.size(); ++i)
    overlay.push_back({config.service_cidrs[i], nullptr, decoded.places.service_cidrs[i]});
  for (auto& [name, group] : groups) CheckGroup(group, diagnostics);
}

}  // namespace natrix::config
