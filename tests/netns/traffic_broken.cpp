// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_broken.h"

#include <fmt/core.h>

#include <initializer_list>

#include "tests/support/checksum.h"

namespace natrix::netns {

using support::Dissect;
using support::Macs;
using support::PacketSpec;
using support::PutLong;
using support::PutWord;
using support::Seal;

namespace {

constexpr std::size_t kIp = support::kEthernetLength;

class Breaker {
 public:
  Breaker(const PacketSpec& good, const Macs& macs, bool new_flows)
      : good_(good),
        macs_(macs),
        new_flows_(new_flows),
        v6_(good.src.find(':') < good.src.size()) {}

  std::vector<BrokenFrames> Run() {
    for (const std::uint8_t protocol : {support::kTcp, support::kUdp, support::kIcmp}) {
      good_.protocol = protocol;
      for (const bool options : {false, true}) {
        good_.options = options;
        CutEverywhere();
      }
      good_.options = false;
      if (v6_) {
        BreakLengths6();
        ChainExtensions();
      } else {
        BreakLengths4();
        BreakOptions4();
      }
      BreakTransport();
      BreakFragments();
    }
    return std::move(all_);
  }

 private:
  std::uint16_t NextId() { return ++id_; }

  Bytes Good() {
    if (new_flows_) ++good_.sport;
    good_.id = NextId();
    return support::Build(good_, macs_).front();
  }
  std::vector<Bytes> GoodFragments(std::size_t size, std::size_t payload) {
    PacketSpec spec = good_;
    if (new_flows_) ++good_.sport;
    spec.id = NextId();
    spec.frag_id = spec.id;
    spec.payload = payload;
    spec.fragment = size;
    return support::Build(spec, macs_);
  }
  void Add(std::string what, std::vector<Bytes> frames) {
    all_.push_back({fmt::format("proto {}: {}", good_.protocol, what), std::move(frames)});
  }

  void SetLength(Bytes& frame) const {
    if (frame.size() < kIp + (v6_ ? 40U : 20U)) return;
    PutWord(frame, kIp + (v6_ ? 4 : 2),
            static_cast<std::uint16_t>(frame.size() - kIp - (v6_ ? 40 : 0)));
    Seal(frame);
  }

  void CutEverywhere() {
    for (std::size_t length = kIp; length < Good().size(); ++length) {
      Bytes cut = Good();
      cut.resize(length);
      Bytes honest = Good();
      honest.resize(length);
      SetLength(honest);
      Add(fmt::format("cut at {}", length), {cut});
      Add(fmt::format("cut at {}, length says so", length), {honest});
    }
  }

  void BreakLengths4() {
    for (int ihl = 0; ihl < 16; ++ihl) {
      Bytes frame = Good();
      frame[kIp] = static_cast<std::uint8_t>(0x40 | ihl);
      SealHeader(frame);
      Add(fmt::format("IHL {}", ihl), {frame});
    }
    const auto right = static_cast<int>(Good().size() - kIp);
    for (const int length : {0, 1, 19, 20, 21, right - 1, right + 1, right + 100, 65535}) {
      Bytes frame = Good();
      PutWord(frame, kIp + 2, static_cast<std::uint16_t>(length));
      SealHeader(frame);
      Add(fmt::format("total length {} instead of {}", length, right), {frame});
    }
    for (const int version : {0, 5, 6, 15}) {
      Bytes frame = Good();
      frame[kIp] = static_cast<std::uint8_t>(version << 4 | 5);
      SealHeader(frame);
      Add(fmt::format("version {}", version), {frame});
    }
    Bytes wrong = Good();
    wrong[kIp + 10] ^= 1;
    Add("wrong header checksum", {wrong});
  }

  // Of twenty bytes, whatever IHL says.
  static void SealHeader(Bytes& frame) {
    PutWord(frame, kIp + 10, 0);
    const std::uint16_t sum = support::InternetSum(support::View(frame).subspan(kIp, 20));
    PutWord(frame, kIp + 10, static_cast<std::uint16_t>(~sum));
  }

  void BreakOptions4() {
    // Loose and strict source routes, record routes with impossible pointers, lengths that lie.
    const std::initializer_list<Bytes> options = {
        {0x83, 7, 4, 198, 51, 100, 9, 0},
        {0x89, 7, 4, 198, 51, 100, 9, 0},
        {0x83, 7, 8, 198, 51, 100, 9, 0},
        {0x83, 3, 4, 0},
        {0x83, 39, 4, 198, 51, 100, 9, 0},
        {7, 7, 3, 0, 0, 0, 0, 0},
        {7, 0, 4, 0},
        {7, 1, 4, 0},
        {0x44, 4, 5, 0},
        {0, 1, 2, 3},
        {0xff, 0xff, 0xff, 0xff},
        {0x94, 4, 0, 0},
    };
    for (const Bytes& option : options) {
      Bytes frame = Good();
      frame.insert(frame.begin() + kIp + 20, option.begin(), option.end());
      frame[kIp] = static_cast<std::uint8_t>(0x45 + option.size() / 4);
      SetLength(frame);
      Add(fmt::format("option {:#x} of length {}", option[0], option[1]), {frame});
    }
  }

  void BreakLengths6() {
    const auto right = static_cast<int>(Good().size() - kIp - 40);
    for (const int length : {0, 1, 7, right - 1, right + 1, right + 100, 65535}) {
      Bytes frame = Good();
      PutWord(frame, kIp + 4, static_cast<std::uint16_t>(length));
      Add(fmt::format("payload length {} instead of {}", length, right), {frame});
    }
    for (const int version : {0, 4, 5, 15}) {
      Bytes frame = Good();
      frame[kIp] = static_cast<std::uint8_t>(version << 4);
      Add(fmt::format("version {}", version), {frame});
    }
  }

  using Extensions = std::vector<std::pair<std::uint8_t, Bytes>>;

  // `headers` between the IPv6 header and the transport one; each names the next.
  Bytes WithExtensions(const Extensions& headers) {
    Bytes frame = Good();
    const std::uint8_t last = frame[kIp + 6];
    Bytes chain;
    for (std::size_t i = 0; i < headers.size(); ++i) {
      Bytes header = headers[i].second;
      header[0] = i + 1 < headers.size() ? headers[i + 1].first : last;
      chain.insert(chain.end(), header.begin(), header.end());
    }
    frame[kIp + 6] = headers.empty() ? last : headers[0].first;
    frame.insert(frame.begin() + kIp + 40, chain.begin(), chain.end());
    PutWord(frame, kIp + 4, static_cast<std::uint16_t>(frame.size() - kIp - 40));
    return frame;
  }

  void ChainExtensions() {
    const Bytes padding = {0, 0, 1, 4, 0, 0, 0, 0};
    const Bytes routing = {0, 2,    0, 1, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8,
                           1, 0x13, 0, 0, 0, 0, 0, 0, 0,    0, 0,   7};
    for (const std::size_t count : {1, 2, 7, 8, 9, 16, 60, 150}) {
      for (const std::uint8_t kind : {support::kDestinationOptions, support::kHopByHop})
        Add(fmt::format("{} extension headers of kind {}", count, kind),
            {WithExtensions(Extensions(count, {kind, padding}))});
    }
    Add("routing header of type 0", {WithExtensions({{support::kRouting, routing}})});
    Bytes endless = padding;
    endless[1] = 255;
    Add("an extension header longer than the packet",
        {WithExtensions({{support::kDestinationOptions, endless}})});
    Add("fragment header in fragment header",
        {WithExtensions({{support::kFragment, {0, 0, 0, 1, 0, 0, 1, 1}},
                         {support::kFragment, {0, 0, 0, 1, 0, 0, 1, 2}}})});
    Add("atomic fragment", {WithExtensions({{support::kFragment, {0, 0, 0, 0, 0, 0, 1, 3}}})});
    Add("authentication header cut short",
        {WithExtensions({{51, {0, 40, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}}})});
    Bytes nothing = Good();
    nothing[kIp + 6] = 59;
    Add("no next header", {nothing});
    nothing[kIp + 6] = support::kHopByHop;
    Add("the transport header is said to be a hop-by-hop header", {nothing});
  }

  void BreakTransport() {
    const std::size_t l4 = Dissect(Good())->l4;
    if (good_.protocol == support::kTcp) {
      for (int offset = 0; offset < 16; ++offset) {
        Bytes frame = Good();
        frame[l4 + 12] = static_cast<std::uint8_t>(offset << 4);
        Seal(frame);
        Add(fmt::format("data offset {}", offset), {frame});
      }
      for (const int flags : {0, 1, 3, 6, 8, 0x29, 0x3f}) {
        Bytes frame = Good();
        frame[l4 + 13] = static_cast<std::uint8_t>(flags);
        Seal(frame);
        Add(fmt::format("flags {:#x}", flags), {frame});
      }
    }
    if (good_.protocol == support::kUdp) {
      for (const int length : {0, 1, 7, 8, 9, 1000, 65535}) {
        Bytes frame = Good();
        PutWord(frame, l4 + 4, static_cast<std::uint16_t>(length));
        Seal(frame);
        Add(fmt::format("udp length {}", length), {frame});
      }
    }
  }

  void BreakFragments() {
    const auto mark = [&](const char* what, std::vector<Bytes> frames) {
      Add(fmt::format("fragments: {}", what), std::move(frames));
    };
    for (const std::size_t size : {8, 16, 24}) {
      mark(fmt::format("the first of {} bytes", size).c_str(), GoodFragments(size, 64));
      std::vector<Bytes> alone = GoodFragments(size, 64);
      alone.resize(1);
      mark(fmt::format("nothing but a first of {} bytes", size).c_str(), alone);
    }
    std::vector<Bytes> frames = GoodFragments(64, 300);
    mark("last first", {frames.rbegin(), frames.rend()});
    frames = GoodFragments(64, 300);
    mark("each twice", {frames[0], frames[0], frames[1], frames[1], frames[2], frames[2]});
    frames = GoodFragments(64, 300);
    frames.erase(frames.begin());
    mark("no first", frames);
    frames = GoodFragments(64, 300);
    Bytes overlap = frames[1];
    Shift(overlap, 8);
    mark("the second over the first", {frames[0], overlap, frames[2]});
    Bytes other = frames[0];
    other.back() ^= 0xff;
    mark("two firsts that differ", {frames[0], other, frames[1]});
    frames = GoodFragments(64, 300);
    Shift(frames[1], 65528);
    mark("beyond 65535", {frames[0], frames[1]});
    frames = GoodFragments(64, 300);
    frames[1].resize(frames[1].size() - 3);
    SetLength(frames[1]);
    mark("a middle one of odd length", frames);
  }

  // Gives a fragment another offset.
  void Shift(Bytes& fragment, std::uint32_t offset, bool more = true) const {
    if (v6_)
      PutWord(fragment, kIp + 42, static_cast<std::uint16_t>(offset | (more ? 1U : 0U)));
    else
      PutWord(fragment, kIp + 6, static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000U : 0U)));
    if (!v6_) SealHeader(fragment);
  }

  PacketSpec good_;
  Macs macs_;
  bool new_flows_;
  bool v6_;
  std::uint16_t id_ = 1000;
  std::vector<BrokenFrames> all_;
};

}  // namespace

std::vector<BrokenFrames> BreakEverything(const PacketSpec& good, const Macs& macs) {
  return Breaker(good, macs, true).Run();
}

std::vector<BrokenFrames> BreakAnswers(const PacketSpec& good, const Macs& macs) {
  return Breaker(good, macs, false).Run();
}

}  // namespace natrix::netns
