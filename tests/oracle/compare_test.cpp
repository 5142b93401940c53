// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/compare.h"

#include <gtest/gtest.h>

#include "tests/support/build.h"
#include "tests/support/checksum.h"

namespace natrix::oracle {
namespace {

using support::Build;
using support::PacketSpec;

const support::Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

Bytes Datagram(std::uint16_t id) {
  return Build({.src = "192.0.2.1", .dst = "198.51.100.9", .sport = 1000, .dport = 53, .id = id},
               kMacs)
      .front();
}

// An error of the node's about `sent`, with the identification that the kernel gave it.
Seen ErrorAbout(const Bytes& sent, std::uint16_t id) {
  Bytes frame = support::IcmpError("198.51.100.9", 3, 3, 0, sent, 64, kMacs);
  support::PutWord(frame, support::Dissect(frame)->ip + 4, id);
  support::Seal(frame);
  return {Place::kOutside, frame, 0};
}

std::optional<std::string> Compare(const Seen& left, const Seen& right, const Bytes& sent) {
  Aliases aliases;
  return Difference({left}, {right}, {{sent}, {sent}}, aliases);
}

TEST(Compare, IdentificationsOfTheNodesOwnPacketsAreMadeUp) {
  const Bytes sent = Datagram(7);
  EXPECT_EQ(Compare(ErrorAbout(sent, 1), ErrorAbout(sent, 2), sent), std::nullopt);
}

TEST(Compare, OneOfThemMayByChanceBeWhatWasSent) {
  const Bytes sent = Datagram(7);
  EXPECT_EQ(Compare(ErrorAbout(sent, 7), ErrorAbout(sent, 2), sent), std::nullopt);
  EXPECT_EQ(Compare(ErrorAbout(sent, 2), ErrorAbout(sent, 7), sent), std::nullopt);
}

TEST(Compare, TheIdentificationOfAForwardedPacketIsKept) {
  const Bytes sent = Datagram(7);
  const Seen kept{Place::kOutside, sent, 0};
  const Seen changed{Place::kOutside, Datagram(8), 0};
  EXPECT_EQ(Compare(kept, kept, sent), std::nullopt);
  EXPECT_NE(Compare(kept, changed, sent), std::nullopt);
}

TEST(Compare, MarksAreCompared) {
  const Bytes sent = Datagram(7);
  EXPECT_EQ(Compare({Place::kOutside, sent, 0}, {Place::kOutside, sent, 1}, sent), "marks");
  EXPECT_EQ(Compare({Place::kOutside, sent, 0}, {Place::kOutside, sent, std::nullopt}, sent),
            "marks");
}

}  // namespace
}  // namespace natrix::oracle
