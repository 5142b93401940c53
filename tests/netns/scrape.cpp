// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/scrape.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

struct SocketAddress {
  sockaddr_in in4{};
  sockaddr_in6 in6{};
  bool is4 = false;

  SocketAddress(const std::string& text, std::uint16_t port) {
    in4.sin_family = AF_INET;
    in6.sin6_family = AF_INET6;
    in4.sin_port = in6.sin6_port = htons(port);
    is4 = inet_pton(AF_INET, text.c_str(), &in4.sin_addr) == 1;
    if (!is4 && inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr) != 1)
      throw support::SetupError(text);
  }
  const sockaddr* get() const {
    return is4 ? reinterpret_cast<const sockaddr*>(&in4) : reinterpret_cast<const sockaddr*>(&in6);
  }
  socklen_t size() const { return is4 ? sizeof(in4) : sizeof(in6); }
};

UniqueFd OpenTcp(const SocketAddress& address) {
  UniqueFd fd(socket(address.is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) support::ThrowErrno("socket");
  return fd;
}

}  // namespace

UniqueFd ListenTcp(const support::Namespace& ns, const std::string& address, std::uint16_t port) {
  const support::InNetwork here(ns);
  const SocketAddress local(address, port);
  UniqueFd fd = OpenTcp(local);
  if (bind(fd.get(), local.get(), local.size()) != 0 || listen(fd.get(), 1) != 0)
    support::ThrowErrno("listen on " + address);
  return fd;
}

UniqueFd ConnectTcp(const support::Namespace& ns, const std::string& address, std::uint16_t port) {
  const support::InNetwork here(ns);
  const SocketAddress remote(address, port);
  UniqueFd fd = OpenTcp(remote);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd.get(), remote.get(), remote.size()) == 0) return fd;
  if (errno != ECONNREFUSED) support::ThrowErrno("connect to " + address);
  return {};
}

HttpAnswer Get(const support::Namespace& ns, const std::string& address, std::uint16_t port,
               const std::string& path) {
  const UniqueFd fd = ConnectTcp(ns, address, port);
  if (!fd) return {};
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  if (write(fd.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size()))
    support::ThrowErrno("ask for " + path);
  std::string answer;
  char chunk[65536];
  for (ssize_t size = 1; size > 0;) {
    size = read(fd.get(), chunk, sizeof(chunk));
    if (size < 0) support::ThrowErrno("read " + path);
    answer.append(chunk, static_cast<std::size_t>(size));
  }
  const std::size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || head == answer.npos)
    throw support::SetupError("no HTTP: " + answer);
  return {std::atoi(answer.c_str() + sizeof("HTTP/1.1")), answer.substr(head + 4)};
}

Samples Scrape(const support::Namespace& ns, const std::string& address, std::uint16_t port) {
  const HttpAnswer answer = Get(ns, address, port);
  if (answer.status != 200)
    throw support::SetupError("scrape: status " + std::to_string(answer.status));
  Samples samples;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  return samples;
}

}  // namespace natrix::netns
