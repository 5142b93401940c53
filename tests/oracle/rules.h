// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/model/config.h"

// What the systems that natrix replaces would load for a configuration, as text: Kube-OVN's
// ipsets and its rules in the nat, mangle and filter tables, preceded by Calico's floating IPs and
// pools and followed by kube-proxy's Services.
namespace natrix::oracle {

// For `ipset restore`, kube-proxy's sets included.  Sets that are there already are emptied and
// filled again.
std::string IpsetText(const model::Config& config);

// For iptables-restore or ip6tables-restore: the three tables, whole.
std::string IptablesText(const model::Config& config, model::Family family);

// The same configuration for natrixd.
std::string YamlText(const model::Config& config);

}  // namespace natrix::oracle
