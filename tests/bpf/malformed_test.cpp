// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.h"

// Packets that are cut short, lie about their lengths, or are not ours to read: untouched, and
// never translated wrongly.
namespace natrix {
namespace {

using namespace support;

const Macs kMacs{"02:00:00:00:00:01", "02:00:00:00:00:02"};
constexpr Hook kHooks[] = {Hook::kPodIn, Hook::kUplinkIn, Hook::kOut};

class Malformed : public Datapath {
 protected:
  std::vector<PacketSpec> Kinds() const {
    std::vector<PacketSpec> kinds{Tcp(cast().pod, cast().web), Udp(cast().pod, cast().web),
                                  Echo(cast().pod, cast().web)};
    for (const std::uint8_t protocol : {kUdpLite, kSctp}) {
      kinds.push_back(Udp(cast().pod, cast().web));
      kinds.back().protocol = protocol;
    }
    for (std::size_t i = 0, n = kinds.size(); i < n; ++i) {
      kinds.push_back(kinds[i]);
      kinds.back().options = true;
    }
    return kinds;
  }
  // Makes the IP header agree with the frame's length, so that only the transport header is short.
  void FixLength(Bytes& frame) const {
    if (v6())
      PutWord(frame, 18, static_cast<std::uint16_t>(frame.size() - 54));
    else
      PutWord(frame, 16, static_cast<std::uint16_t>(frame.size() - 14));
  }
  void ExpectUntouched(const Bytes& frame) {
    for (const Hook hook : kHooks) {
      const Outcome out = Run(hook, frame);
      EXPECT_EQ(out.frame, frame);
      EXPECT_THAT(out, PassedFor(NX_R_MALFORMED));
    }
  }
  // A pod's, that iptables would have translated or dropped: it must not leave as it is.
  void ExpectStopped(Bytes frame) {
    EXPECT_THAT(Run(Hook::kPodIn, frame), PassedFor(NX_R_MALFORMED)) << "that is decided at egress";
    EXPECT_THAT(Run(Hook::kOut, frame), DroppedFor(NX_R_HEADLESS));
  }
};
NATRIX_BOTH_FAMILIES(Malformed);

// A test run refuses frames without a whole IP header; tests/netns sends those.
TEST_P(Malformed, EveryTransportHeaderCutAtEveryLength) {
  for (const PacketSpec& spec : Kinds()) {
    const Bytes whole = Build(spec, kMacs)[0];
    const Layers layers = *Dissect(whole);
    const std::size_t need = layers.l4 + (spec.protocol == kTcp    ? 20U
                                          : spec.protocol == kSctp ? 12U
                                                                   : 8U);
    for (std::size_t length = v6() ? 54 : 34; length < need; ++length) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      SCOPED_TRACE("protocol " + std::to_string(spec.protocol) + " cut to " +
                   std::to_string(length));
      ExpectUntouched(cut);
      FixLength(cut);
      // Nobody finds the end of extension headers that are cut; iptables' rules look at TCP.
      if (length < layers.l4 ? v6() : spec.protocol == kTcp)
        ExpectStopped(cut);
      else
        ExpectUntouched(cut);
    }
  }
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(Malformed, LengthsThatLie) {
  const Bytes udp = Build(Udp(cast().pod, cast().web), kMacs)[0];
  const std::size_t l4 = Dissect(udp)->l4;
  Bytes longer = udp;  // the IP header promises one byte more than the frame holds
  FixLength(longer);
  PutWord(longer, v6() ? 18 : 16, static_cast<std::uint16_t>(Word(longer, v6() ? 18U : 16U) + 1));
  ExpectUntouched(longer);
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 7, 9999}) {
    Bytes bad = udp;
    PutWord(bad, l4 + 4, length);
    ExpectUntouched(bad);
  }
  Bytes tcp = Build(Tcp(cast().pod, cast().web), kMacs)[0];
  for (const int offset : {0, 4, 15}) {
    tcp[Dissect(tcp)->l4 + 12] = static_cast<std::uint8_t>(offset << 4);
    ExpectUntouched(tcp);
  }
}

TEST_P(Malformed, HeadersThatAreImpossible) {
  Bytes frame = Build(Udp(cast().pod, cast().web), kMacs)[0];
  if (v6()) {
    frame[14] = 0x40;
    ExpectUntouched(frame);
    return;
  }
  for (const int ihl : {0, 1, 4}) {
    frame[14] = static_cast<std::uint8_t>(0x40 | ihl);
    ExpectUntouched(frame);
  }
  frame[14] = 0x65;
  ExpectUntouched(frame);
}

TEST_P(Malformed, AnEthernetPaddingIsNoHeader) {
  Bytes frame = Build(Tcp(cast().pod, cast().web), kMacs)[0];
  const std::size_t l4 = Dissect(frame)->l4;
  // The IP header says that 8 bytes of TCP are here; the rest is padding.
  PutWord(frame, v6() ? 18 : 16, static_cast<std::uint16_t>(l4 + 8 - (v6() ? 54U : 14U)));
  ExpectStopped(frame);
}

// RFC 1858: what cannot be judged is not let through, and not translated by its address alone.
TEST_P(Malformed, FirstFragmentsWithoutTheirTransportHeader) {
  PacketSpec tcp = Tcp(cast().pod, cast().web);
  tcp.payload = 64;
  for (const std::size_t size : {8, 16}) {
    tcp.fragment = size;
    ExpectStopped(Build(tcp, kMacs)[0]);
  }
  tcp.dst = cast().floating;
  tcp.src = cast().web;
  EXPECT_THAT(Run(Hook::kUplinkIn, Build(tcp, kMacs)[0]), DroppedFor(NX_R_HEADLESS));
  tcp.dst = cast().node;
  EXPECT_THAT(Run(Hook::kUplinkIn, Build(tcp, kMacs)[0]), PassedFor(NX_R_MALFORMED));
}

TEST_P(Malformed, AFirstFragmentThatEndsAmongTcpsOptionsIsTranslated) {
  PacketSpec tcp = Tcp(cast().pod, cast().web);
  tcp.payload = 64;
  tcp.fragment = 24;
  Bytes first = Build(tcp, kMacs)[0];
  first[Dissect(first)->l4 + 12] = 0xf0;  // sixty bytes, says the header
  EXPECT_EQ(Run(Hook::kOut, first).src(), cast().node);
}

TEST_P(Malformed, ExtensionHeadersWithoutEnd) {
  if (!v6()) {
    // IPv4's counterpart: all 40 bytes of options.
    Bytes frame = Build(Udp(cast().pod, cast().web), kMacs)[0];
    frame.insert(frame.begin() + 34, 40, 1);
    frame[14] = 0x4f;
    FixLength(frame);
    Seal(frame);
    EXPECT_EQ(Run(Hook::kOut, frame).src(), cast().node);
    return;
  }
  const Bytes udp = Build(Udp(cast().pod, cast().web), kMacs)[0];
  for (const std::size_t count : {7U, 8U, 9U, 100U}) {
    Bytes frame = udp;
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes header{
          static_cast<std::uint8_t>(i == 0 ? kUdp : kDestinationOptions), 0, 1, 4, 0, 0, 0, 0};
      frame.insert(frame.begin() + 54, header.begin(), header.end());
    }
    frame[20] = kDestinationOptions;
    FixLength(frame);
    const Outcome out = Run(Hook::kOut, frame);
    if (count < 8) {
      EXPECT_EQ(out.src(), cast().node) << count;
    } else {
      EXPECT_THAT(out, DroppedFor(NX_R_EXT_CHAIN)) << count << ": a pod's address must not leave";
    }
    EXPECT_FALSE(Run(Hook::kPodIn, frame).dropped) << "that is decided at egress";
    EXPECT_FALSE(Run(Hook::kUplinkIn, frame).dropped) << "nor for whom it is not";
    Bytes floating = Build(Udp(cast().web, cast().floating), kMacs)[0];
    floating.insert(floating.begin() + 54, frame.begin() + 54,
                    frame.begin() + 54 + static_cast<std::ptrdiff_t>(8 * count));
    floating[20] = kDestinationOptions;
    FixLength(floating);
    if (count >= 8) {
      EXPECT_THAT(Run(Hook::kUplinkIn, floating), DroppedFor(NX_R_EXT_CHAIN)) << count;
    }
    frame[14 + 8 + 5] = 0x17;  // the other subnet's source, fd00:10:17::10
    EXPECT_FALSE(Run(Hook::kOut, frame).dropped) << "nothing to hide there";
  }
  Bytes cut = udp;  // a header that says it is longer than the packet
  cut[20] = kDestinationOptions;
  cut[54 + 1] = 255;
  ExpectStopped(cut);  // so does 6.1's netfilter; that of 6.12 lets it go
}

TEST_P(Malformed, TaggedFramesAreLeftToTheirVlanDevice) {
  for (const int type : {0x8100, 0x88a8}) {
    Bytes frame = Build(Udp(cast().pod, cast().web), kMacs)[0];
    const Bytes tag{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type), 0, 5};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    for (const Hook hook : kHooks) {
      const Outcome out = Run(hook, frame);
      EXPECT_EQ(out.frame, frame);
      EXPECT_THAT(out, PassedFor(NX_R_VLAN));
    }
  }
}

TEST_P(Malformed, OtherEtherTypesAreNotIp) {
  Bytes arp(60);
  PutWord(arp, 12, 0x0806);
  for (const Hook hook : kHooks) EXPECT_THAT(Run(hook, arp), PassedFor(NX_R_NOT_IP));
}

TEST_P(Malformed, NeighbourDiscoveryIsUntracked) {
  Bytes frame = Build(Echo(cast().pod, cast().web), kMacs)[0];
  const std::size_t l4 = Dissect(frame)->l4;
  for (const int type : {130, 135, 136, 143}) {
    frame[l4] = static_cast<std::uint8_t>(type);
    Seal(frame);
    EXPECT_THAT(Run(Hook::kOut, frame), PassedFor(v6() ? NX_R_UNTRACKED : NX_R_INVALID));
  }
}

TEST_P(Malformed, RandomBytesChangeNothingButAddressesAndChecksums) {
  std::uint32_t state = 0x9e3779b9;
  const auto draw = [&state] { return state = state * 1664525 + 1013904223; };
  for (int round = 0; round < 3000; ++round) {
    Bytes frame = Build(Kinds()[draw() % Kinds().size()], kMacs)[0];
    for (std::uint32_t flips = draw() % 6; flips-- > 0;)
      frame[14 + draw() % (frame.size() - 14)] = static_cast<std::uint8_t>(draw() >> 8);
    for (const Hook hook : kHooks) EXPECT_EQ(Run(hook, frame).frame.size(), frame.size());
  }
}

}  // namespace
}  // namespace natrix
