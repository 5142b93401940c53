// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "maps/abi/addr.h"
#include "userspace/compile/table.h"
#include "userspace/model/config.h"

namespace natrix::compile {

// The way of datagrams from where a Service or host port is called to one of its endpoints; or
// straight to the address that is called, which then is its own endpoint.
struct UdpWay {
  nx_addr called;  // of a port at all of the node's addresses: the family's "any"
  nx_addr endpoint;
  __be16 called_port;
  __be16 endpoint_port;

  bool IsStraight() const;
  // The same by a port at all of the node's addresses.
  UdpWay AtAll() const;
};
using UdpWays = std::set<UdpWay, ByBytes>;

// The ways to endpoints that serve, whether or not new flows may take them: while one serves, its
// flows stay (kube-proxy: pkg/proxy/endpointschangetracker.go, detectStaleConntrackEntries).
UdpWays UdpWaysOf(const model::Config& config);

// The ways straight to the addresses that these are called at: nobody's any more.
UdpWays StraightWays(const UdpWays& ways);

// The ways that end between two configurations: those that only `before` has, and those straight to
// an address that is called only in `after`.  Looks into the Services that the two do not share,
// only, and into all host ports.
UdpWays EndedUdpWays(const model::Config& before, const model::Config& after);

}  // namespace natrix::compile
