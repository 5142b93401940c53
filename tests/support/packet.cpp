// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include "tests/support/checksum.h"

namespace natrix::support {

std::uint16_t Word(View bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t Long(View bytes, std::size_t at) {
  return static_cast<std::uint32_t>(Word(bytes, at)) << 16 | Word(bytes, at + 2);
}

void PutWord(Bytes& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

void PutLong(Bytes& bytes, std::size_t at, std::uint32_t value) {
  PutWord(bytes, at, static_cast<std::uint16_t>(value >> 16));
  PutWord(bytes, at + 2, static_cast<std::uint16_t>(value & 0xffff));
}

namespace {

std::string AddressText(View bytes, std::size_t at, bool v6) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, &bytes[at], text, sizeof(text));
  return text;
}

bool IsIcmpError(bool v6, std::uint8_t type) {
  if (v6) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool IsEcho(bool v6, std::uint8_t type) {
  return v6 ? type == 128 || type == 129 : type == 0 || type == 8;
}

void DissectTransport(View bytes, Layers& layers) {
  const std::size_t at = layers.l4;
  const std::size_t room = layers.end > at ? layers.end - at : 0;
  const auto field = [&](std::size_t offset, std::size_t length) {
    return offset + length <= room ? std::optional(at + offset) : std::nullopt;
  };
  switch (layers.protocol) {
    case kTcp:
    case kUdp:
    case kUdpLite:
    case kSctp:
      layers.sport_at = field(0, 2);
      layers.dport_at = field(2, 2);
      if (layers.protocol == kTcp) layers.checksum_at = field(16, 2);
      if (layers.protocol == kUdp || layers.protocol == kUdpLite) layers.checksum_at = field(6, 2);
      if (layers.protocol == kSctp) layers.checksum_at = field(8, 4);
      return;
    case kIcmp:
    case kIcmpV6: {
      if ((layers.protocol == kIcmpV6) != layers.v6 || room < 8) return;
      layers.checksum_at = at + 2;
      if (IsEcho(layers.v6, bytes[at])) layers.echo_id_at = at + 4;
      layers.echo_reply = bytes[at] == (layers.v6 ? 129 : 0);
      if (IsIcmpError(layers.v6, bytes[at])) layers.inner = at + 8;
      return;
    }
    default:
      return;
  }
}

std::optional<Layers> Dissect4(View bytes, std::size_t at) {
  if (bytes.size() < at + 20) return std::nullopt;
  Layers layers;
  const std::size_t header = static_cast<std::size_t>(bytes[at] & 15) * 4;
  const std::size_t total = Word(bytes, at + 2);
  if (header < 20 || total < header || bytes.size() < at + header) return std::nullopt;
  layers.ip = at;
  layers.l4 = at + header;
  layers.truncated = bytes.size() < at + total;
  layers.end = std::min(bytes.size(), at + total);
  layers.protocol = bytes[at + 9];
  layers.ttl = bytes[at + 8];
  const std::uint16_t flags = Word(bytes, at + 6);
  layers.fragment_offset = static_cast<std::uint16_t>((flags & 0x1fff) * 8);
  layers.more_fragments = (flags & 0x2000) != 0;
  layers.dont_fragment = (flags & 0x4000) != 0;
  layers.fragment = layers.more_fragments || layers.fragment_offset != 0;
  layers.fragment_id = Word(bytes, at + 4);
  layers.src = AddressText(bytes, at + 12, false);
  layers.dst = AddressText(bytes, at + 16, false);
  return layers;
}

std::optional<Layers> Dissect6(View bytes, std::size_t at) {
  if (bytes.size() < at + 40) return std::nullopt;
  Layers layers;
  layers.v6 = true;
  layers.ip = at;
  const std::size_t total = 40U + Word(bytes, at + 4);
  layers.truncated = bytes.size() < at + total;
  layers.end = std::min(bytes.size(), at + total);
  layers.ttl = bytes[at + 7];
  layers.src = AddressText(bytes, at + 8, true);
  layers.dst = AddressText(bytes, at + 24, true);
  std::uint8_t next = bytes[at + 6];
  std::size_t here = at + 40;
  while (next == kHopByHop || next == kRouting || next == kDestinationOptions ||
         next == kFragment) {
    if (here + 8 > layers.end || !layers.IsFirst()) break;
    if (next == kFragment) {
      layers.fragment = true;
      layers.fragment_offset = Word(bytes, here + 2) & 0xfff8;
      layers.more_fragments = (bytes[here + 3] & 1) != 0;
      layers.fragment_id = Long(bytes, here + 4);
    }
    const std::size_t length = next == kFragment ? 8 : 8 + bytes[here + 1] * std::size_t{8};
    next = bytes[here];
    here += length;
  }
  layers.protocol = next;
  layers.l4 = here;
  return layers;
}

std::string Flags(View frame, const Layers& layers) {
  if (layers.end < layers.l4 + 14) return "cut";
  static constexpr char kLetters[] = "FSRPAU";
  std::string text;
  for (unsigned bit = 0; bit < 6; ++bit)
    if (frame[layers.l4 + 13] >> bit & 1) text += kLetters[bit];
  return text.empty() ? "-" : text;
}

std::string DescribeIcmp(View frame, const Layers& layers) {
  if (!layers.checksum_at) return {};
  const int type = frame[layers.l4];
  const int code = frame[layers.l4 + 1];
  if (layers.echo_id_at)
    return fmt::format(" {} id {} seq {}", type == 0 || type == 129 ? "echo reply" : "echo request",
                       Word(frame, *layers.echo_id_at), Word(frame, *layers.echo_id_at + 2));
  std::string text = fmt::format(" type {} code {}", type, code);
  if (const std::uint32_t rest = Long(frame, layers.l4 + 4)) text += fmt::format(" rest {}", rest);
  return text;
}

const char* NameOf(std::uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return "tcp";
    case kUdp:
      return "udp";
    case kUdpLite:
      return "udplite";
    case kSctp:
      return "sctp";
    case kIcmp:
      return "icmp";
    case kIcmpV6:
      return "icmp6";
    case kGre:
      return "gre";
    case kEsp:
      return "esp";
    default:
      return nullptr;
  }
}

std::string Endpoint(View frame, const Layers& layers, const std::string& address,
                     std::optional<std::size_t> port_at) {
  if (!port_at) return address;
  return layers.v6 ? fmt::format("[{}]:{}", address, Word(frame, *port_at))
                   : fmt::format("{}:{}", address, Word(frame, *port_at));
}

std::string DescribeIp(View frame, const Layers& layers) {
  const char* name = NameOf(layers.protocol);
  std::string text = name ? name : fmt::format("proto {}", layers.protocol);
  text += ' ' + Endpoint(frame, layers, layers.src, layers.sport_at) + " > " +
          Endpoint(frame, layers, layers.dst, layers.dport_at);
  if (layers.protocol == kTcp && layers.sport_at) text += ' ' + Flags(frame, layers);
  if (layers.protocol == kIcmp || layers.protocol == kIcmpV6) text += DescribeIcmp(frame, layers);
  if (layers.fragment)
    text += fmt::format(" frag {}{}", layers.fragment_offset, layers.more_fragments ? "+" : "");
  text += fmt::format(" ttl {} len {}", layers.ttl, layers.end - layers.ip);
  return text;
}

}  // namespace

std::optional<Layers> Dissect(View bytes, std::size_t at) {
  if (bytes.size() <= at) return std::nullopt;
  std::optional<Layers> layers;
  if (bytes[at] >> 4 == 4) layers = Dissect4(bytes, at);
  if (bytes[at] >> 4 == 6) layers = Dissect6(bytes, at);
  if (layers && layers->IsFirst()) DissectTransport(bytes, *layers);
  return layers;
}

bool IsUnicastIp(View frame) {
  if (frame.size() < kEthernetLength || (frame[0] & 1)) return false;
  const std::uint16_t type = Word(frame, 12);
  if (type != 0x0800 && type != 0x86dd) return false;
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers) return true;  // broken on purpose: still something that arrived
  const bool discovery = layers->protocol == kIcmpV6 && layers->l4 < layers->end &&
                         frame[layers->l4] >= 133 && frame[layers->l4] <= 137;
  return !discovery;
}

std::string Describe(View frame) {
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers) return fmt::format("unreadable frame of {} bytes", frame.size());
  std::string text = DescribeIp(frame, *layers);
  if (layers->inner) {
    const std::optional<Layers> inner = Dissect(frame, *layers->inner);
    text += inner ? " [" + DescribeIp(frame, *inner) + "]" : " [unreadable]";
  }
  return text + ' ' + ToString(VerifyChecksums(frame));
}

}  // namespace natrix::support
