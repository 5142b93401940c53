// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace natrix::model {
namespace {

// ::ffff:0:0/96, RFC 4291 section 2.5.5.2.
constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

int FamilyBits(Family family) { return family == Family::kIpv4 ? 32 : 128; }

// Bits of the 16-byte form that a prefix of this family and length fixes.
int AbiBits(const Prefix& prefix) {
  return prefix.family() == Family::kIpv4 ? kMappedBits + prefix.length : prefix.length;
}

nx_addr Masked(nx_addr addr, int bits) {
  for (int i = 0; i < 16; ++i) {
    const int keep = std::clamp(bits - 8 * i, 0, 8);
    addr.byte[i] = static_cast<__u8>(addr.byte[i] & (0xff00 >> keep));
  }
  return addr;
}

}  // namespace

std::optional<Address> Address::Parse(std::string_view text) {
  // inet_pton reads up to a NUL: what follows one must not be ignored.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != text.npos) return std::nullopt;
  const std::string terminated(text);
  Address address;
  if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.byte + kMapped.size()) == 1) {
    std::ranges::copy(kMapped, address.bytes.byte);
    return address;
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes.byte) != 1) return std::nullopt;
  if (address.family() == Family::kIpv4) return std::nullopt;
  return address;
}

Family Address::family() const {
  return std::memcmp(bytes.byte, kMapped.data(), kMapped.size()) == 0 ? Family::kIpv4
                                                                      : Family::kIpv6;
}

bool Address::IsMulticast() const {
  return family() == Family::kIpv4 ? (bytes.byte[12] & 0xf0) == 0xe0 : bytes.byte[0] == 0xff;
}

bool Address::IsLoopback() const {
  static const Address kLoopback6 = *Parse("::1");
  return family() == Family::kIpv4 ? bytes.byte[12] == 127 : *this == kLoopback6;
}

bool Address::IsUnspecified() const {
  return *this == (family() == Family::kIpv4 ? Address{Masked(bytes, kMappedBits)} : Address{});
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == Family::kIpv4)
    ::inet_ntop(AF_INET, bytes.byte + kMapped.size(), text, sizeof(text));
  else
    ::inet_ntop(AF_INET6, bytes.byte, text, sizeof(text));
  return text;
}

std::strong_ordering operator<=>(const Address& a, const Address& b) {
  return std::memcmp(a.bytes.byte, b.bytes.byte, sizeof(a.bytes.byte)) <=> 0;
}

bool operator==(const Address& a, const Address& b) {
  return std::memcmp(a.bytes.byte, b.bytes.byte, sizeof(a.bytes.byte)) == 0;
}

std::string Endpoint::ToString() const {
  const std::string text = address.ToString();
  return (address.family() == Family::kIpv4 ? text : "[" + text + "]") + ":" + std::to_string(port);
}

Prefix Prefix::Of(const Address& address) { return {address, FamilyBits(address.family())}; }

std::optional<Prefix> Prefix::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const std::optional<Address> address = Address::Parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  // "/08" and "/+8" are no lengths; from_chars takes neither sign, but does take the zero.
  if (!address || digits.empty() || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  int length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (length < 0 || length > FamilyBits(address->family())) return std::nullopt;
  return Prefix{*address, length};
}

bool Prefix::HasHostBits() const { return WithoutHostBits().address != address; }

Prefix Prefix::WithoutHostBits() const {
  return {Address{Masked(address.bytes, AbiBits(*this))}, length};
}

bool Prefix::Contains(const Address& other) const {
  return family() == other.family() &&
         Address{Masked(other.bytes, AbiBits(*this))} == WithoutHostBits().address;
}

bool Prefix::Contains(const Prefix& other) const {
  return length <= other.length && Contains(other.address);
}

nx_prefix Prefix::ToAbi() const {
  return {static_cast<__u32>(AbiBits(*this)), WithoutHostBits().address.bytes};
}

Prefix Prefix::FromAbi(const nx_prefix& prefix) {
  const Address address{prefix.addr};
  const int bits = static_cast<int>(prefix.length);
  return {address, bits - (128 - FamilyBits(address.family()))};
}

std::string Prefix::ToString() const { return address.ToString() + "/" + std::to_string(length); }

std::strong_ordering operator<=>(const Prefix& a, const Prefix& b) {
  if (const auto order = a.address <=> b.address; order != 0) return order;
  return a.length <=> b.length;
}

}  // namespace natrix::model
