// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "userspace/model/config.h"

namespace natrix::daemon {

// The two forms in which /proc/sys/net/ipv4 writes ports; nullopt for anything else.
//
// ip_local_reserved_ports: "8080,9148,9000-9010"; empty: none.
std::optional<std::vector<model::PortRange>> ParsePortList(std::string_view text);
// ip_local_port_range: "32768\t60999".
std::optional<model::PortRange> ParsePortRange(std::string_view text);

}  // namespace natrix::daemon
