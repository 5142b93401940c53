// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/bench_abi.h"
#include "userspace/model/address.h"

// A stream of packets as people think of it, and what the generator and the sinks are told.
namespace natrix::bench {

using model::Family;

struct Stream {
  Family family = Family::kIpv4;
  std::string src;  // the lowest of up to 64 senders; a multiple of 64
  std::string dst;  // the lowest of `destinations`; their number is a power of two
  std::uint32_t destinations = 1;
  std::uint16_t dport = 8080;
  std::uint32_t flows = 1000;  // taken in turn; 0: every packet is a new flow
};

inline constexpr std::uint32_t kSenders = 64;
inline constexpr std::uint32_t kPortBits = 15;  // source ports of one sender
// Flows to one destination, where there are several: they share the ports that masquerade may give.
inline constexpr std::uint32_t kFlowBits = 12;

bench_order OrderOf(const Stream& stream, const std::string& src_mac, const std::string& dst_mac);

// Addresses that packets have where they arrive: within these prefixes.
bench_wanted WantedOf(const std::string& src_prefix, const std::string& dst_prefix);

}  // namespace natrix::bench
