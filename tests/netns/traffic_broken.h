// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/support/build.h"

// Frames that no sane host sends.  Checksums are right wherever the bytes that they cover are
// there, so that nothing is stopped for that alone.
namespace natrix::netns {

using support::Bytes;

// Frames that belong together (fragments of one datagram), sent in order.
struct BrokenFrames {
  std::string what;
  std::vector<Bytes> frames;
};

// All kinds of them, from `good.src` to `good.dst`, made from a good packet of each protocol.
// Source ports count upwards from `good.sport`, so that each is a flow of its own.
std::vector<BrokenFrames> BreakEverything(const support::PacketSpec& good,
                                          const support::Macs& macs);
// As the answers to one known flow: ports stay what they are.
std::vector<BrokenFrames> BreakAnswers(const support::PacketSpec& good, const support::Macs& macs);

}  // namespace natrix::netns
