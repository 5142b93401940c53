// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "maps/abi/socket.h"
#include "userspace/base/result.h"
#include "userspace/daemon/udp_release.h"

namespace natrix::daemon {

// Ends what the node's processes have of UDP endpoints that are gone: a socket that connected to a
// Service sends to the endpoint that it got then, and passes no hook any more (bpf/stage/call.h).
// Such a socket is disconnected, as by `ss --kill`: who reads gets ECONNABORTED once, who sends
// EDESTADDRREQ, so that its process connects again.  One that connected to the endpoint itself is
// not among `peers` (loader/peers.h), and stays.
//
// Of natrixd's own network namespace; sockets of others are left alone.  The number of those ended;
// ENOENT or EOPNOTSUPP where the kernel cannot list or end UDP sockets (CONFIG_INET_UDP_DIAG,
// CONFIG_INET_DIAG_DESTROY).
Result<std::size_t> EndSockets(const std::vector<nx_peer_line>& peers,
                               const UdpRelease::IsEnded& is_ended);

}  // namespace natrix::daemon
