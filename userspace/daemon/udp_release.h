// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include "maps/abi/way.h"
#include "maps/keyed_map_view.h"
#include "maps/opener.h"
#include "userspace/base/result.h"
#include "userspace/compile/udp_ways.h"

namespace natrix::daemon {

// Ends the UDP flows to endpoints that a Service has no more, and those straight to an address that
// is called since: a client that goes on from the same port would keep its flow for ever.  What
// kube-proxy and portmap do with conntrack's entries.  TCP ends by itself, and drains.
//
// Besides the datapath the only writer of nx_flow and nx_embryo, and it only deletes.  A packet
// that is under way may make a half-deleted flow whole again (bpf/lib/flow_table.h), so that it
// looks again until there is nothing.
class UdpRelease {
 public:
  // Whether datagrams may not go that way any more; `called` is the address on the wire.
  using IsEnded = std::function<bool(const compile::UdpWay& way)>;

  // Borrows the fds.
  static Result<UdpRelease> Open(const maps::FdOf& fd_of);

  // To be called when no packet is judged by the configuration that had the ways.  The number of
  // flows that were found; costs a look at every flow.
  Result<std::size_t> End(const IsEnded& is_ended) const;

 private:
  using Established = maps::HashMapView<nx_tuple, nx_established>;
  using Embryos = maps::LruMapView<nx_tuple, nx_flow>;

  UdpRelease(Established established, Embryos embryos)
      : established_(std::move(established)), embryos_(std::move(embryos)) {}

  Result<std::size_t> EndOnce(const IsEnded& is_ended) const;

  Established established_;
  Embryos embryos_;
};

}  // namespace natrix::daemon
