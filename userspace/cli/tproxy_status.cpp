// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/tproxy_status.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "loader/attacher.h"
#include "maps/abi/probe.h"
#include "maps/keyed_map_view.h"
#include "userspace/cli/attached.h"
#include "userspace/cli/table.h"
#include "userspace/model/address.h"
#include "userspace/shim/routing_table.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;
using model::Address;
using model::Family;

std::string PointText(const Address& address, unsigned port) {
  const std::string text = address.ToString();
  return address.family() == Family::kIpv4 ? fmt::format("{}:{}", text, port)
                                           : fmt::format("[{}]:{}", text, port);
}

Result<> AddHooks(const loader::PinRoot& root, TproxyStatus& status) {
  const auto pins = loader::ListLinkPins(root);
  if (!pins) return std::unexpected(pins.error());
  ProgramIds loopback{};
  for (const auto& pin : *pins) {
    if (pin.ifindex != loader::kLoopbackIndex) continue;
    if (auto done = AddAttached(root, pin, loopback); !done) return done;
  }
  status.parts.push_back(ProgramPart("lo ingress", loopback[0]));

  auto connect = CgroupParts(root, loader::kConnectHooks);
  if (!connect) return std::unexpected(std::move(connect).error());
  std::ranges::move(*connect, std::back_inserter(status.parts));
  return {};
}

// The marks of each family's probes must lead to a table, and the table to `lo`.
Result<> AddRouting(const std::set<std::pair<Family, std::uint32_t>>& marks, TproxyStatus& status) {
  const auto live = shim::ReadRouting(std::nullopt);
  if (!live) return std::unexpected(live.error());
  const auto add = [&](const std::string& name, bool there) {
    status.parts.push_back({name, there, there ? "there" : "MISSING"});
  };
  for (const auto& [family, mark] : marks) {
    const auto is_it = [&](const shim::Rule& rule) {
      return rule.family == family && rule.mark == mark;
    };
    const auto rule = std::ranges::find_if(live->rules, is_it);
    const char* which = family == Family::kIpv4 ? "" : "-6 ";
    if (rule == live->rules.end()) {
      add(fmt::format("ip {}rule fwmark {:#x}/{:#x}", which, mark, mark), false);
      continue;
    }
    add(rule->ToString(), true);
    const auto route = std::ranges::find_if(live->routes, [&](const shim::Route& candidate) {
      return candidate.family == family && candidate.table == rule->table &&
             candidate.source != Address{};
    });
    const bool there = route != live->routes.end();
    const std::string name =
        there ? route->ToString()
              : fmt::format("ip {}route local default dev lo table {}", which, rule->table);
    if (std::ranges::find(status.parts, name, &Part::name) == status.parts.end()) add(name, there);
  }
  return {};
}

}  // namespace

bool TproxyStatus::degraded() const { return !std::ranges::all_of(parts, &Part::there); }

Json TproxyStatus::ToJson() const {
  return {{"probes", probes}, {"proxies", proxies}, {"parts", cli::ToJson(parts)}};
}

std::string TproxyStatus::Render() const {
  TextTable table({{"TPROXY"}, {"STATE"}});
  table.Add({probes == 1 ? "1 probe" : fmt::format("{} probes", probes),
             fmt::format("to {}", fmt::join(proxies, ", "))});
  for (const Part& part : parts) table.Add({part.name, part.state});
  return table.Render();
}

Result<std::optional<TproxyStatus>> CollectTproxy(const loader::PinRoot& root, PinnedMaps& pins) {
  const auto view = pins.Open<maps::HashMapView<nx_probe_key, nx_probe>>("nx_probe");
  if (!view) return std::unexpected(view.error());
  TproxyStatus status;
  std::set<std::string> proxies;
  std::set<std::pair<Family, std::uint32_t>> marks;
  auto done = view->ForEach([&](const nx_probe_key& key, const nx_probe& probe) {
    const Family family = Address{key.pod}.family();
    ++status.probes;
    proxies.insert(PointText(Address{probe.proxy}, ntohs(probe.proxy_port)));
    marks.insert({family, probe.mark_output});
    marks.insert({family, probe.mark_prerouting});
  });
  if (!done) return std::unexpected(std::move(done).error());
  if (status.probes == 0) return std::optional<TproxyStatus>();
  status.proxies.assign(proxies.begin(), proxies.end());
  if (done = AddHooks(root, status); !done) return std::unexpected(std::move(done).error());
  if (done = AddRouting(marks, status); !done) return std::unexpected(std::move(done).error());
  return status;
}

}  // namespace natrix::cli
