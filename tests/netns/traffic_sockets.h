// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/support/namespace.h"
#include "tests/support/packet.h"
#include "tests/support/process.h"
#include "userspace/base/unique_fd.h"

// Real sockets in namespaces, held by the test itself: both ends of a conversation are at hand.
// Every socket may use an address that is only routed to its host, not configured (IP_FREEBIND).
// What the machine refuses throws SetupError.
namespace natrix::netns {

using support::Bytes;
using support::milliseconds;
using support::View;

// An end of a conversation as a socket knows it.
struct Point {
  std::string address;
  std::uint16_t port = 0;

  bool v6() const { return address.find(':') != std::string::npos; }
  friend bool operator==(const Point&, const Point&) = default;
};
std::string ToString(const Point& point);

// `limit` times NATRIX_TEST_TIME_SCALE: machines under emulation are slower by that.
milliseconds Scaled(milliseconds limit);

UniqueFd OpenUdp(const support::Namespace& ns, const Point& local);
UniqueFd Listen(const support::Namespace& ns, const Point& local);
// One that may stand for any address (IP_TRANSPARENT), as a proxy's does.
UniqueFd ListenTransparent(const support::Namespace& ns, const Point& local,
                           bool reuse_port = false);
// A TCP connection from `local`, whose port may be 0.  Nullopt with errno set when it is refused
// or does not come about within ten seconds.
std::optional<UniqueFd> TryConnect(const support::Namespace& ns, const Point& local,
                                   const Point& remote);
// The same in two steps.
UniqueFd OpenTcp(const support::Namespace& ns, const Point& local);
bool ConnectTcp(int fd, const Point& remote);
UniqueFd Connect(const support::Namespace& ns, const Point& local, const Point& remote);
UniqueFd Accept(int listener);
// Whether there is something to read or accept within `limit`.
bool Waits(int fd, milliseconds limit);

Point LocalOf(int fd);
Point RemoteOf(int fd);

// A UDP socket that has one peer.
bool ConnectUdp(int fd, const Point& remote);
// False when the socket has an error.
bool SendTo(int fd, const Point& to, View bytes);
struct Datagram {
  Point from;
  Bytes bytes;
};
// What comes next, within `limit`.
std::optional<Datagram> ReceiveFrom(int fd, milliseconds limit);

// All of `bytes`, or false: the connection is broken, or stood still for ten seconds.
bool WriteAll(int fd, View bytes);
bool ReadAll(int fd, Bytes& bytes);

// An ICMP echo socket of `ns` (both families; the kernel chooses the identifier).
UniqueFd OpenPing(const support::Namespace& ns, const std::string& local);

}  // namespace natrix::netns
