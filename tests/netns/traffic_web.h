// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "tests/netns/traffic_sockets.h"
#include "tests/support/namespace.h"

struct MHD_Daemon;

namespace natrix::netns {

// An HTTP server of a namespace, on a thread of its own, that answers every request with one line
// and closes the connection.
class WebServer {
 public:
  WebServer(const support::Namespace& ns, const Point& local, std::string line);

 private:
  struct Stop {
    void operator()(MHD_Daemon* daemon) const;
  };

  std::unique_ptr<std::string> line_;  // where the thread finds it
  std::unique_ptr<MHD_Daemon, Stop> daemon_;
};

}  // namespace natrix::netns
