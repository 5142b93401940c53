// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/packet.h"

namespace natrix::support {

// Sees the packet mark with which frames leave the devices of some namespaces (see
// mark_witness.bpf.c).  Not thread-safe.
class MarkWitness {
 public:
  struct Sight {
    std::uint32_t netns = 0;
    std::uint32_t ifindex = 0;
    std::uint32_t mark = 0;
    Bytes frame;  // the first bytes
  };

  MarkWitness();
  ~MarkWitness();
  MarkWitness(const MarkWitness&) = delete;
  MarkWitness& operator=(const MarkWitness&) = delete;

  void Watch(const Namespace& ns);
  // All sights since the last call, in order; of the frames that a Tap would show.
  std::vector<Sight> Take();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace natrix::support
