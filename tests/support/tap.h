// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/packet.h"
#include "userspace/base/unique_fd.h"

namespace natrix::support {

// One end of a link, in a test's hands.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void Send(const Bytes& frame) const = 0;
  // What has arrived and was not taken yet; waits up to `limit` for the first.
  virtual std::vector<Bytes> Receive(
      std::chrono::milliseconds limit = std::chrono::milliseconds(0)) const = 0;
};

// A hand on the wire at one device: sends frames out of it and takes all that it receives
// (PACKET_IGNORE_OUTGOING: not what leaves).  Frames that no test asks about (see IsUnicastIp) are
// left out.  A transport checksum that the kernel had still to fill is completed.
class Tap : public Wire {
 public:
  Tap(const Namespace& ns, const std::string& device);

  void Send(const Bytes& frame) const override;
  std::vector<Bytes> Receive(
      std::chrono::milliseconds limit = std::chrono::milliseconds(0)) const override;
  // For poll(2).
  int fd() const { return fd_.get(); }

 private:
  std::string where_;
  UniqueFd fd_;
};

}  // namespace natrix::support
