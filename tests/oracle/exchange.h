// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/oracle/two_nodes.h"
#include "tests/support/build.h"

namespace natrix::oracle {

using support::PacketSpec;

// An ICMP error about a packet that was seen.
struct ErrorSpec {
  std::uint8_t type = 3;
  std::uint8_t code = 3;
  std::uint32_t rest = 0;    // the next-hop MTU
  std::size_t quote = 1000;  // bytes of the packet it quotes
  std::string from;          // the reporting address; empty: the packet's destination
};
// What the two families call the same trouble.
ErrorSpec PortUnreachable(Family family);
ErrorSpec HostUnreachable(Family family);
ErrorSpec TooBig(Family family, std::uint32_t mtu);
ErrorSpec TimeExceeded(Family family);

// One conversation through both nodes.  What answers is made on each side from what arrived there,
// so that both translate their own way back.
class Exchange {
 public:
  using Outcome = TwoNodes::Outcome;

  explicit Exchange(TwoNodes& nodes) : nodes_(nodes) {}

  // `from` sends these packets at once.
  const Outcome& Send(Place from, const std::vector<PacketSpec>& specs);
  const Outcome& Send(Place from, const PacketSpec& spec) { return Send(from, std::vector{spec}); }
  // The same by somebody who has no part in the conversation: what comes of it is compared, and not
  // answered.
  const Outcome& SendAside(Place from, const PacketSpec& spec);
  // A process of the node sends, by a raw socket with this SO_MARK.
  const Outcome& SendFromNode(const PacketSpec& spec, std::uint32_t mark = 0);
  // `from` answers the last packet that it received: addresses and ports are that packet's,
  // swapped, all else is as in `like`.  Nothing is sent where nothing had arrived.
  const Outcome& Reply(Place from, const PacketSpec& like);
  // `from` reports an error about the last packet that it received.
  const Outcome& Report(Place from, const ErrorSpec& error);
  // The left or right frames of the last Send again, as they were: a retransmission.
  const Outcome& Repeat();

  // The first step whose outcomes differed, and all up to it, for a person.
  bool agreed() const { return agreed_; }
  const std::string& transcript() const { return transcript_; }
  const Outcome& last() const { return last_; }
  // The source port, or echo identifier, of the first frame of the last step; 0 when it had none.
  std::uint16_t sent_port() const;

 private:
  using Frames = std::vector<Bytes>;
  struct Memory {  // of one side
    std::array<std::optional<Bytes>, kPlaces.size()> seen;
    Frames sent;
  };
  Memory& MemoryOf(const Side& side) { return memories_[&side == &nodes_.left() ? 0 : 1]; }
  template <typename Make>
  const Outcome& Step(const std::string& who, const Make& make);
  template <typename Make>
  const Outcome& SendMade(Place from, const char* verb, const Make& make);
  void Remember();
  bool aside_ = false;

  TwoNodes& nodes_;
  std::array<Memory, 2> memories_;
  std::optional<Place> sender_;  // of the last step; none: the node
  Aliases aliases_;
  Outcome last_;
  std::string transcript_;
  bool agreed_ = true;
  int steps_ = 0;
};

}  // namespace natrix::oracle
