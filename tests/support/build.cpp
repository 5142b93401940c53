// SPDX-License-Identifier: Apache-2.0
#include "tests/support/build.h"

#include <tins/ethernetII.h>
#include <tins/icmp.h>
#include <tins/icmpv6.h>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/rawpdu.h>
#include <tins/tcp.h>
#include <tins/udp.h>

#include <memory>

#include "tests/support/checksum.h"
#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

using Tins::EthernetII;
using Tins::ICMP;
using Tins::ICMPv6;
using Tins::IP;
using Tins::IPv6;
using Tins::RawPDU;
using Tins::TCP;
using Tins::UDP;

bool IsV6(const PacketSpec& spec) { return spec.src.find(':') != std::string::npos; }

Bytes Payload(const PacketSpec& spec) {
  Bytes bytes(spec.payload);
  std::uint8_t next = spec.fill;
  for (std::uint8_t& byte : bytes) byte = next++;
  return bytes;
}

// SCTP with one INIT chunk (RFC 9260 section 3.3.2), or a DATA chunk with the payload when there
// is one; the checksum is Seal's.
Bytes SctpBytes(const PacketSpec& spec) {
  Bytes bytes(12);
  PutWord(bytes, 0, spec.sport);
  PutWord(bytes, 2, spec.dport);
  PutLong(bytes, 4, spec.tcp_flags == kSyn ? 0 : spec.seq);  // verification tag, 0 on INIT only
  const bool init = spec.payload == 0;
  const std::uint8_t type = init ? (spec.tcp_flags == kSyn ? 1 : 2) : 0;
  Bytes chunk(init ? 20 : 16);
  chunk[0] = type;
  chunk[1] = init ? 0 : 3;
  if (init) {
    PutLong(chunk, 4, spec.seq);
    PutLong(chunk, 8, 65535);
    PutWord(chunk, 12, 1);
    PutWord(chunk, 14, 1);
  } else {
    const Bytes data = Payload(spec);
    chunk.insert(chunk.end(), data.begin(), data.end());
  }
  PutWord(chunk, 2, static_cast<std::uint16_t>(chunk.size()));
  while (chunk.size() % 4 != 0) chunk.push_back(0);
  bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  return bytes;
}

Bytes UdpLiteBytes(const PacketSpec& spec) {
  Bytes bytes(8);
  PutWord(bytes, 0, spec.sport);
  PutWord(bytes, 2, spec.dport);
  PutWord(bytes, 4, spec.coverage);
  const Bytes data = Payload(spec);
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::unique_ptr<Tins::PDU> Echo(const PacketSpec& spec) {
  if (IsV6(spec)) {
    auto icmp =
        std::make_unique<ICMPv6>(spec.echo_reply ? ICMPv6::ECHO_REPLY : ICMPv6::ECHO_REQUEST);
    icmp->identifier(spec.sport);
    icmp->sequence(spec.dport);
    return icmp;
  }
  auto icmp = std::make_unique<ICMP>(spec.echo_reply ? ICMP::ECHO_REPLY : ICMP::ECHO_REQUEST);
  icmp->id(spec.sport);
  icmp->sequence(spec.dport);
  return icmp;
}

std::unique_ptr<Tins::PDU> Transport(const PacketSpec& spec) {
  const auto with_payload = [&](std::unique_ptr<Tins::PDU> pdu) {
    if (spec.payload != 0) pdu->inner_pdu(RawPDU(Payload(spec)));
    return pdu;
  };
  switch (spec.protocol) {
    case kTcp: {
      auto tcp = std::make_unique<TCP>(spec.dport, spec.sport);
      tcp->flags(spec.tcp_flags);
      tcp->seq(spec.seq);
      tcp->ack_seq(spec.ack);
      tcp->window(64240);
      if (spec.tcp_flags & kSyn) tcp->mss(1460);
      return with_payload(std::move(tcp));
    }
    case kUdp:
      return with_payload(std::make_unique<UDP>(spec.dport, spec.sport));
    case kIcmp:
    case kIcmpV6:
      return with_payload(Echo(spec));
    case kSctp:
      return std::make_unique<RawPDU>(SctpBytes(spec));
    case kUdpLite:
      return std::make_unique<RawPDU>(UdpLiteBytes(spec));
    case kGre: {
      Bytes bytes{0, 0, 0x08, 0};  // version 0, no flags (RFC 2784)
      const Bytes inside = Payload(spec);
      bytes.insert(bytes.end(), inside.begin(), inside.end());
      return std::make_unique<RawPDU>(bytes);
    }
    default:
      return std::make_unique<RawPDU>(Payload(spec));
  }
}

IP MakeIp4(const PacketSpec& spec) {
  IP ip(spec.dst, spec.src);
  ip.ttl(spec.ttl);
  ip.tos(spec.tos);
  ip.id(spec.id);
  ip.protocol(spec.protocol);
  if (spec.dont_fragment) ip.flags(IP::DONT_FRAGMENT);
  return ip;
}

IPv6 MakeIp6(const PacketSpec& spec) {
  IPv6 ip(spec.dst, spec.src);
  ip.hop_limit(spec.ttl);
  ip.traffic_class(spec.tos);
  ip.next_header(spec.protocol == kIcmp ? std::uint8_t{kIcmpV6} : spec.protocol);
  if (spec.options) {
    static constexpr std::uint8_t kPad[] = {1, 4, 0, 0, 0, 0};  // PadN of six bytes
    ip.add_header(IPv6::ext_header(IPv6::HOP_BY_HOP, std::begin(kPad), std::end(kPad)));
    ip.add_header(IPv6::ext_header(IPv6::DESTINATION_OPTIONS, std::begin(kPad), std::end(kPad)));
  }
  return ip;
}

EthernetII Ethernet(const Macs& macs) { return {macs.dst, macs.src}; }

// Record route for two hops, and a NOP.  By hand: libtins (4.0) writes an END of its own over the
// first byte of the transport header.
void InsertOptions4(Bytes& frame) {
  static constexpr std::uint8_t kOptions[] = {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::size_t kIp = kEthernetLength;
  frame.insert(frame.begin() + kIp + 20, std::begin(kOptions), std::end(kOptions));
  frame[kIp] = static_cast<std::uint8_t>(0x40 | (20 + sizeof(kOptions)) / 4);
  PutWord(frame, kIp + 2, static_cast<std::uint16_t>(Word(frame, kIp + 2) + sizeof(kOptions)));
}

}  // namespace

std::vector<Bytes> Build(const PacketSpec& spec, const Macs& macs) {
  EthernetII frame = Ethernet(macs);
  const std::unique_ptr<Tins::PDU> transport = Transport(spec);
  if (IsV6(spec))
    frame /= MakeIp6(spec) / *transport;
  else
    frame /= MakeIp4(spec) / *transport;
  Bytes bytes = frame.serialize();
  if (spec.options && !IsV6(spec)) InsertOptions4(bytes);
  Seal(bytes);
  if (spec.no_checksum && spec.protocol == kUdp) PutWord(bytes, *Dissect(bytes)->checksum_at, 0);
  if (spec.fragment == 0) return {bytes};
  return Fragment(bytes, spec.fragment, spec.frag_id);
}

std::vector<Bytes> Fragment(const Bytes& frame, std::size_t size, std::uint32_t v6_id) {
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers || size % 8 != 0 || size == 0) throw SetupError("cannot fragment " + Describe(frame));
  std::vector<Bytes> fragments;
  for (std::size_t from = layers->l4; from < layers->end; from += size) {
    const std::size_t length = std::min(size, layers->end - from);
    const bool more = from + length < layers->end;
    const auto offset = static_cast<std::uint16_t>(from - layers->l4);
    Bytes piece(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(layers->l4));
    if (layers->v6) {
      // Options before the fragment header belong to every fragment; a spec with both has its
      // destination options there too, which is legal if unusual.
      Bytes header(8);
      header[0] = layers->protocol;
      PutWord(header, 2, static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
      PutLong(header, 4, v6_id);
      // The last extension header before (or the IPv6 header itself) must now name this one.
      std::size_t naming = layers->ip + 6;
      for (std::size_t at = layers->ip + 40; at < layers->l4; at += 8 + piece[at + 1] * 8U)
        naming = at;
      piece[naming] = kFragment;
      piece.insert(piece.end(), header.begin(), header.end());
    }
    piece.insert(piece.end(), frame.begin() + static_cast<std::ptrdiff_t>(from),
                 frame.begin() + static_cast<std::ptrdiff_t>(from + length));
    const std::size_t total = piece.size() - layers->ip;
    if (layers->v6) {
      PutWord(piece, layers->ip + 4, static_cast<std::uint16_t>(total - 40));
    } else {
      PutWord(piece, layers->ip + 2, static_cast<std::uint16_t>(total));
      PutWord(piece, layers->ip + 6, static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
    }
    Seal(piece);
    fragments.push_back(std::move(piece));
  }
  return fragments;
}

Bytes IcmpError(const std::string& src, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                const Bytes& about, std::size_t quote, const Macs& macs) {
  const std::optional<Layers> layers = Dissect(about);
  if (!layers) throw SetupError("no ICMP error can be about " + Describe(about));
  PacketSpec spec;
  spec.src = src;
  spec.dst = layers->src;
  spec.protocol = layers->v6 ? kIcmpV6 : kIcmp;
  const std::size_t length = std::min(quote, layers->end - layers->ip);
  Bytes body(8 + length);
  body[0] = type;
  body[1] = code;
  PutLong(body, 4, rest);
  std::copy_n(about.begin() + static_cast<std::ptrdiff_t>(layers->ip), length, body.begin() + 8);
  EthernetII frame = Ethernet(macs);
  if (layers->v6)
    frame /= MakeIp6(spec) / RawPDU(body);
  else
    frame /= MakeIp4(spec) / RawPDU(body);
  Bytes bytes = frame.serialize();
  Seal(bytes);
  return bytes;
}

}  // namespace natrix::support
