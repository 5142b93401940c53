// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "userspace/model/config.h"

// What natrix asks of the kernel's policy routing, and what has to change for it.  Pure.
namespace natrix::shim {

using model::Family;

// By which ours are known, in rules and routes: nobody in /etc/iproute2/rt_protos has it.
inline constexpr std::uint8_t kProtocol = 110;
// Where our rules stand, before `main` (32766).
inline constexpr std::uint32_t kFirstPriority = 28280;
inline constexpr std::uint32_t kLastPriority = 28289;

// ip rule add priority P fwmark M/M lookup T protocol 110
struct Rule {
  Family family{};
  std::uint32_t priority = 0;
  std::uint32_t mark = 0;  // and its mask
  std::uint32_t table = 0;

  std::string ToString() const;
  friend auto operator<=>(const Rule& a, const Rule& b) = default;
};

// ip route add local default dev lo table T src S protocol 110
//
// Without the source, the kernel takes a connection's destination for it, finds that not local,
// and connect(2) fails with ENETUNREACH.
struct Route {
  Family family{};
  std::uint32_t table = 0;
  model::Address source;  // all 0: the kernel took it away, with the address

  std::string ToString() const;
  friend auto operator<=>(const Route& a, const Route& b) = default;
};

struct Routing {
  std::set<Rule> rules;
  std::set<Route> routes;

  std::size_t size() const { return rules.size() + routes.size(); }
  friend bool operator==(const Routing& a, const Routing& b) = default;
};

// Two rules and a route for each family that has probes; nothing without any.
Routing WantedRouting(const model::Config& config);

// What turns one into the other.  To be done in this order, so that no rule leads to a table
// without a route while both are wanted.
struct RoutingEdits {
  std::vector<Route> add_routes;
  std::vector<Rule> add_rules;
  std::vector<Rule> remove_rules;
  std::vector<Route> remove_routes;

  std::size_t size() const {
    return add_routes.size() + add_rules.size() + remove_rules.size() + remove_routes.size();
  }
};
RoutingEdits Diff(const Routing& live, const Routing& wanted);

}  // namespace natrix::shim
