// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_sockets.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/support/network.h"
#include "tests/support/setup_error.h"

#ifndef IPV6_FREEBIND  // linux/in6.h and netinet/in.h do not agree on who says it
#define IPV6_FREEBIND 78
#endif

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

namespace natrix::netns {

using support::InNetwork;
using support::Namespace;
using support::ThrowErrno;

namespace {

constexpr milliseconds kPatience{10000};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress ToSocketAddress(const Point& point) {
  SocketAddress address;
  if (point.v6()) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(point.port);
    ::inet_pton(AF_INET6, point.address.c_str(), &in6->sin6_addr);
    address.size = sizeof(*in6);
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(point.port);
    ::inet_pton(AF_INET, point.address.c_str(), &in->sin_addr);
    address.size = sizeof(*in);
  }
  return address;
}

Point ToPoint(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    ::inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
    return {text, ntohs(in6->sin6_port)};
  }
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
  ::inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
  return {text, ntohs(in->sin_port)};
}

void Set(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof(value)) != 0) ThrowErrno(name);
}

// A socket that neither blocks for ever nor minds where it is bound.
UniqueFd OpenBound(const Namespace& ns, int type, const Point& local) {
  UniqueFd fd;
  {
    const InNetwork here(ns);
    fd.Reset(::socket(local.v6() ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
  }
  if (!fd) ThrowErrno("socket in " + ns.name());
  // Two UDP sockets that both say this may be given the same port, and steal from each other.
  if (type == SOCK_STREAM) Set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (local.v6())
    Set(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, 1, "IPV6_FREEBIND");
  else
    Set(fd.get(), IPPROTO_IP, IP_FREEBIND, 1, "IP_FREEBIND");
  const milliseconds limit = Scaled(kPatience);
  const timeval wait{.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    if (::setsockopt(fd.get(), SOL_SOCKET, option, &wait, sizeof(wait)) != 0)
      ThrowErrno("socket timeout");
  const SocketAddress address = ToSocketAddress(local);
  if (::bind(fd.get(), address.get(), address.size) != 0)
    ThrowErrno(ns.name() + ": bind to " + ToString(local));
  return fd;
}

}  // namespace

std::string ToString(const Point& point) {
  return fmt::format(fmt::runtime(point.v6() ? "[{}]:{}" : "{}:{}"), point.address, point.port);
}

milliseconds Scaled(milliseconds limit) {
  const char* scale = std::getenv("NATRIX_TEST_TIME_SCALE");
  return limit * (scale != nullptr ? std::max(1, std::atoi(scale)) : 1);
}

UniqueFd OpenUdp(const Namespace& ns, const Point& local) {
  return OpenBound(ns, SOCK_DGRAM, local);
}

UniqueFd Listen(const Namespace& ns, const Point& local) {
  UniqueFd fd = OpenBound(ns, SOCK_STREAM, local);
  if (::listen(fd.get(), 4096) != 0) ThrowErrno("listen on " + ToString(local));
  return fd;
}

UniqueFd ListenTransparent(const Namespace& ns, const Point& local, bool reuse_port) {
  UniqueFd fd = OpenBound(ns, SOCK_STREAM, local);
  // After bind(2), so for this socket alone: it is asked of the socket, not of its place.
  if (reuse_port) Set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  if (local.v6())
    Set(fd.get(), IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT");
  else
    Set(fd.get(), IPPROTO_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT");
  if (::listen(fd.get(), 16) != 0) ThrowErrno("listen on " + ToString(local));
  return fd;
}

UniqueFd OpenTcp(const Namespace& ns, const Point& local) {
  return OpenBound(ns, SOCK_STREAM, local);
}

bool ConnectTcp(int fd, const Point& remote) {
  const SocketAddress address = ToSocketAddress(remote);
  return ::connect(fd, address.get(), address.size) == 0;
}

std::optional<UniqueFd> TryConnect(const Namespace& ns, const Point& local, const Point& remote) {
  UniqueFd fd = OpenTcp(ns, local);
  if (!ConnectTcp(fd.get(), remote)) return std::nullopt;
  return fd;
}

UniqueFd Connect(const Namespace& ns, const Point& local, const Point& remote) {
  std::optional<UniqueFd> fd = TryConnect(ns, local, remote);
  if (!fd) ThrowErrno(ns.name() + ": " + ToString(local) + " connects to " + ToString(remote));
  return *std::move(fd);
}

UniqueFd Accept(int listener) {
  UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) ThrowErrno("accept on " + ToString(LocalOf(listener)));
  const milliseconds limit = Scaled(kPatience);
  const timeval wait{.tv_sec = limit.count() / 1000, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
  return fd;
}

bool Waits(int fd, milliseconds limit) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(limit.count())) == 1;
}

Point LocalOf(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(fd, address.get(), &address.size) != 0) return {"?", 0};
  return ToPoint(address);
}

Point RemoteOf(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getpeername(fd, address.get(), &address.size) != 0) return {"?", 0};
  return ToPoint(address);
}

bool ConnectUdp(int fd, const Point& remote) { return ConnectTcp(fd, remote); }

bool SendTo(int fd, const Point& to, View bytes) {
  const SocketAddress address = ToSocketAddress(to);
  return ::sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, address.get(), address.size) ==
         static_cast<ssize_t>(bytes.size());
}

std::optional<Datagram> ReceiveFrom(int fd, milliseconds limit) {
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return std::nullopt;
  Bytes buffer(65536);
  SocketAddress from;
  from.size = sizeof(from.storage);
  const ssize_t got =
      ::recvfrom(fd, buffer.data(), buffer.size(), MSG_DONTWAIT, from.get(), &from.size);
  if (got < 0) return std::nullopt;
  buffer.resize(static_cast<std::size_t>(got));
  return Datagram{ToPoint(from), std::move(buffer)};
}

bool WriteAll(int fd, View bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

bool ReadAll(int fd, Bytes& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::recv(fd, bytes.data() + at, bytes.size() - at, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<std::size_t>(got);
  }
  return true;
}

UniqueFd OpenPing(const Namespace& ns, const std::string& local) {
  support::Sysctl(ns, "net/ipv4/ping_group_range", "0 2147483647");
  const Point any{local, 0};
  UniqueFd fd;
  {
    const InNetwork here(ns);
    fd.Reset(
        ::socket(any.v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
                 any.v6() ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP)));
  }
  if (!fd) ThrowErrno("ICMP socket in " + ns.name());
  const SocketAddress address = ToSocketAddress(any);
  if (::bind(fd.get(), address.get(), address.size) != 0) ThrowErrno("bind to " + local);
  return fd;
}

}  // namespace natrix::netns
