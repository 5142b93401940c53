// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/packet.h"
#include "userspace/base/unique_fd.h"

namespace natrix::support {

// A hand on the wire at one device: sends frames out of it and takes all that it receives
// (PACKET_IGNORE_OUTGOING: not what leaves).  Frames that no test asks about (see IsUnicastIp) are
// left out.  A transport checksum that the kernel had still to fill is completed.
class Tap {
 public:
  Tap(const Namespace& ns, const std::string& device);

  void Send(const Bytes& frame) const;
  // What has arrived and was not taken yet; waits up to `limit` for the first.
  std::vector<Bytes> Receive(std::chrono::milliseconds limit = std::chrono::milliseconds(0)) const;
  // For poll(2).
  int fd() const { return fd_.get(); }

 private:
  std::string where_;
  UniqueFd fd_;
};

}  // namespace natrix::support
