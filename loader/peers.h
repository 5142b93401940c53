// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "maps/abi/socket.h"
#include "userspace/base/result.h"

namespace natrix::loader {

// Which sockets, of all network namespaces, were given which endpoint: nx_peer, read by the program
// nx_peers.  Fds are borrowed.  A socket that comes or goes meanwhile may be missing.
Result<std::vector<nx_peer_line>> ListPeers(int peers_program_fd, int peers_map_fd);

}  // namespace natrix::loader
