// SPDX-License-Identifier: Apache-2.0
#include "tests/support/checksum.h"

#include <array>

namespace natrix::support {

std::uint16_t InternetSum(View bytes, std::uint32_t start) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += Word(bytes, i);
  if (bytes.size() % 2 != 0) sum += static_cast<std::uint64_t>(bytes.back()) << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t Crc32c(View bytes) {
  static const auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
      table[i] = crc;
    }
    return table;
  }();
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
  return ~crc;
}

namespace {

std::uint16_t Not(std::uint32_t sum) { return static_cast<std::uint16_t>(~sum & 0xffff); }

// What the transport checksum adds before the transport bytes; ICMP over IPv4 adds nothing.
std::uint32_t PseudoSum(View frame, const Layers& layers) {
  if (layers.protocol == kIcmp) return 0;
  const std::size_t width = layers.v6 ? 16 : 4;
  const std::size_t addresses = layers.ip + (layers.v6 ? 8 : 12);
  const std::size_t length = layers.end - layers.l4;
  return InternetSum(frame.subspan(addresses, 2 * width),
                     static_cast<std::uint32_t>(layers.protocol + length));
}

// The bytes it covers, or none when not all are here.
std::optional<View> Covered(View frame, const Layers& layers) {
  if (!layers.checksum_at || layers.fragment || layers.truncated) return std::nullopt;
  std::size_t length = layers.end - layers.l4;
  if (layers.protocol == kUdpLite) {
    const std::size_t coverage = Word(frame, layers.l4 + 4);
    if (coverage > length || (coverage != 0 && coverage < 8)) return std::nullopt;
    if (coverage != 0) length = coverage;
  }
  return frame.subspan(layers.l4, length);
}

std::uint32_t LittleLong(View bytes, std::size_t at) { return __builtin_bswap32(Long(bytes, at)); }

Checksum VerifySctp(View frame, const Layers& layers, View covered) {
  Bytes copy(covered.begin(), covered.end());
  PutLong(copy, *layers.checksum_at - layers.l4, 0);
  return Crc32c(copy) == LittleLong(frame, *layers.checksum_at) ? Checksum::kOk : Checksum::kBad;
}

Checksum VerifyTransport(View frame, const Layers& layers) {
  if (!layers.checksum_at) return Checksum::kNone;
  const bool udp = layers.protocol == kUdp;
  if (udp && Word(frame, *layers.checksum_at) == 0)
    return layers.v6 ? Checksum::kBad : Checksum::kZero;
  const std::optional<View> covered = Covered(frame, layers);
  if (!covered) return Checksum::kUnknown;
  if (layers.protocol == kSctp) return VerifySctp(frame, layers, *covered);
  const std::uint16_t sum = InternetSum(*covered, PseudoSum(frame, layers));
  return sum == 0xffff ? Checksum::kOk : Checksum::kBad;
}

Checksum VerifyHeader(View frame, const Layers& layers) {
  if (layers.v6) return Checksum::kNone;
  const View header = frame.subspan(layers.ip, layers.l4 - layers.ip);
  return InternetSum(header) == 0xffff ? Checksum::kOk : Checksum::kBad;
}

// RFC 1624: HC' = ~(~HC + ~m + m').
void MendWord(Bytes& frame, std::size_t checksum_at, std::uint16_t before, std::uint16_t after) {
  std::uint32_t sum = Not(Word(frame, checksum_at)) + static_cast<std::uint32_t>(Not(before)) +
                      static_cast<std::uint32_t>(after);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  PutWord(frame, checksum_at, Not(sum));
}

}  // namespace

bool Checksums::AnyBad() const {
  return header == Checksum::kBad || transport == Checksum::kBad ||
         inner_header == Checksum::kBad || inner_transport == Checksum::kBad;
}

Checksums VerifyChecksums(View frame, std::size_t at) {
  Checksums result;
  const std::optional<Layers> layers = Dissect(frame, at);
  if (!layers) return result;
  result.header = VerifyHeader(frame, *layers);
  result.transport = VerifyTransport(frame, *layers);
  if (!layers->inner) return result;
  if (const std::optional<Layers> inner = Dissect(frame, *layers->inner)) {
    result.inner_header = VerifyHeader(frame, *inner);
    result.inner_transport = VerifyTransport(frame, *inner);
  }
  return result;
}

std::string ToString(const Checksums& checksums) {
  std::string text;
  const auto add = [&](const char* name, Checksum state) {
    if (state == Checksum::kBad) text += std::string(" ") + name + " BAD";
  };
  add("header", checksums.header);
  add("transport", checksums.transport);
  add("inner-header", checksums.inner_header);
  add("inner-transport", checksums.inner_transport);
  if (!text.empty()) return "csum" + text;
  return checksums.transport == Checksum::kZero ? "csum zero" : "csum ok";
}

void Seal(Bytes& frame, std::size_t at) {
  const std::optional<Layers> layers = Dissect(frame, at);
  if (!layers) return;
  if (!layers->v6) {
    PutWord(frame, at + 10, 0);
    PutWord(frame, at + 10, Not(InternetSum(View(frame).subspan(at, layers->l4 - at))));
  }
  if (!Covered(frame, *layers)) return;
  const std::size_t checksum_at = *layers->checksum_at;
  if (layers->protocol == kSctp) {
    PutLong(frame, checksum_at, 0);
    PutLong(frame, checksum_at, __builtin_bswap32(Crc32c(*Covered(frame, *layers))));
    return;
  }
  PutWord(frame, checksum_at, 0);
  std::uint16_t sum = Not(InternetSum(*Covered(frame, *layers), PseudoSum(frame, *layers)));
  if (sum == 0 && layers->protocol != kTcp) sum = 0xffff;  // RFC 768; harmless for the others
  PutWord(frame, checksum_at, sum);
}

void CompletePartial(Bytes& frame) {
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers || !layers->checksum_at) return;
  const std::uint32_t pseudo = PseudoSum(frame, *layers);
  std::uint32_t folded = pseudo;
  while (folded >> 16) folded = (folded & 0xffff) + (folded >> 16);
  if (layers->protocol == kSctp || Word(frame, *layers->checksum_at) == folded) Seal(frame);
}

void RewriteField(Bytes& frame, std::size_t packet_at, std::size_t at, std::uint16_t value) {
  const std::optional<Layers> outer = Dissect(frame);
  const std::optional<Layers> own = Dissect(frame, packet_at);
  if (!outer || !own) return;
  const bool quoted = packet_at != outer->ip;
  // Writes one word, and lets the outer ICMP checksum follow when it covers it.
  const auto put = [&](std::size_t where, std::uint16_t word) {
    const std::uint16_t before = Word(frame, where);
    PutWord(frame, where, word);
    if (quoted && outer->checksum_at) MendWord(frame, *outer->checksum_at, before, word);
  };
  const std::uint16_t before = Word(frame, at);
  put(at, value);
  if (!own->checksum_at) return;
  if (own->protocol == kSctp) {
    if (!quoted) Seal(frame);
    return;
  }
  if (own->protocol == kUdp && Word(frame, *own->checksum_at) == 0) return;
  const std::uint16_t old_sum = Word(frame, *own->checksum_at);
  MendWord(frame, *own->checksum_at, before, value);
  const std::uint16_t new_sum = Word(frame, *own->checksum_at);
  if (quoted && outer->checksum_at) MendWord(frame, *outer->checksum_at, old_sum, new_sum);
}

}  // namespace natrix::support
