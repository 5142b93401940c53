// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/live_flow.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <fmt/core.h>
#include <array>
#include <cerrno>
#include <cstring>

#include "tests/support/checksum.h"
#include "tests/support/setup_error.h"
#include "userspace/base/unique_fd.h"

namespace natrix::oracle {
namespace {

constexpr std::uint16_t kServerPort = 8080;
constexpr std::size_t kStreamBytes = 1 << 20;

// A socket address of either family.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  Endpoint() = default;
  Endpoint(const std::string& address, std::uint16_t port) {
    if (address.find(':') == std::string::npos) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(port);
      ::inet_pton(AF_INET, address.c_str(), &v4->sin_addr);
      length = sizeof(sockaddr_in);
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      ::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr);
      length = sizeof(sockaddr_in6);
    }
  }

  int family() const { return storage.ss_family; }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  std::uint16_t port() const {
    // The port lies at the same place in both.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  std::string address() const {
    char text[INET6_ADDRSTRLEN] = {};
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(family(),
                family() == AF_INET ? static_cast<const void*>(&v4->sin_addr)
                                    : static_cast<const void*>(&v6->sin6_addr),
                text, sizeof(text));
    return text;
  }
};

// Addresses that are no device's too: the outside answers for them by a local route.
void AllowAnyAddress(const UniqueFd& fd) {
  const int one = 1;
  ::setsockopt(fd.get(), SOL_IP, IP_FREEBIND, &one, sizeof(one));
  ::setsockopt(fd.get(), SOL_IPV6, IPV6_FREEBIND, &one, sizeof(one));
}

// A socket of `place`, bound to an address.
UniqueFd BoundSocket(const Scene& scene, Place place, int type, Endpoint local) {
  const support::InNetwork in(scene.at(place));
  UniqueFd fd(::socket(local.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) support::ThrowErrno("socket");
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  AllowAnyAddress(fd);
  if (::bind(fd.get(), local.get(), local.length) != 0)
    support::ThrowErrno(std::string(NameOf(place)) + ": bind to " + local.address());
  return fd;
}

bool Ready(const UniqueFd& fd, short events, int limit_ms) {
  pollfd waiting{fd.get(), events, 0};
  return ::poll(&waiting, 1, limit_ms) == 1;
}

std::string AnyAddress(const std::string& like) {
  return like.find(':') == std::string::npos ? "0.0.0.0" : "::";
}

// One flow being observed.
class Observer {
 public:
  Observer(const Scene& scene, const LiveFlow& flow, int limit_ms)
      : scene_(scene), flow_(flow), limit_ms_(limit_ms) {}

  Sight Observe() {
    switch (flow_.kind) {
      case Kind::kTcp:
      case Kind::kTcpStream:
        Tcp();
        break;
      case Kind::kUdp:
        Udp();
        break;
      case Kind::kEcho:
        Echo();
        break;
    }
    sight_.answered = sight_.trouble.empty();
    return sight_;
  }

 private:
  bool v6() const { return flow_.destination.find(':') != std::string::npos; }
  void Trouble(const char* what) { sight_.trouble = what; }
  void Saw(const Endpoint& peer) {
    sight_.address = peer.address();
    sight_.port = peer.port();
  }

  void Tcp() {
    const UniqueFd listener =
        BoundSocket(scene_, flow_.to, SOCK_STREAM, {AnyAddress(flow_.destination), kServerPort});
    if (::listen(listener.get(), 1) != 0) support::ThrowErrno("listen");
    const UniqueFd client =
        BoundSocket(scene_, flow_.from, SOCK_STREAM, {flow_.source, flow_.source_port});
    Endpoint target(flow_.destination, kServerPort);
    if (::connect(client.get(), target.get(), target.length) != 0 && errno != EINPROGRESS)
      return Trouble(std::strerror(errno));
    if (!Ready(listener, POLLIN, limit_ms_)) return Trouble("no connection");
    Endpoint peer;
    const UniqueFd server(
        ::accept4(listener.get(), peer.get(), &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!server) return Trouble("connection lost");
    Saw(peer);
    const std::size_t bytes = flow_.kind == Kind::kTcpStream ? kStreamBytes : 100;
    if (!Carry(client, server, bytes)) return Trouble("data to the server lost");
    if (!Carry(server, client, bytes)) return Trouble("data to the client lost");
  }

  // Sends a pattern through a connection and checks every byte of it.
  bool Carry(const UniqueFd& from, const UniqueFd& to, std::size_t bytes) const {
    std::vector<std::uint8_t> pattern(bytes);
    for (std::size_t i = 0; i < bytes; ++i) pattern[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    std::size_t sent = 0;
    std::size_t received = 0;
    std::array<std::uint8_t, 65536> buffer;
    while (received < bytes) {
      const ssize_t put =
          sent < bytes ? ::send(from.get(), &pattern[sent], bytes - sent, MSG_NOSIGNAL) : 0;
      if (put > 0) sent += static_cast<std::size_t>(put);
      if (!Ready(to, POLLIN, limit_ms_)) return false;
      const ssize_t got = ::recv(to.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0 ||
          std::memcmp(buffer.data(), &pattern[received], static_cast<std::size_t>(got)) != 0)
        return false;
      received += static_cast<std::size_t>(got);
    }
    return true;
  }

  void Udp() {
    const UniqueFd server =
        BoundSocket(scene_, flow_.to, SOCK_DGRAM, {ServerAddress(), kServerPort});
    const UniqueFd client =
        BoundSocket(scene_, flow_.from, SOCK_DGRAM, {flow_.source, flow_.source_port});
    Endpoint target(flow_.destination, kServerPort);
    if (::connect(client.get(), target.get(), target.length) != 0)
      return Trouble(std::strerror(errno));
    if (::send(client.get(), "ping", 4, 0) != 4) return Trouble(std::strerror(errno));
    if (!Ready(server, POLLIN, limit_ms_)) return Trouble("no datagram");
    Endpoint peer;
    std::array<char, 16> buffer{};
    if (::recvfrom(server.get(), buffer.data(), buffer.size(), 0, peer.get(), &peer.length) != 4)
      return Trouble("wrong datagram");
    Saw(peer);
    ::sendto(server.get(), "pong", 4, 0, peer.get(), peer.length);
    // Connected: only an answer from where it was sent to is taken.
    if (!Ready(client, POLLIN, limit_ms_)) return Trouble("no answer");
    if (::recv(client.get(), buffer.data(), buffer.size(), 0) != 4) Trouble("wrong answer");
  }

  // Where a datagram's server must be bound, to answer from the address that it was called by:
  // a pod has one address, behind whatever floating IP.
  std::string ServerAddress() const {
    return flow_.to == Place::kOutside ? flow_.destination : AnyAddress(flow_.destination);
  }

  UniqueFd IcmpSocket(Place place) const {
    const support::InNetwork in(scene_.at(place));
    UniqueFd fd(::socket(v6() ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         v6() ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}));
    if (!fd) support::ThrowErrno("raw ICMP socket");
    AllowAnyAddress(fd);
    return fd;
  }

  // The kernel of the far end answers; a raw socket beside it sees who asked.
  void Echo() {
    const UniqueFd watcher = IcmpSocket(flow_.to);
    const UniqueFd client = IcmpSocket(flow_.from);
    Endpoint local(flow_.source, 0);
    if (::bind(client.get(), local.get(), local.length) != 0) support::ThrowErrno("bind");
    support::Bytes request(16);
    request[0] = v6() ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO};
    support::PutWord(request, 4, flow_.source_port);
    if (!v6())  // the kernel fills ICMPv6's, which covers the addresses
      support::PutWord(request, 2,
                       static_cast<std::uint16_t>(~support::InternetSum(request) & 0xffff));
    Endpoint target(flow_.destination, 0);
    if (::sendto(client.get(), request.data(), request.size(), 0, target.get(), target.length) < 0)
      return Trouble(std::strerror(errno));
    if (!WaitForEcho(watcher, request[0], true)) return Trouble("no request");
    const std::uint8_t reply = v6() ? std::uint8_t{ICMP6_ECHO_REPLY} : std::uint8_t{ICMP_ECHOREPLY};
    if (!WaitForEcho(client, reply, false)) Trouble("no reply");
  }

  bool WaitForEcho(const UniqueFd& fd, std::uint8_t type, bool note) {
    std::array<std::uint8_t, 512> buffer;
    while (Ready(fd, POLLIN, limit_ms_)) {
      Endpoint peer;
      const ssize_t got =
          ::recvfrom(fd.get(), buffer.data(), buffer.size(), 0, peer.get(), &peer.length);
      // A raw IPv4 socket is given the IP header too.
      const std::size_t at = v6() ? 0 : static_cast<std::size_t>(buffer[0] & 15) * 4;
      if (got < static_cast<ssize_t>(at + 8) || buffer[at] != type) continue;
      const std::uint16_t id = support::Word({buffer.data(), buffer.size()}, at + 4);
      if (!note) {
        if (id != flow_.source_port || peer.address() != flow_.destination) continue;
        return true;
      }
      sight_.address = peer.address();
      sight_.port = id;
      return true;
    }
    return false;
  }

  const Scene& scene_;
  const LiveFlow& flow_;
  int limit_ms_;
  Sight sight_;
};

void AddFlows(Family family, std::vector<LiveFlow>& flows) {
  const Cast& cast = CastOf(family);
  const std::string version = family == Family::kIpv4 ? "IPv4 " : "IPv6 ";
  const auto add = [&](const char* name, Kind kind, Place from, const std::string& source,
                       const std::string& destination, Place to) {
    const auto port = static_cast<std::uint16_t>(40000 + flows.size());
    flows.push_back({version + name, kind, from, source, destination, to, port});
  };
  using enum Place;
  using enum Kind;
  add("TCP   pod1 -> internet", kTcp, kPod1, cast.pod1, cast.web, kOutside);
  add("TCP   pod1 -> internet, 1 MB each way", kTcpStream, kPod1, cast.pod1, cast.web, kOutside);
  add("UDP   pod1 -> internet", kUdp, kPod1, cast.pod1, cast.web, kOutside);
  add("ICMP  pod1 -> internet", kEcho, kPod1, cast.pod1, cast.web, kOutside);
  add("TCP   pod2 -> internet", kTcp, kPod2, cast.pod2, cast.web2, kOutside);
  add("TCP   pod1 -> other node", kTcp, kPod1, cast.pod1, cast.other_node, kOutside);
  add("TCP   pod3 (no-nat) -> internet", kTcp, kPod3, cast.pod3, cast.web, kOutside);
  add("UDP   pod3 (no-nat) -> internet", kUdp, kPod3, cast.pod3, cast.web, kOutside);
  add("ICMP  pod3 (no-nat) -> internet", kEcho, kPod3, cast.pod3, cast.web, kOutside);
  add("TCP   pod3 (no-nat) -> service", kTcp, kPod3, cast.pod3, cast.service, kOutside);
  add("UDP   pod1 -> service", kUdp, kPod1, cast.pod1, cast.service, kOutside);
  add("TCP   pod1 -> pod3", kTcp, kPod1, cast.pod1, cast.pod3, kPod3);
  add("UDP   pod3 -> pod1", kUdp, kPod3, cast.pod3, cast.pod1, kPod1);
  add("TCP   internet -> pod3, routed", kTcp, kOutside, cast.client, cast.pod3, kPod3);
  add("TCP   internet -> floating IP of pod1", kTcp, kOutside, cast.client, cast.floating, kPod1);
  add("UDP   internet -> floating IP of pod1", kUdp, kOutside, cast.client, cast.floating, kPod1);
  add("ICMP  internet -> floating IP of pod1", kEcho, kOutside, cast.client, cast.floating, kPod1);
  add("TCP   pod2 -> floating IP of pod1", kTcp, kPod2, cast.pod2, cast.floating, kPod1);
  add("TCP   pod1 -> its own floating IP", kTcp, kPod1, cast.pod1, cast.floating, kPod1);
}

}  // namespace

Sight Observe(const Scene& scene, const LiveFlow& flow, int limit_ms) {
  return Observer(scene, flow, limit_ms).Observe();
}

std::vector<LiveFlow> ExampleFlows() {
  std::vector<LiveFlow> flows;
  AddFlows(Family::kIpv4, flows);
  AddFlows(Family::kIpv6, flows);
  return flows;
}

bool Same(const LiveFlow& flow, const Sight& one, const Sight& other) {
  return one.answered && other.answered && one.address == other.address &&
         (one.port == flow.source_port) == (other.port == flow.source_port);
}

}  // namespace natrix::oracle
