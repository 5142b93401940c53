// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/check_tproxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "maps/abi/probe.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Family;
using model::Probe;

const char* NameOf(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

std::string Text(const Probe& probe) {
  return fmt::format("{} port {}", probe.pod_ip.ToString(), probe.port);
}

void CheckOnIp(const Decoded& decoded, Diagnostics& diagnostics) {
  // What stands in for a family that was left out comes behind what was written.
  const std::vector<Span>& places = decoded.places.tproxy.on_ip;
  std::map<Family, Span> seen;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Address& address = decoded.config.tproxy.on_ip[i];
    const auto [first, is_new] = seen.emplace(address.family(), places[i]);
    if (!is_new)
      diagnostics.Error(places[i],
                        fmt::format("{} is a second {} address of the proxy", address.ToString(),
                                    NameOf(address.family())),
                        fmt::format("\"onIP\" has one of each family; the first one is at {}",
                                    diagnostics.PlaceOf(first->second)));
  }
}

void CheckProbe(const Decoded& decoded, const Probe& probe, Span where, Diagnostics& diagnostics) {
  const Family family = probe.pod_ip.family();
  const std::vector<Address>& own = decoded.config.node.addresses;
  const std::vector<Address>& on_ip = decoded.config.tproxy.on_ip;
  if (std::ranges::find(own, probe.pod_ip) != own.end() ||
      std::ranges::find(on_ip, probe.pod_ip) != on_ip.end())
    diagnostics.Error(where, fmt::format("{} is an address of this node", probe.pod_ip.ToString()),
                      "\"podIP\" is a pod's: what calls the node itself needs no proxy");
  else if (!model::FirstOf(on_ip, family))
    diagnostics.Error(
        where,
        fmt::format("no proxy takes over {}: it has no {} address", probe.pod_ip.ToString(),
                    NameOf(family)),
        fmt::format("add an {} address to \"onIP\" or to \"node.addresses\"", NameOf(family)));
}

void CheckProbes(const Decoded& decoded, Diagnostics& diagnostics) {
  const std::vector<Probe>& probes = decoded.config.tproxy.probes;
  const auto& places = decoded.places.tproxy.probes;
  std::map<Probe, Span> seen;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Span where = places[i].pod_ip;
    const auto [first, is_new] = seen.emplace(probes[i], where);
    if (!is_new)
      diagnostics.Error(where, fmt::format("{} is written twice", Text(probes[i])),
                        fmt::format("the first one is at {}", diagnostics.PlaceOf(first->second)));
    else
      CheckProbe(decoded, probes[i], where, diagnostics);
  }
  if (probes.size() > NX_MAX_PROBES)
    diagnostics.Error(places[NX_MAX_PROBES].pod_ip,
                      fmt::format("one too many: there can be {} probes", NX_MAX_PROBES));
}

// A packet with all bits of a probe's mark is routed to `lo`, whatever else it has.
void CheckProbeMarks(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::Marks& marks = decoded.config.marks;
  const Places::Marks& where = decoded.places.marks;
  struct Mark {
    const char* name;
    std::uint32_t bits;
    Span where;
  };
  const Mark others[] = {{"masquerade", marks.masquerade, where.masquerade},
                         {"hostPort", marks.host_port, where.host_port},
                         {"local", marks.local, where.local},
                         {"policyNat", marks.policy_nat, where.policy_nat},
                         {"policyForward", marks.policy_forward, where.policy_forward}};
  const model::Tproxy& tproxy = decoded.config.tproxy;
  const Places::Tproxy& places = decoded.places.tproxy;
  for (const Mark& mine : {Mark{"outputMark", tproxy.output_mark, places.output_mark},
                           Mark{"preroutingMark", tproxy.prerouting_mark, places.prerouting_mark}})
    for (const Mark& other : others)
      if ((other.bits & mine.bits) == mine.bits)
        diagnostics.Error(other.where.begin > mine.where.begin ? other.where : mine.where,
                          fmt::format("mark \"{}\" ({:#x}) holds all of \"{}\" ({:#x})", other.name,
                                      other.bits, mine.name, mine.bits),
                          "its traffic would be taken for probes: choose a bit that it has not");
}

void CheckTable(const Decoded& decoded, Diagnostics& diagnostics) {
  const std::uint32_t table = decoded.config.tproxy.table;
  // RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL; below them, 252 is how rtnetlink says "more
  // than a byte".
  if (table < 252 || table > 255) return;
  diagnostics.Error(decoded.places.tproxy.table,
                    fmt::format("route table {} is the kernel's own", table),
                    "a default route in it would take the node off the network: choose another");
}

}  // namespace

void CheckTproxy(const Decoded& decoded, Diagnostics& diagnostics) {
  CheckOnIp(decoded, diagnostics);
  CheckProbes(decoded, diagnostics);
  if (decoded.places.tproxy.readable && decoded.places.marks.readable)
    CheckProbeMarks(decoded, diagnostics);
  CheckTable(decoded, diagnostics);
}

}  // namespace natrix::config
