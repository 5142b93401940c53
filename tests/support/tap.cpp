// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tap.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/support/checksum.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

void Enable(int fd, int level, int option, const char* name) {
  const int one = 1;
  if (::setsockopt(fd, level, option, &one, sizeof(one)) != 0) ThrowErrno(name);
}

bool ChecksumNotReady(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux{};
    std::memcpy(&aux, CMSG_DATA(c), sizeof(aux));
    return (aux.tp_status & TP_STATUS_CSUMNOTREADY) != 0;
  }
  return false;
}

}  // namespace

Tap::Tap(const Namespace& ns, const std::string& device) : where_(ns.name() + ":" + device) {
  const std::uint32_t index = IndexOf(ns, device);
  const InNetwork in(ns);
  fd_.Reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) ThrowErrno("packet socket on " + where_);
  Enable(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING");
  Enable(fd_.get(), SOL_PACKET, PACKET_AUXDATA, "PACKET_AUXDATA");
  const int room = 4 << 20;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(index);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  if (::setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
                   sizeof(promiscuous)) != 0)
    ThrowErrno("PACKET_ADD_MEMBERSHIP on " + where_);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    ThrowErrno("bind a packet socket to " + where_);
}

void Tap::Send(const Bytes& frame) const {
  // The buffer is full while a busy machine has not yet looked at what was sent before: wait.
  while (::send(fd_.get(), frame.data(), frame.size(), 0) < 0) {
    const int error = errno;
    pollfd waiting{fd_.get(), POLLOUT, 0};
    if (error == EAGAIN && ::poll(&waiting, 1, 5000) == 1) continue;
    errno = error;
    ThrowErrno("send on " + where_ + ": " + Describe(frame));
  }
}

std::vector<Bytes> Tap::Receive(std::chrono::milliseconds limit) const {
  std::vector<Bytes> frames;
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (limit.count() > 0) ::poll(&waiting, 1, static_cast<int>(limit.count()));
  std::array<std::uint8_t, 70000> buffer;
  alignas(cmsghdr) std::array<char, 256> control;
  for (;;) {
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return frames;
    Bytes frame(buffer.begin(), buffer.begin() + got);
    if (!IsUnicastIp(frame)) continue;
    if (ChecksumNotReady(message)) CompletePartial(frame);
    frames.push_back(std::move(frame));
  }
}

}  // namespace natrix::support
