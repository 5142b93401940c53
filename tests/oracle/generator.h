// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "tests/oracle/dice.h"
#include "tests/oracle/exchange.h"
#include "userspace/model/config.h"

// Random configurations and exchanges for the suite kube-ovn-basic.  Left out, because the two
// are not meant to agree on it:
//   - sequence numbers outside the window, wrong checksums: conntrack's judgement, not NAT's;
//   - fragments out of order, and fragments with options: the kernel reassembles;
//   - TCP segments no stack sends, as data before the handshake's end, except at the beginning of
//   an
//     exchange: conntrack calls them invalid and lets them pass untranslated.  The suite
//     kube-ovn-wild has them;
//   - a process of the node that calls a floating IP: natrix translates destinations at ingress.
namespace natrix::oracle {

model::Config GenerateConfig(Dice& dice);

// Who speaks to whom: the first packet's addresses.
struct Call {
  std::optional<Place> from;  // none: a process of the node
  std::string src;
  std::string dst;
  std::uint32_t mark = 0;  // of the node's socket
};
Call GenerateCall(Dice& dice, Family family, const model::Config& config);

enum class Manners { kSane, kWild };

// Plays one exchange to its end or to the first disagreement; true when both agreed throughout.
bool PlayExchange(Dice& dice, Family family, Manners manners, const Call& call, Exchange& exchange);

}  // namespace natrix::oracle
