// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "tests/oracle/dice.h"
#include "tests/oracle/generator.h"
#include "tests/support/build.h"

namespace natrix::oracle {

// Which segments the two ends of a random connection send, with sequence numbers in window.  Sane
// ends obey RFC 9293; a sane connection may still begin with a segment out of the blue.
class TcpPlay {
 public:
  TcpPlay(Dice& dice, Manners manners) : dice_(dice), manners_(manners) {}

  // The first segment: a SYN, or an orphan.
  void First(PacketSpec& spec);
  // What an end would send now; nullopt when a sane one would be silent.
  std::optional<std::uint8_t> ClientFlags();
  std::optional<std::uint8_t> ServerFlags();
  // The SYN was answered by a RST, and no other was sent since.
  bool refused() const { return state_ == State::kRefused; }
  // Numbers for those flags, and no payload where there can be none.
  void FillClient(PacketSpec& spec);
  void FillServer(PacketSpec& spec);

 private:
  enum class State { kOrphan, kSynSent, kAnswered, kRefused, kOpen, kReset };

  std::uint8_t AnyFlags();
  std::uint8_t OpenFlags(bool& closing);

  Dice& dice_;
  Manners manners_;
  State state_ = State::kSynSent;
  bool picked_up_ = false;  // the orphan is one that conntrack begins a connection with
  bool client_closing_ = false;
  bool server_closing_ = false;
  std::uint32_t client_next_ = 0;
  std::uint32_t server_next_ = 0;
  std::uint32_t server_first_ = 0;
};

}  // namespace natrix::oracle
