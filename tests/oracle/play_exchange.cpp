// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/oracle/generator.h"
#include "tests/oracle/tcp_play.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kSyn;

// One exchange being played: the first packet, then a few random steps by either end.
class Player {
 public:
  Player(Dice& dice, Family family, Manners manners, const Call& call, Exchange& exchange)
      : dice_(dice), family_(family), call_(call), exchange_(exchange), tcp_(dice, manners) {}

  bool Play() {
    first_ = FirstPacket();
    Send(first_);
    const std::uint32_t steps = dice_.Below(first_.protocol == support::kTcp ? 9 : 5);
    for (std::uint32_t i = 0; i < steps && exchange_.agreed(); ++i) OneStep();
    return exchange_.agreed();
  }

 private:
  // A connection that was never open is gone from conntrack with its RST: what comes later is about
  // nothing there, and natrix lets a flow linger (design: a RST shortens a timeout).
  bool refused() const { return first_.protocol == support::kTcp && tcp_.refused(); }
  bool v4() const { return family_ == Family::kIpv4; }

  std::uint16_t AnyPort() {
    static const std::vector<std::uint16_t> kKnown{1,   53,   80,   123,  443,  511,   512,  514,
                                                   600, 1023, 1024, 8080, 4789, 32768, 65535};
    if (dice_.Chance(15)) return dice_.Pick(kKnown);
    return static_cast<std::uint16_t>(dice_.Between(1, 65535));
  }

  std::size_t AnySize() {
    static const std::vector<std::size_t> kSizes{0, 1, 7, 8, 64, 100, 512, 1200, 1300};
    return dice_.Pick(kSizes);
  }

  // Size, fragments, options: what any packet may have, within what both do alike.
  void Dress(PacketSpec& spec, std::optional<Place> from) {
    spec.payload = AnySize();
    spec.no_checksum = spec.options = false;
    spec.fragment = spec.coverage = 0;
    spec.fill = static_cast<std::uint8_t>(dice_.Below(256));
    spec.tos = dice_.Chance(10) ? 0x28 : 0;
    spec.id = static_cast<std::uint16_t>(dice_.Between(1, 65535));
    spec.frag_id = dice_.Between(1, 0x7fffffff);
    spec.ttl = dice_.Chance(4) ? 1 : dice_.Chance(4) ? 2 : 64;
    if (call_.plain) {
      spec.ttl = 64;
      spec.payload = std::max<std::size_t>(spec.payload, 8);  // that much natrix has to quote
    }
    spec.dont_fragment = dice_.Chance(40);
    if (spec.protocol == support::kUdp && v4() && dice_.Chance(10)) spec.no_checksum = true;
    const bool may_split = spec.protocol == support::kUdp || spec.protocol == support::kIcmp ||
                           spec.protocol == support::kIcmpV6;
    if (from && may_split && dice_.Chance(12) && !call_.plain) {
      spec.payload = dice_.Between(1400, 3500);
      spec.fragment = 8 * dice_.Between(60, 180);
      spec.dont_fragment = false;
      spec.ttl = 64;
    } else if (call_.plain) {
      return;
    } else if (from && from != Place::kOutside && dice_.Chance(3)) {
      spec.payload = dice_.Between(1500, 3000);  // larger than the uplink carries
    } else if (from && dice_.Chance(6)) {
      spec.options = true;
    }
  }

  PacketSpec FirstPacket() {
    static const std::vector<std::uint8_t> kProtocols{
        support::kTcp,     support::kUdp, support::kIcmp, support::kSctp,
        support::kUdpLite, support::kGre, support::kEsp,  253};
    PacketSpec spec;
    spec.protocol = kProtocols[dice_.Weighted({42, 28, 16, 5, 4, 2, 1, 2})];
    if (call_.protocol) spec.protocol = *call_.protocol;
    spec.src = call_.src;
    spec.dst = call_.dst;
    spec.sport = AnyPort();
    spec.dport = AnyPort();
    if (call_.dport) {
      spec.dport = *call_.dport;
      // SCTP keeps its port: of two that call one service from one port, natrix drops the second.
      if (spec.protocol == support::kSctp)
        spec.sport = static_cast<std::uint16_t>(dice_.Between(1024, 65535));
    }
    spec.seq = dice_.Between(1, 0x3fffffff);
    Dress(spec, call_.from);
    // An empty one is shorter than what the kernel wants to write to, and dropped.
    if (spec.protocol == support::kGre) spec.payload = std::max<std::size_t>(spec.payload, 20);
    if (spec.protocol == support::kTcp) tcp_.First(spec);
    if (spec.protocol == support::kSctp) FirstChunk(spec);
    if (spec.protocol == support::kUdpLite && dice_.Chance(50))
      spec.coverage =
          static_cast<std::uint16_t>(8 + dice_.Below(static_cast<std::uint32_t>(spec.payload + 1)));
    if (spec.protocol == support::kIcmp && dice_.Chance(6)) spec.echo_reply = true;
    return spec;
  }

  // An association begins with an INIT; what comes out of the blue is judged by verification tags,
  // which NAT has no part in.
  static void FirstChunk(PacketSpec& spec) {
    spec.payload = 0;
    spec.tcp_flags = kSyn;
    spec.options = false;
  }

  void Send(const PacketSpec& spec) {
    if (call_.from)
      exchange_.Send(*call_.from, spec);
    else
      exchange_.SendFromNode(spec, call_.mark);
    // Nobody answers a SYN that did not arrive, an old one least of all.
    if (spec.protocol == support::kTcp && spec.tcp_flags & kSyn) peer_.reset();
    for (const Seen& seen : exchange_.last().left) {
      // An error or an answer of the node itself, back at the sender, is no arrival.
      if (call_.from && seen.place == *call_.from && call_.src != call_.dst) {
        const auto layers = support::Dissect(seen.frame);
        if (layers && (layers->inner || layers->dst == call_.src)) continue;
      }
      // A floating IP whose packet came back out, untranslated, has nobody behind it.
      if (seen.place == Place::kOutside && call_.from == Place::kOutside) {
        const auto layers = support::Dissect(seen.frame);
        if (!layers || layers->dst == call_.dst) continue;
      }
      peer_ = seen.place;
    }
    asked_last_ = true;
  }

  // Both ends may be at one place: what came there last is not the callee's to answer, then.
  bool callee_heard_last() const { return asked_last_ || peer_ != call_.from; }

  void OneStep() {
    switch (dice_.Weighted({35, 40, 8, 12, 5})) {
      case 0:
        return Forward();
      case 1:
        return Reply();
      case 2:
        if (call_.from && !refused()) exchange_.Repeat();
        asked_last_ = false;
        return;
      case 3:
        return Report();
      default:
        return Stray();
    }
  }

  void Forward() {
    PacketSpec spec = first_;
    Dress(spec, call_.from);
    if (spec.protocol == support::kTcp) {
      const std::optional<std::uint8_t> flags = tcp_.ClientFlags();
      if (!flags) return;
      spec.tcp_flags = *flags;
      tcp_.FillClient(spec);
    } else if (spec.protocol == support::kIcmp) {
      spec.dport = static_cast<std::uint16_t>(++echoes_);
    } else if (spec.protocol == support::kGre) {
      spec.payload = std::max<std::size_t>(spec.payload, 20);
    } else if (spec.protocol == support::kSctp) {
      spec.options = false;
      // DATA once the INIT was answered, the INIT again before.
      spec.tcp_flags = answered_ ? kAck : kSyn;
      spec.payload = answered_ ? 16 + 4 * dice_.Below(20) : 0;
    }
    Send(spec);
  }

  void Reply() {
    if (!peer_ || !callee_heard_last()) return;
    PacketSpec like;
    like.protocol = first_.protocol;
    Dress(like, peer_);
    if (like.protocol == support::kGre) like.payload = std::max<std::size_t>(like.payload, 20);
    if (first_.protocol == support::kTcp) {
      const std::optional<std::uint8_t> flags = tcp_.ServerFlags();
      if (!flags) return;
      like.tcp_flags = *flags;
      tcp_.FillServer(like);
    } else if (first_.protocol == support::kSctp) {
      like.payload = 0;
      like.tcp_flags = kSyn | kAck;
      like.seq = first_.seq;
      like.options = false;
    }
    answered_ = true;
    asked_last_ = false;
    exchange_.Reply(*peer_, like);
  }

  void Report() {
    const std::optional<Place> reporter = dice_.Chance(70) || !call_.from ? peer_ : call_.from;
    if (!reporter || refused()) return;
    std::vector<ErrorSpec> kinds{PortUnreachable(family_), HostUnreachable(family_),
                                 TimeExceeded(family_)};
    // The node would learn a path MTU for its own flows, and cases must not depend on each other.
    const Cast& cast = CastOf(family_);
    const bool with_node = !call_.from || call_.dst == cast.node || call_.dst == cast.join;
    if (!with_node) kinds.push_back(TooBig(family_, 1400));
    ErrorSpec error = dice_.Pick(kinds);
    static const std::vector<std::size_t> kQuotes{28, 68, 128, 548, 1000};
    error.quote = dice_.Pick(kQuotes) + (v4() ? 0U : 20U);
    if (dice_.Chance(40) && *reporter == Place::kOutside) error.from = CastOf(family_).router;
    asked_last_ = false;
    exchange_.Report(*reporter, error);
  }

  // Somebody else speaks to the same node from outside.
  void Stray() {
    PacketSpec spec;
    spec.src = CastOf(family_).web2;
    spec.dst = CastOf(family_).node;
    spec.protocol = dice_.Chance(50) ? support::kTcp : support::kUdp;
    spec.sport = AnyPort();
    spec.dport = AnyPort();
    spec.tcp_flags = dice_.Chance(50) ? kSyn : kAck;
    exchange_.SendAside(Place::kOutside, spec);
  }

  Dice& dice_;
  Family family_;
  const Call& call_;
  Exchange& exchange_;
  PacketSpec first_;
  std::optional<Place> peer_;  // where the first packets arrive
  TcpPlay tcp_;
  bool answered_ = false;
  bool asked_last_ = false;  // the last step was the caller's
  std::uint32_t echoes_ = 1;
};

}  // namespace

bool PlayExchange(Dice& dice, Family family, Manners manners, const Call& call,
                  Exchange& exchange) {
  return Player(dice, family, manners, call, exchange).Play();
}

}  // namespace natrix::oracle
