// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fence.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

// Each time a packet passes a pair of devices it queues again.  None of a test's does so oftener.
constexpr int kRounds = 4;
constexpr int kPatienceMs = 10'000;

}  // namespace

Fence::Fence() : ns_("fence") {
  Ip(ns_, "link set lo up\n");
  const InNetwork in(ns_);
  fd_.Reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd_) ThrowErrno("fence: socket");
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_port = htons(1);
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* address = reinterpret_cast<const sockaddr*>(&self);
  if (::bind(fd_.get(), address, sizeof(self)) != 0) ThrowErrno("fence: bind");
  if (::connect(fd_.get(), address, sizeof(self)) != 0) ThrowErrno("fence: connect");
}

Fence::~Fence() { Lower(); }

void Fence::Raise() {
  if (::sched_getaffinity(0, sizeof(allowed_), &allowed_) != 0) ThrowErrno("fence: affinity");
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(::sched_getcpu(), &here);
  if (::sched_setaffinity(0, sizeof(here), &here) != 0) ThrowErrno("fence: affinity");
  raised_ = true;
}

void Fence::Lower() {
  if (raised_) ::sched_setaffinity(0, sizeof(allowed_), &allowed_);
  raised_ = false;
}

void Fence::Wait() {
  for (int round = 0; round < kRounds; ++round) {
    char byte = 0;
    if (::send(fd_.get(), &byte, 1, 0) != 1) ThrowErrno("fence: send");
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) != 1) throw SetupError("fence: this CPU stands still");
    if (::recv(fd_.get(), &byte, 1, 0) != 1) ThrowErrno("fence: receive");
  }
  Lower();
}

}  // namespace natrix::support
