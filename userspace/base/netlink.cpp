// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace natrix {
namespace {

// What the kernel sends at most in one go.
constexpr std::size_t kReceiveSize = 32768;
// Room for a burst: a thousand devices appearing at once.
constexpr int kReceiveBuffer = 8 << 20;
constexpr int kDumpAttempts = 5;

struct Walk {
  bool done = false;         // the dump's last message was seen
  bool interrupted = false;  // something changed while the kernel was dumping
  int err = 0;
};

// Hands over the messages of one datagram.
Walk WalkAnswer(const char* data, std::size_t size, std::uint32_t sequence,
                const OnMessage& on_message) {
  Walk walk;
  int left = static_cast<int>(size);
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(data); mnl_nlmsg_ok(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    if (message->nlmsg_seq != sequence) continue;
    walk.interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    walk.done = message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR;
    if (message->nlmsg_type == NLMSG_ERROR)
      walk.err = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
    if (walk.done) return walk;
    on_message(*message);
  }
  return walk;
}

}  // namespace

Result<Netlink> Netlink::Connect(int protocol) {
  mnl_socket* raw = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (raw == nullptr) return Fail(errno, "open netlink socket");
  Netlink socket(raw);
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) < 0) return Fail(errno, "bind netlink socket");
  // Without the privilege the default size stays; then overruns are more likely, not wrong.
  (void)setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
                   sizeof(kReceiveBuffer));
  return socket;
}

Result<Netlink> Netlink::Open(const std::vector<unsigned>& groups) {
  auto socket = Connect(NETLINK_ROUTE);
  if (!socket) return socket;
  for (unsigned group : groups)
    if (mnl_socket_setsockopt(socket->socket_.get(), NETLINK_ADD_MEMBERSHIP, &group,
                              sizeof(group)) < 0)
      return Fail(errno, "subscribe to rtnetlink group " + std::to_string(group));
  return socket;
}

Result<Netlink> Netlink::OpenSockDiag() { return Connect(NETLINK_SOCK_DIAG); }

Result<> Netlink::DumpRaw(std::uint16_t type, const void* header, std::size_t size,
                          const OnMessage& on_message, const std::function<void()>& restart) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    if (attempt > 0) restart();
    auto whole = Ask(NLM_F_REQUEST | NLM_F_DUMP, type, header, size, on_message);
    if (!whole) return std::unexpected(std::move(whole).error());
    if (*whole) return {};
  }
  // Constantly changing: the last answer is as good as any, and a notification follows each
  // change that it missed.
  return {};
}

Result<bool> Netlink::Ask(std::uint16_t flags, std::uint16_t type, const void* header,
                          std::size_t size, const OnMessage& on_message) {
  std::array<char, 256> request{};
  nlmsghdr* message = mnl_nlmsg_put_header(request.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = flags;
  std::memcpy(mnl_nlmsg_put_extra_header(message, size), header, size);
  return Exchange(message, on_message);
}

Result<> Netlink::Change(nlmsghdr* message) {
  message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  auto done = Exchange(message, [](const nlmsghdr&) {});
  if (!done) return std::unexpected(std::move(done).error());
  return {};
}

Result<> Netlink::BeStrict() {
  int one = 1;
  if (mnl_socket_setsockopt(socket_.get(), NETLINK_GET_STRICT_CHK, &one, sizeof(one)) < 0)
    return Fail(errno, "ask netlink for strict checks");
  return {};
}

Result<bool> Netlink::Exchange(nlmsghdr* message, const OnMessage& on_message) {
  message->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0)
    return Fail(errno, "send netlink request");

  std::vector<char> buffer(kReceiveSize);
  bool interrupted = false;
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(errno, "receive netlink answer");
    const Walk walk =
        WalkAnswer(buffer.data(), static_cast<std::size_t>(got), sequence_, on_message);
    if (walk.err != 0) return Fail(walk.err, "netlink answer");
    interrupted |= walk.interrupted;
    if (walk.done) return !interrupted;
  }
}

Result<bool> Netlink::Drain(const OnMessage& on_message) {
  std::vector<char> buffer(kReceiveSize);
  bool complete = true;
  for (;;) {
    const ssize_t got = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return complete;
    if (got < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (got < 0) return Fail(errno, "receive netlink notifications");
    int left = static_cast<int>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
      on_message(*message);
  }
}

}  // namespace natrix
