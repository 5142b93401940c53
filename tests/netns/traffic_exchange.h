// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tests/netns/traffic_load.h"

// Conversations that begin and end inside one call.  Each returns an empty string, or a sentence
// about what went wrong.  `expected` is the address that the far host must see.
namespace natrix::netns {

// `bytes` pseudo-random ones out and as many back, compared one by one.
std::string TransferTcp(const Path& path, const std::string& expected, std::size_t bytes);
// Datagrams of many sizes, some larger than an MTU, there and back; over IPv4 some without a
// checksum.
std::string ExchangeUdp(const Path& path, const std::string& expected);
// One sendmsg(2) that the device cuts into ten datagrams (UDP_SEGMENT).
std::string SendUdpSegments(const Path& path, const std::string& expected);
// Echoes of many sizes.
std::string ExchangeEchoes(const Path& path);
// A datagram to a port where nobody listens: the sender must hear of it.
std::string ProvokeIcmpError(const Path& path);

// Two UDP sockets that talk to each other through a node, and go on between calls.
struct UdpPair {
  UniqueFd near;
  UniqueFd far;
  Point to;  // what the near one calls
};
// Both have `port`.
UdpPair OpenPair(const Path& path, std::uint16_t port = 7000);
// `rounds` datagrams there and back, one at a time.  Returns who the far host saw, or "" after a
// loss.
std::string ExchangeOn(const UdpPair& pair, int rounds = 4);

}  // namespace natrix::netns
