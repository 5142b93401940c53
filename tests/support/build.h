// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/packet.h"

// Making packets.  For one-off packets write libtins' algebra, EthernetII() / IP() / TCP(); this
// is for packets that are described by data, in either family alike.
namespace natrix::support {

enum TcpFlags : std::uint8_t {
  kFin = 1,
  kSyn = 2,
  kRst = 4,
  kPsh = 8,
  kAck = 16,
};

// A packet to be sent.  The family is that of `src`.
struct PacketSpec {
  std::string src;
  std::string dst;
  std::uint8_t protocol = kUdp;  // kIcmp also stands for ICMPv6 when src is IPv6
  std::uint16_t sport = 0;       // of an echo: the identifier
  std::uint16_t dport = 0;       // of an echo: the sequence number
  std::uint8_t tcp_flags = kSyn;
  std::uint32_t seq = 1000;
  std::uint32_t ack = 0;
  bool echo_reply = false;
  std::size_t payload = 0;
  std::uint8_t fill = 0x5a;  // first byte of the payload; the next ones count upwards
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  std::uint16_t id = 0;       // IPv4 identification
  std::uint32_t frag_id = 1;  // IPv6 fragment header's
  bool dont_fragment = false;
  bool no_checksum = false;    // UDP; over IPv6 only tunnels may (RFC 6935)
  std::uint16_t coverage = 0;  // UDP-Lite: bytes covered, 0 for all
  bool options = false;        // IPv4: NOPs and record route; IPv6: hop-by-hop and destination
  std::size_t fragment = 0;    // bytes of IP payload per fragment (a multiple of 8), 0: whole
};

struct Macs {
  std::string src;
  std::string dst;
};

// The frames of `spec`: one, or its fragments in order.  Checksums are right.
std::vector<Bytes> Build(const PacketSpec& spec, const Macs& macs);

// Splits an IP frame into fragments of `size` payload bytes.
std::vector<Bytes> Fragment(const Bytes& frame, std::size_t size, std::uint32_t v6_id);

// An ICMP error from `src` to the sender of `about` (a frame), quoting its IP packet up to
// `quote` bytes, with the 32 bits that follow the checksum in `rest` (MTU).
Bytes IcmpError(const std::string& src, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                const Bytes& about, std::size_t quote, const Macs& macs);

}  // namespace natrix::support
