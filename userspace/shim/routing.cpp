// SPDX-License-Identifier: Apache-2.0
#include "userspace/shim/routing.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace natrix::shim {
namespace {

const char* Word(Family family) { return family == Family::kIpv4 ? "" : "-6 "; }

template <typename T>
std::vector<T> Without(const std::set<T>& all, const std::set<T>& those) {
  std::vector<T> rest;
  std::ranges::set_difference(all, those, std::back_inserter(rest));
  return rest;
}

}  // namespace

std::string Rule::ToString() const {
  return fmt::format("ip {}rule priority {} fwmark {:#x}/{:#x} lookup {}", Word(family), priority,
                     mark, mark, table);
}

std::string Route::ToString() const {
  return fmt::format("ip {}route local default dev lo table {} src {}", Word(family), table,
                     source.ToString());
}

Routing WantedRouting(const model::Config& config) {
  Routing wanted;
  const model::Tproxy& tproxy = config.tproxy;
  for (const model::Probe& probe : tproxy.probes) {
    const Family family = probe.pod_ip.family();
    const auto node = model::FirstOf(config.node.addresses, family);
    const auto source = node ? node : model::FirstOf(tproxy.on_ip, family);
    if (!source) continue;  // config/ lets no such probe through
    wanted.routes.insert({family, tproxy.table, *source});
    wanted.rules.insert({family, kFirstPriority, tproxy.output_mark, tproxy.table});
    wanted.rules.insert({family, kFirstPriority + 1, tproxy.prerouting_mark, tproxy.table});
  }
  return wanted;
}

RoutingEdits Diff(const Routing& live, const Routing& wanted) {
  RoutingEdits edits{.add_routes = Without(wanted.routes, live.routes),
                     .add_rules = Without(wanted.rules, live.rules),
                     .remove_rules = Without(live.rules, wanted.rules),
                     .remove_routes = Without(live.routes, wanted.routes)};
  // In IPv6 a new route takes the old one's place in its table; there is nothing to remove, and a
  // removal does not say which source it means.
  std::erase_if(edits.remove_routes, [&](const Route& old) {
    return old.family == Family::kIpv6 &&
           std::ranges::any_of(wanted.routes, [&](const Route& route) {
             return route.family == Family::kIpv6 && route.table == old.table;
           });
  });
  return edits;
}

}  // namespace natrix::shim
