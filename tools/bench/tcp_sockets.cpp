// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/tcp_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "tests/support/setup_error.h"
#include "tools/bench/gauge.h"
#include "userspace/base/unique_fd.h"

namespace natrix::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 8080;

struct At {
  sockaddr_storage storage{};
  socklen_t length = 0;

  explicit At(const std::string& text) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(kPort);
      length = sizeof(*v4);
    } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(kPort);
      length = sizeof(*v6);
    } else {
      throw support::SetupError("no address: " + text);
    }
  }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// With limits in time, so that a lane that loses packets is an error and no standstill.
UniqueFd Socket(const At& at) {
  UniqueFd fd(::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) support::ThrowErrno("socket");
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return fd;
}

UniqueFd Listen(const Wires& wires, const At& at) {
  const support::InNetwork here(wires.far());
  UniqueFd fd = Socket(at);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), at.address(), at.length) != 0 || ::listen(fd.get(), 16) != 0)
    support::ThrowErrno("listen");
  return fd;
}

struct Connection {
  UniqueFd client;
  UniqueFd server;
};

Connection Connect(const UniqueFd& listener, const At& at) {
  Connection made{Socket(at), UniqueFd()};
  if (::connect(made.client.get(), at.address(), at.length) != 0)
    support::ThrowErrno("connect through the node");
  made.server.Reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!made.server) support::ThrowErrno("accept");
  const int on = 1;
  for (const UniqueFd* fd : {&made.client, &made.server})
    ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return made;
}

void Pass(const UniqueFd& from, const UniqueFd& to) {
  char byte = 'x';
  if (::send(from.get(), &byte, 1, 0) != 1 || ::recv(to.get(), &byte, 1, 0) != 1)
    support::ThrowErrno("exchange a byte through the node");
}

}  // namespace

double ConnectClose(const Wires& wires, int cpu, const std::string& server, std::uint32_t count) {
  const At at(server);
  const Gauge gauge(cpu);
  const UniqueFd listener = Listen(wires, at);
  const support::InNetwork here(wires.near());
  const std::uint64_t before = gauge.CpuNs();
  for (std::uint32_t i = 0; i < count; ++i) {
    Connection one = Connect(listener, at);
    char byte = 0;
    one.client.Reset();
    if (::recv(one.server.get(), &byte, 1, 0) != 0) support::ThrowErrno("see the end");
  }
  return static_cast<double>(gauge.CpuNs() - before) / count;
}

Latency Requests(const Wires& wires, int cpu, const std::string& server, std::uint32_t count) {
  const At at(server);
  const Gauge gauge(cpu);
  const UniqueFd listener = Listen(wires, at);
  const support::InNetwork here(wires.near());
  const Connection one = Connect(listener, at);
  std::vector<double> us;
  us.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto start = Clock::now();
    Pass(one.client, one.server);
    Pass(one.server, one.client);
    us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::ranges::sort(us);
  return {us[us.size() / 2], us[us.size() * 99 / 100]};
}

}  // namespace natrix::bench
