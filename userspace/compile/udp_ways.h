// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "maps/abi/addr.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// The way of datagrams from where a Service or host port is called to one of its
// endpoints.
struct UdpWay {
  nx_addr called;  // of one at all of the node's addresses: the family's "any"
  nx_addr endpoint;
  __be16 called_port;
  __be16 endpoint_port;

  // The same by a port at all addresses, whatever the one that is called.
  UdpWay ByNodePort() const;
};
using UdpWays = std::set<UdpWay, ByBytes>;

// The ways to endpoints that serve, whether or not new flows may take them: while one serves, its
// flows stay (kube-proxy: pkg/proxy/endpointschangetracker.go, detectStaleConntrackEntries).
UdpWays UdpWaysOf(const model::Config& config);

// The ways that `before` has and `after` has not.  Looks into the Services that the two do not
// share, only, and into all host ports.
UdpWays EndedUdpWays(const model::Config& before, const model::Config& after);

}  // namespace natrix::compile
