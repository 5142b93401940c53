// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/check_calico.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <string>

namespace natrix::config {
namespace {

using model::Address;
using model::Family;

void CheckPools(const Decoded& decoded, Diagnostics& diagnostics) {
  const auto& pools = decoded.config.calico->pools;
  std::map<std::string, Span> names;
  std::map<model::Prefix, Span> cidrs;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    const Places::Calico::Pool& where = decoded.places.calico.pools[i];
    const auto [name, new_name] = names.emplace(pools[i].name, where.name);
    if (!new_name && !pools[i].name.empty())
      diagnostics.Error(where.name, fmt::format("a second pool is called \"{}\"", pools[i].name),
                        FirstAt(name->second, diagnostics));
    const auto [cidr, new_cidr] = cidrs.emplace(pools[i].cidr, where.cidr);
    if (!new_cidr)
      diagnostics.Error(where.cidr, fmt::format("{} is a pool already", pools[i].cidr.ToString()),
                        FirstAt(cidr->second, diagnostics));
  }
}

void CheckHosts(const Decoded& decoded, Diagnostics& diagnostics) {
  const model::Calico& calico = *decoded.config.calico;
  const Places::Calico& places = decoded.places.calico;
  std::map<Address, Span> seen;
  for (std::size_t i = 0; i < calico.hosts.size(); ++i) {
    const auto [first, is_new] = seen.emplace(calico.hosts[i], places.hosts[i]);
    if (!is_new)
      diagnostics.Error(places.hosts[i],
                        fmt::format("{} is written twice", calico.hosts[i].ToString()),
                        FirstAt(first->second, diagnostics));
  }
  if (!calico.hosts.empty() && !calico.exclude_hosts)
    diagnostics.Warn(places.hosts.front(), "\"hosts\" are masqueraded to like any other address",
                     "add `natOutgoingExclusions: IPPoolsAndHostIPs`, or leave them out");
}

void CheckNatAddress(const Decoded& decoded, Diagnostics& diagnostics) {
  const std::vector<Address>& addresses = decoded.config.calico->nat_address;
  std::map<Family, Span> seen;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Span where = decoded.places.calico.nat_address[i];
    const auto [first, is_new] = seen.emplace(addresses[i].family(), where);
    if (!is_new)
      diagnostics.Error(where,
                        fmt::format("{} is a second {} address", addresses[i].ToString(),
                                    addresses[i].family() == Family::kIpv4 ? "IPv4" : "IPv6"),
                        fmt::format("\"natOutgoingAddress\" has one of each family; {}",
                                    FirstAt(first->second, diagnostics)));
  }
}

bool IsManaged(const model::Node& node, const std::string& device) {
  const auto names = [&](const std::string& pattern) {
    return pattern == device || ::fnmatch(pattern.c_str(), device.c_str(), FNM_NOESCAPE) == 0;
  };
  return std::ranges::any_of(node.uplinks, names) || std::ranges::any_of(node.pod_devices, names);
}

void CheckTunnel(const Decoded& decoded, const std::string& tunnel, Span where,
                 Diagnostics& diagnostics) {
  if (tunnel.find_first_of("*?[") != tunnel.npos)
    diagnostics.Error(where, fmt::format("\"{}\" is a pattern", tunnel), "write the names out");
  else if (!decoded.config.node.pod_devices.empty() && !IsManaged(decoded.config.node, tunnel))
    diagnostics.Error(where, fmt::format("natrix does not manage \"{}\"", tunnel),
                      "add it to \"node.podDevices\"");
}

void CheckTunnels(const Decoded& decoded, Diagnostics& diagnostics) {
  const std::vector<std::string>& tunnels = decoded.config.calico->tunnels;
  std::map<std::string, Span> seen;
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const Span where = decoded.places.calico.tunnels[i];
    const auto [first, is_new] = seen.emplace(tunnels[i], where);
    if (is_new)
      CheckTunnel(decoded, tunnels[i], where, diagnostics);
    else
      diagnostics.Error(where, fmt::format("\"{}\" is written twice", tunnels[i]),
                        FirstAt(first->second, diagnostics));
  }
}

void CheckMetadata(const Decoded& decoded, Diagnostics& diagnostics) {
  const auto& metadata = decoded.config.calico->metadata;
  if (!metadata) return;
  const Span where = decoded.places.calico.metadata;
  const Address& to = metadata->address;
  if (to.family() != Family::kIpv4)
    diagnostics.Error(where, fmt::format("{} serves no metadata", to.ToString()),
                      "write the IPv4 address of a host: who asks has one, too");
  const Address called = Address::Parse(model::kMetadataAddress).value();
  const auto& floating = decoded.config.floating_ips;
  if (const auto found = std::ranges::find(floating, called, &model::FloatingIp::external);
      found != floating.end())
    diagnostics.Error(
        decoded.places.floating_ips[static_cast<std::size_t>(found - floating.begin())].external,
        fmt::format("{} is where metadata is called", model::kMetadataAddress),
        "a floating IP would have all of it: leave out one of the two");
}

}  // namespace

void CheckCalico(const Decoded& decoded, Diagnostics& diagnostics) {
  if (!decoded.config.calico) return;
  CheckPools(decoded, diagnostics);
  CheckHosts(decoded, diagnostics);
  CheckNatAddress(decoded, diagnostics);
  CheckTunnels(decoded, diagnostics);
  CheckMetadata(decoded, diagnostics);
}

}  // namespace natrix::config
