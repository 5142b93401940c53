// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/oracle/scene.h"
#include "tests/support/packet.h"

// When two outcomes are one.
namespace natrix::oracle {

using support::Bytes;

// A frame that arrived at the end of a wire.
struct Seen {
  Place place = Place::kOutside;
  Bytes frame;
  std::optional<std::uint32_t> mark;  // with which it left the node
};
std::string Describe(const Seen& seen);
std::string Describe(const std::vector<Seen>& seen);  // "nothing" when empty

// Ports and identifiers that the two sides chose at random for the same flow: (left's, right's).
// From then on one stands for the other, in replies and in what ICMP errors quote.
using Aliases = std::set<std::pair<std::uint16_t, std::uint16_t>>;

// What the step put in on each side: tells a translated port from one that was left alone.
struct Sent {
  std::vector<Bytes> left;
  std::vector<Bytes> right;
};

// The source port of a frame, or the identifier of an echo request; 0 when it has none.
std::uint16_t SourcePort(const Bytes& frame);

// Compares what arrived.  Everything must be equal to the byte: addresses, TTL, options, payload,
// marks, the ports that were kept; except
//   - a source port or ICMP identifier that both sides changed: those must be of one class, below
//     512, below 1024 or above, as the kernel keeps it; they become aliases;
//   - an SCTP port: the kernel may change it and natrix does not, see docs;
//   - what the kernel made up itself: IPv4 identifications of its own packets, those of IPv6
//     fragments, IPv6 flow labels;
//   - what the node itself refuses, port unreachable: how much of it is quoted, and its TTL;
// and checksums must be right on both sides, or equally beyond checking.  The order of packets
// does not count.  Returns what differs, or nothing.
std::optional<std::string> Difference(const std::vector<Seen>& left, const std::vector<Seen>& right,
                                      const Sent& sent, Aliases& aliases);

}  // namespace natrix::oracle
