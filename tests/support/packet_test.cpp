// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/build.h"
#include "tests/support/checksum.h"
#include "tests/support/packet.h"

namespace natrix::support {
namespace {

using testing::HasSubstr;

constexpr char kPod4[] = "10.16.0.10";
constexpr char kWeb4[] = "192.0.2.80";
constexpr char kPod6[] = "fd00:10:16::10";
constexpr char kWeb6[] = "2001:db8::80";
const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};

struct Kind {
  const char* name;
  PacketSpec spec;
};

std::vector<Kind> AllKinds() {
  std::vector<Kind> kinds;
  for (const bool v6 : {false, true}) {
    for (const std::uint8_t protocol : {kTcp, kUdp, kIcmp, kSctp, kUdpLite, kGre}) {
      PacketSpec spec{.src = v6 ? kPod6 : kPod4,
                      .dst = v6 ? kWeb6 : kWeb4,
                      .protocol = protocol,
                      .sport = 40000,
                      .dport = 80,
                      .payload = 33};
      kinds.push_back({"plain", spec});
      spec.options = true;
      kinds.push_back({"options", spec});
    }
  }
  return kinds;
}

// RFC 1071 section 3's own numbers.
TEST(InternetSum, OfTheExampleInTheRfc) {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(InternetSum(bytes), 0xddf2);
}

// RFC 3720 appendix B.4: 32 bytes of zeroes.
TEST(Crc32c, OfTheExampleInTheRfc) { EXPECT_EQ(Crc32c(Bytes(32)), 0x8a9136aaU); }

TEST(Build, MakesPacketsWhoseChecksumsAreRight) {
  for (const Kind& kind : AllKinds()) {
    const std::vector<Bytes> frames = Build(kind.spec, kMacs);
    ASSERT_EQ(frames.size(), 1U);
    SCOPED_TRACE(std::string(kind.name) + ": " + Describe(frames[0]));
    const std::optional<Layers> layers = Dissect(frames[0]);
    ASSERT_TRUE(layers);
    if (layers->sport_at) {
      EXPECT_EQ(Word(frames[0], *layers->sport_at), kind.spec.sport);
    }
    EXPECT_FALSE(VerifyChecksums(frames[0]).AnyBad());
    EXPECT_EQ(VerifyChecksums(frames[0]).transport == Checksum::kNone, kind.spec.protocol == kGre);
    EXPECT_EQ(layers->src, kind.spec.src);
    EXPECT_EQ(layers->end, frames[0].size());
  }
}

TEST(VerifyChecksums, NoticesOneFlippedBitAnywhereItCovers) {
  for (const Kind& kind : AllKinds()) {
    if (kind.spec.protocol == kGre) continue;
    const Bytes good = Build(kind.spec, kMacs)[0];
    const std::size_t l4 = Dissect(good)->l4;
    for (std::size_t at = l4; at < good.size(); ++at) {
      // UDP-Lite's coverage field decides what is covered, not whether it is right.
      if (kind.spec.protocol == kUdpLite && (at == l4 + 4 || at == l4 + 5)) continue;
      Bytes bad = good;
      bad[at] ^= 0x10;
      if (!Dissect(bad) || Dissect(bad)->checksum_at != Dissect(good)->checksum_at) continue;
      EXPECT_EQ(VerifyChecksums(bad).transport, Checksum::kBad)
          << Describe(good) << ", byte " << at;
    }
  }
}

TEST(VerifyChecksums, KnowsUdpWithoutOne) {
  PacketSpec spec{.src = kPod4, .dst = kWeb4, .sport = 1, .dport = 2, .no_checksum = true};
  EXPECT_EQ(VerifyChecksums(Build(spec, kMacs)[0]).transport, Checksum::kZero);
  spec.src = kPod6;
  spec.dst = kWeb6;
  EXPECT_EQ(VerifyChecksums(Build(spec, kMacs)[0]).transport, Checksum::kBad);
}

TEST(VerifyChecksums, LooksIntoIcmpErrors) {
  const Bytes about =
      Build({.src = kPod4, .dst = kWeb4, .sport = 7, .dport = 9, .payload = 8}, kMacs)[0];
  Bytes error = IcmpError("192.0.2.1", 3, 3, 0, about, 576, kMacs);
  EXPECT_EQ(VerifyChecksums(error),
            (Checksums{Checksum::kOk, Checksum::kOk, Checksum::kOk, Checksum::kOk}));
  EXPECT_EQ(VerifyChecksums(IcmpError("192.0.2.1", 3, 3, 0, about, 28, kMacs)).inner_transport,
            Checksum::kUnknown);
  error[*Dissect(error)->inner + 12] ^= 1;
  Seal(error);
  EXPECT_EQ(VerifyChecksums(error).transport, Checksum::kOk);
  EXPECT_EQ(VerifyChecksums(error).inner_header, Checksum::kBad);
  EXPECT_EQ(VerifyChecksums(error).inner_transport, Checksum::kBad);
}

TEST(RewriteField, KeepsEveryChecksumRight) {
  for (const Kind& kind : AllKinds()) {
    Bytes frame = Build(kind.spec, kMacs)[0];
    const Layers layers = *Dissect(frame);
    const auto port_at = layers.sport_at ? layers.sport_at : layers.echo_id_at;
    if (!port_at) continue;
    const bool v6 = layers.v6;
    Bytes error = IcmpError(kind.spec.dst, v6 ? 1 : 3, v6 ? 4 : 3, 0, frame, 1200, kMacs);

    RewriteField(frame, layers.ip, *port_at, 12345);
    EXPECT_EQ(Word(frame, *port_at), 12345);
    EXPECT_FALSE(VerifyChecksums(frame).AnyBad()) << Describe(frame);

    if (kind.spec.protocol == kSctp) continue;  // a quoted CRC cannot be mended by difference
    const std::size_t inner = *Dissect(error)->inner;
    const Layers quoted = *Dissect(error, inner);
    RewriteField(error, inner, quoted.sport_at ? *quoted.sport_at : *quoted.echo_id_at, 12345);
    EXPECT_FALSE(VerifyChecksums(error).AnyBad()) << Describe(error);
  }
}

TEST(Fragment, CoversTheWholePacketOnce) {
  for (Kind kind : AllKinds()) {
    if (kind.spec.options && kind.spec.src == kPod6) continue;
    kind.spec.payload = 3000;
    const Bytes whole = Build(kind.spec, kMacs)[0];
    kind.spec.fragment = 1000;
    const std::vector<Bytes> fragments = Build(kind.spec, kMacs);
    ASSERT_GE(fragments.size(), 3U);
    Bytes again;
    for (const Bytes& fragment : fragments) {
      const Layers layers = *Dissect(fragment);
      EXPECT_TRUE(layers.fragment);
      EXPECT_EQ(layers.fragment_offset, again.size());
      EXPECT_EQ(layers.more_fragments, &fragment != &fragments.back());
      EXPECT_FALSE(VerifyChecksums(fragment).AnyBad());
      again.insert(again.end(), fragment.begin() + static_cast<std::ptrdiff_t>(layers.l4),
                   fragment.end());
    }
    EXPECT_EQ(again,
              Bytes(whole.begin() + static_cast<std::ptrdiff_t>(Dissect(whole)->l4), whole.end()));
  }
}

TEST(Describe, IsOneLineAPersonCanRead) {
  const PacketSpec spec{.src = kPod4, .dst = kWeb4, .protocol = kTcp, .sport = 40000, .dport = 80};
  EXPECT_EQ(Describe(Build(spec, kMacs)[0]),
            "tcp 10.16.0.10:40000 > 192.0.2.80:80 S ttl 64 len 44 csum ok");
  PacketSpec echo{.src = kPod6, .dst = kWeb6, .protocol = kIcmp, .sport = 7, .dport = 1};
  const Bytes about = Build(echo, kMacs)[0];
  EXPECT_EQ(Describe(about),
            "icmp6 fd00:10:16::10 > 2001:db8::80 echo request id 7 seq 1 ttl 64 len 48 csum ok");
  EXPECT_THAT(Describe(IcmpError(kWeb6, 2, 0, 1280, about, 1000, kMacs)),
              HasSubstr("type 2 code 0 rest 1280 ttl 64 len 96 [icmp6 fd00:10:16::10 > "));
}

TEST(Dissect, NeverReadsPastTheEnd) {
  for (const Kind& kind : AllKinds()) {
    const Bytes whole = Build(kind.spec, kMacs)[0];
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      // An exact allocation, so that the address sanitizer sees a step too far.
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_FALSE(Describe(cut).empty());
    }
  }
}

}  // namespace
}  // namespace natrix::support
