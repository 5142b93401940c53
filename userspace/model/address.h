// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "maps/abi/addr.h"

namespace natrix::model {

enum class Family { kIpv4, kIpv6 };
inline constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

// An address of either family; IPv4 is held v4-mapped, as the maps hold it.
struct Address {
  nx_addr bytes{};

  // Dotted quad or RFC 4291 text; nullopt for anything else, "::ffff:1.2.3.4" included
  // (one address must have one way of being written).
  static std::optional<Address> Parse(std::string_view text);
  Family family() const;
  bool IsMulticast() const;
  bool IsLoopback() const;       // 127.0.0.0/8, ::1
  bool IsUnspecified() const;    // 0.0.0.0, ::
  std::string ToString() const;  // 10.16.0.10, fd00::1

  friend std::strong_ordering operator<=>(const Address& a, const Address& b);
  friend bool operator==(const Address& a, const Address& b);
};

// Where somebody may connect to.
struct Endpoint {
  Address address;
  std::uint16_t port = 0;  // host byte order

  std::string ToString() const;  // 127.0.0.1:9188, [::1]:9188
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// An address range.  `length` counts bits of the family's own form: 0..32 or 0..128.
struct Prefix {
  Address address;
  int length = 0;

  // "10.16.0.0/16"; nullopt when it is no prefix.  Host bits are the caller's to judge.
  static std::optional<Prefix> Parse(std::string_view text);
  // This one address: /32 or /128.
  static Prefix Of(const Address& address);
  Family family() const { return address.family(); }
  bool HasHostBits() const;
  Prefix WithoutHostBits() const;
  bool Contains(const Address& other) const;
  bool Contains(const Prefix& other) const;
  nx_prefix ToAbi() const;  // length in bits of the 16-byte form
  static Prefix FromAbi(const nx_prefix& prefix);
  std::string ToString() const;

  friend std::strong_ordering operator<=>(const Prefix& a, const Prefix& b);
  friend bool operator==(const Prefix& a, const Prefix& b) = default;
};

}  // namespace natrix::model
