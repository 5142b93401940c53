// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Reading packets: where the fields lie, and one line for people.  Written apart from the
// datapath's parser, to be able to disagree with it.
namespace natrix::support {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

inline constexpr std::size_t kEthernetLength = 14;

enum Protocol : std::uint8_t {
  kHopByHop = 0,
  kIcmp = 1,
  kTcp = 6,
  kUdp = 17,
  kRouting = 43,
  kFragment = 44,
  kGre = 47,
  kEsp = 50,
  kIcmpV6 = 58,
  kDestinationOptions = 60,
  kSctp = 132,
  kUdpLite = 136,
};

// One IP packet inside a larger buffer; all offsets count from the buffer's first byte.
struct Layers {
  bool v6 = false;
  std::size_t ip = 0;      // the IP header
  std::size_t l4 = 0;      // what follows it and its extension headers
  std::size_t end = 0;     // one past its last byte that is there
  bool truncated = false;  // its length field promises more than is there (ICMP quotations)
  std::uint8_t protocol = 0;
  bool fragment = false;
  std::uint16_t fragment_offset = 0;  // bytes
  bool more_fragments = false;
  std::uint32_t fragment_id = 0;  // IPv4: of every packet
  bool dont_fragment = false;
  std::uint8_t ttl = 0;
  std::string src;
  std::string dst;

  // Where these lie; nullopt when the protocol has none or the bytes are not there.
  std::optional<std::size_t> sport_at;  // ports of TCP, UDP, UDP-Lite, SCTP
  std::optional<std::size_t> dport_at;
  std::optional<std::size_t> echo_id_at;
  bool echo_reply = false;
  std::optional<std::size_t> checksum_at;  // of the transport header
  std::optional<std::size_t> inner;        // IP header quoted by an ICMP error

  bool IsFirst() const { return fragment_offset == 0; }
};

std::uint16_t Word(View bytes, std::size_t at);  // big-endian
std::uint32_t Long(View bytes, std::size_t at);
void PutWord(Bytes& bytes, std::size_t at, std::uint16_t value);
void PutLong(Bytes& bytes, std::size_t at, std::uint32_t value);

// The IP packet whose header begins at `at`; nullopt when that is none that can be read.
std::optional<Layers> Dissect(View bytes, std::size_t at = kEthernetLength);

// Whether this frame is IP, and sent to one station: not ARP, not neighbour discovery, not a
// multicast listener report.
bool IsUnicastIp(View frame);

// "tcp 10.16.0.10:40000 > 8.8.8.8:80 S ttl 63 len 40 csum ok"; an ICMP error's quotation follows
// in brackets.
std::string Describe(View frame);

}  // namespace natrix::support
