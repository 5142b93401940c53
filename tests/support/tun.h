// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/build.h"
#include "tests/support/namespace.h"
#include "tests/support/tap.h"
#include "userspace/base/unique_fd.h"

namespace natrix::support {

// A device without a link-layer header (IFF_TUN), up, and what is behind it: what is sent here
// comes in by the device, what leaves by it is received.  Frames are as everywhere in tests; their
// Ethernet header is taken off, and put on with `macs`.  The device lives as long as this.
class Tun : public Wire {
 public:
  Tun(const Namespace& ns, const std::string& device, const Macs& macs);

  void Send(const Bytes& frame) const override;
  std::vector<Bytes> Receive(
      std::chrono::milliseconds limit = std::chrono::milliseconds(0)) const override;

 private:
  std::string where_;
  Bytes header_;  // Ethernet's, without the type
  UniqueFd fd_;
};

}  // namespace natrix::support
