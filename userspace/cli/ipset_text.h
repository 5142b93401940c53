// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/cli/set_list.h"

namespace natrix::cli {

// The sets as `ipset save` writes them and `ipset restore` takes them, of the sizes that Kube-OVN
// and kube-proxy give them.  /0, which no hash:net takes, is its two halves.
std::string IpsetText(const std::vector<NamedSet>& sets);

}  // namespace natrix::cli
