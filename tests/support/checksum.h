// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/packet.h"

// Checksums from scratch, never by difference: what the datapath's arithmetic is judged by.
namespace natrix::support {

// RFC 1071 sum of bytes, folded, not complemented.
std::uint16_t InternetSum(View bytes, std::uint32_t start = 0);
// CRC-32C (RFC 4960 appendix B), in host byte order.
std::uint32_t Crc32c(View bytes);

enum class Checksum {
  kNone,  // there is none: IPv6 header, protocols without, not a first fragment
  kOk,
  kBad,
  kZero,     // UDP over IPv4 without a checksum; over IPv6 that is bad (RFC 8200 8.1)
  kUnknown,  // covers bytes that are not here: fragments, cut quotations
};

struct Checksums {
  Checksum header = Checksum::kNone;
  Checksum transport = Checksum::kNone;
  // Of the packet quoted by an ICMP error.
  Checksum inner_header = Checksum::kNone;
  Checksum inner_transport = Checksum::kNone;

  bool AnyBad() const;
  friend bool operator==(const Checksums&, const Checksums&) = default;
};

// Every checksum of a frame (or of an IP packet whose header begins at `at`), recomputed.
Checksums VerifyChecksums(View frame, std::size_t at = kEthernetLength);
// "csum ok", "csum zero", "csum transport BAD inner-header BAD"
std::string ToString(const Checksums& checksums);

// Makes every checksum of the outer packet right, as far as all bytes it covers are here.
// Quotations are left alone.
void Seal(Bytes& frame, std::size_t at = kEthernetLength);

// For a frame whose transport checksum is still the kernel's to fill (CHECKSUM_PARTIAL): if it
// holds the pseudo header's sum, as it must, fills it; if not, leaves it, to be seen as bad.
void CompletePartial(Bytes& frame);

// Overwrites the port or identifier at `at` of the packet at `packet_at`, mending by difference
// every checksum that covers it: its own packet's, and for a quotation also the outer ICMP's.
void RewriteField(Bytes& frame, std::size_t packet_at, std::size_t at, std::uint16_t value);

}  // namespace natrix::support
