// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>

#include "tests/support/setup_error.h"

namespace natrix::bench {
namespace {

using Bytes = std::span<std::uint8_t>;

std::uint32_t LengthOf(Family family) {
  return family == Family::kIpv4 ? BENCH_FRAME_V4 : BENCH_FRAME_V6;
}

void PutWord(Bytes at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

std::uint16_t Word(Bytes at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

std::uint32_t SumOf(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) sum += Word(bytes.subspan(i));
  return sum;
}

void PutMac(Bytes at, const std::string& mac) {
  unsigned b[6];
  if (std::sscanf(mac.c_str(), "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
    throw support::SetupError("no MAC address: " + mac);
  for (std::size_t i = 0; i < 6; ++i) at[i] = static_cast<std::uint8_t>(b[i]);
}

void PutAddress(Bytes at, Family family, const std::string& text) {
  if (::inet_pton(family == Family::kIpv4 ? AF_INET : AF_INET6, text.c_str(), at.data()) != 1)
    throw support::SetupError("no address: " + text);
}

// Takes what differs from packet to packet out of the template, so that its sum stays the same.
std::uint16_t TakeLow(Bytes address) {
  const Bytes low = address.last(2);
  const std::uint16_t value = Word(low);
  PutWord(low, 0);
  return value;
}

// The IP header at `ip`; returns its two addresses.
Bytes PutIp(Bytes ip, const Stream& stream, std::uint16_t datagram) {
  const bool v4 = stream.family == Family::kIpv4;
  const std::size_t size = v4 ? 4 : 16;
  if (v4) {
    ip[0] = 0x45;
    PutWord(ip.subspan(2), static_cast<std::uint16_t>(datagram + 20));
    PutWord(ip.subspan(6), 0x4000);  // DF
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
  } else {
    ip[0] = 0x60;
    PutWord(ip.subspan(4), datagram);
    ip[6] = IPPROTO_UDP;
    ip[7] = 64;
  }
  const Bytes addresses = ip.subspan(v4 ? 12 : 8, 2 * size);
  PutAddress(addresses.first(size), stream.family, stream.src);
  PutAddress(addresses.last(size), stream.family, stream.dst);
  return addresses;
}

// "10.16.0.0/16": address and mask as the sinks compare them.
void PutPrefix(const std::string& text, __be64 (&address)[2], __be64 (&mask)[2]) {
  const std::size_t slash = text.find('/');
  const bool v6 = text.find(':') != text.npos;
  std::uint8_t bytes[16] = {};
  std::uint8_t ones[16] = {};
  const std::size_t start = v6 ? 0 : 8;
  PutAddress(Bytes(bytes).subspan(start), v6 ? Family::kIpv6 : Family::kIpv4,
             text.substr(0, slash));
  const int length = slash == text.npos ? (v6 ? 128 : 32) : std::stoi(text.substr(slash + 1));
  for (int bit = 0; bit < length; ++bit)
    ones[start + static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  std::memcpy(address, bytes, sizeof(bytes));
  std::memcpy(mask, ones, sizeof(ones));
}

}  // namespace

bench_order OrderOf(const Stream& stream, const std::string& src_mac, const std::string& dst_mac) {
  bench_order order{};
  const bool v4 = stream.family == Family::kIpv4;
  const Bytes frame(order.frame, LengthOf(stream.family));
  PutMac(frame, dst_mac);
  PutMac(frame.subspan(6), src_mac);
  PutWord(frame.subspan(12), v4 ? 0x0800 : 0x86dd);
  const std::size_t header = v4 ? 20 : 40;
  const Bytes udp = frame.subspan(14 + header);
  const auto datagram = static_cast<std::uint16_t>(udp.size());
  const Bytes addresses = PutIp(frame.subspan(14), stream, datagram);
  order.src_low = TakeLow(addresses.first(addresses.size() / 2));
  order.dst_low = TakeLow(addresses.last(addresses.size() / 2));
  PutWord(udp.subspan(2), stream.dport);
  PutWord(udp.subspan(4), datagram);
  for (std::size_t i = 8; i < udp.size(); ++i) udp[i] = static_cast<std::uint8_t>(i);
  order.ip_sum = SumOf(frame.subspan(14, header));
  order.udp_sum = SumOf(addresses) + SumOf(udp) + IPPROTO_UDP + datagram;
  order.is_v6 = !v4;
  order.sport = 16384;
  order.port_mask = (1U << kPortBits) - 1;
  // Towards one destination, senders make the flows that source ports cannot.
  order.src_shift = stream.destinations == 1 ? kPortBits : 0;
  order.src_mask = kSenders - 1;
  order.dst_shift = kFlowBits;
  order.dst_mask = stream.destinations - 1;
  order.flows = stream.flows;
  return order;
}

bench_wanted WantedOf(const std::string& src_prefix, const std::string& dst_prefix) {
  bench_wanted wanted{};
  PutPrefix(src_prefix, wanted.src, wanted.src_mask);
  PutPrefix(dst_prefix, wanted.dst, wanted.dst_mask);
  return wanted;
}

}  // namespace natrix::bench
