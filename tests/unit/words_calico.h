// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

#include "userspace/config/keys.h"
#include "userspace/model/calico.h"

// Words of `calico` one at a time, for the tests of the table.
namespace natrix::config {

inline std::string ShowCalico(const model::Calico& c) {
  std::string out;
  for (const model::IpPool& p : c.pools)
    out += fmt::format("{} {} {} {} {}|", p.name, p.cidr.ToString(), p.nat_outgoing, p.disabled,
                       p.load_balancer_only);
  out += fmt::format("{} {} {}|", c.exclude_hosts, c.interface_filter, c.vxlan_port.value_or(0));
  for (const auto* list : {&c.hosts, &c.nat_address}) {
    for (const model::Address& address : *list) out += address.ToString() + ",";
    out += "|";
  }
  if (c.port_range) out += fmt::format("{}-{}", c.port_range->first, c.port_range->last);
  if (c.metadata) out += "|" + c.metadata->ToString();
  return out + fmt::format("|{}", fmt::join(c.tunnels, ","));
}

inline bool IsCalicoWord(const Key& key) { return key.path.starts_with("calico."); }

// A configuration in which the word has this value; "" leaves it out, or gives what must be there
// another.
inline std::string WithCalicoWord(const Key& key, const std::string& value) {
  const std::string node = "node: {uplinks: [eth0], podDevices: [ovn0, \"*.calico\"]}\n";
  const std::string word = value.empty() ? "" : fmt::format("{}: {}", key.name(), value);
  if (key.parent() == "calico.metadata")
    return node + fmt::format("calico: {{metadata: {{{}}}}}\n", word);
  if (key.parent() != "calico.ipPools[]") return node + fmt::format("calico: {{{}}}\n", word);
  std::string pool = word;
  for (const auto& [name, other] : {std::pair("name", "zz"), std::pair("cidr", "10.99.0.0/16")})
    if (value.empty() || key.name() != name)
      pool += fmt::format("{}{}: {}", pool.empty() ? "" : ", ", name, other);
  return node + fmt::format("calico: {{ipPools: [{{{}}}]}}\n", pool);
}

}  // namespace natrix::config
