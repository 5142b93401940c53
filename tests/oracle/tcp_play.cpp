// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/tcp_play.h"

#include <vector>

namespace natrix::oracle {

using support::kAck;
using support::kFin;
using support::kPsh;
using support::kRst;
using support::kSyn;

namespace {

std::uint32_t Consumed(const PacketSpec& spec) {
  return static_cast<std::uint32_t>(spec.payload) + ((spec.tcp_flags & (kSyn | kFin)) ? 1U : 0U);
}

}  // namespace

void TcpPlay::First(PacketSpec& spec) {
  static const std::vector<std::uint8_t> kOrphans{kAck,        kPsh | kAck, kFin | kAck, kRst,
                                                  kRst | kAck, kSyn | kAck, 0,           kFin,
                                                  kSyn | kFin, kSyn | kRst, 0x3f,        kPsh};
  const bool orphan = dice_.Chance(20);
  spec.tcp_flags = orphan ? dice_.Pick(kOrphans) : std::uint8_t{kSyn};
  picked_up_ = (spec.tcp_flags & ~kPsh) == kAck;
  state_ = orphan ? State::kOrphan : State::kSynSent;
  server_first_ = server_next_ = dice_.Between(1, 0x3fffffff);
  client_next_ = spec.seq;
  FillClient(spec);
}

std::uint8_t TcpPlay::AnyFlags() {
  static const std::vector<std::uint8_t> kAny{kAck,        kPsh | kAck, kFin | kAck, kRst,
                                              kRst | kAck, kSyn,        kSyn | kAck};
  return dice_.Pick(kAny);
}

// Of an end whose connection stands.
std::uint8_t TcpPlay::OpenFlags(bool& closing) {
  if (dice_.Chance(6)) {
    state_ = State::kReset;
    return kRst | kAck;
  }
  if (dice_.Chance(20)) closing = true;
  if (closing) return kFin | kAck;
  return dice_.Chance(50) ? kAck : kPsh | kAck;
}

std::optional<std::uint8_t> TcpPlay::ClientFlags() {
  if (manners_ == Manners::kWild && dice_.Chance(50)) return AnyFlags();
  switch (state_) {
    case State::kOrphan:
      return kAck;
    case State::kSynSent:
      return kSyn;
    case State::kAnswered:
      state_ = State::kOpen;
      return kAck;
    case State::kOpen:
      // Both have closed: the ports may be used again, further on in sequence space.
      if (!client_closing_ || !server_closing_ || dice_.Chance(50))
        return OpenFlags(client_closing_);
      [[fallthrough]];
    case State::kRefused:
    case State::kReset:
      client_closing_ = server_closing_ = false;
      client_next_ += 100000;
      server_first_ = server_next_ += 100000;
      state_ = State::kSynSent;
      return kSyn;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> TcpPlay::ServerFlags() {
  if (manners_ == Manners::kWild && dice_.Chance(50)) return AnyFlags();
  switch (state_) {
    case State::kOrphan:
      // An answer to one that was not picked up begins a connection the other way round, and what
      // the client sends next belongs to neither.
      return picked_up_ ? std::optional<std::uint8_t>(kAck) : std::nullopt;
    case State::kSynSent:
      state_ = dice_.Chance(15) ? State::kRefused : State::kAnswered;
      return refused() ? kRst | kAck : kSyn | kAck;
    case State::kAnswered:
      return kSyn | kAck;
    case State::kOpen:
      return OpenFlags(server_closing_);
    case State::kRefused:
    case State::kReset:
      return std::nullopt;
  }
  return std::nullopt;
}

void TcpPlay::FillClient(PacketSpec& spec) {
  // A SYN that is sent again has its number again.
  spec.seq = spec.tcp_flags == kSyn && state_ == State::kSynSent ? client_next_ : client_next_ + 1;
  spec.ack = spec.tcp_flags & kAck ? server_next_ + 1 : 0;
  if (spec.tcp_flags & (kSyn | kRst)) spec.payload = 0;
  if (!(spec.tcp_flags & kSyn)) client_next_ += Consumed(spec);
}

void TcpPlay::FillServer(PacketSpec& spec) {
  spec.seq = spec.tcp_flags & kSyn ? server_first_ : server_next_ + 1;
  spec.ack = client_next_ + 1;
  if (refused()) spec.seq = 0;  // refused: RFC 9293 section 3.5.2
  if (spec.tcp_flags & (kSyn | kRst)) spec.payload = 0;
  if (!(spec.tcp_flags & kSyn)) server_next_ += Consumed(spec);
}

}  // namespace natrix::oracle
