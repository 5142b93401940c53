// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include "tests/support/namespace.h"
#include "userspace/base/unique_fd.h"

namespace natrix::support {

// Tells when what this thread has sent was worked off, so that silence is known and not guessed.
//
// veth, bridge and the stack work in the sender's softirq: a packet's fate is decided when send(2)
// returns.  Not so on a busy CPU before Linux 6.5: while ksoftirqd has work there, softirqs wait
// for it, for as long as the scheduler likes (do_softirq in kernel/softirq.c).  A datagram of our
// own through a loopback device waits in the same queue of the same CPU, behind what was sent.
class Fence {
 public:
  // Throws SetupError.
  Fence();
  // Holds the thread on one CPU, where what it sends will queue.  Let go by Wait, or by the end.
  void Raise();
  // Returns when all that was sent since Raise was worked off; throws SetupError when a CPU does
  // nothing for seconds.
  void Wait();
  ~Fence();
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

 private:
  void Lower();

  Namespace ns_;
  UniqueFd fd_;  // UDP, connected to itself
  cpu_set_t allowed_{};
  bool raised_ = false;
};

}  // namespace natrix::support
