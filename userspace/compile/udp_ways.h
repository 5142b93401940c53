// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "maps/abi/addr.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// The way of datagrams from where a Service is called to one of its endpoints.
struct UdpWay {
  nx_addr called;  // a NodePort's is the family's "any"
  nx_addr endpoint;
  __be16 called_port;
  __be16 endpoint_port;

  // The same by a NodePort, whatever the address that is called.
  UdpWay ByNodePort() const;
};
using UdpWays = std::set<UdpWay, ByBytes>;

// The ways to endpoints that serve, whether or not new flows may take them: while one serves, its
// flows stay (kube-proxy: pkg/proxy/endpointschangetracker.go, detectStaleConntrackEntries).
UdpWays UdpWaysOf(const model::Config& config);

// The ways that `before` has and `after` has not.  Looks into the Services that the two do not
// share, only.
UdpWays EndedUdpWays(const model::Config& before, const model::Config& after);

}  // namespace natrix::compile
