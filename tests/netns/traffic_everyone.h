// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tests/netns/traffic_load.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_watch.h"

namespace natrix::netns {

// From pod1 to the web, in one family.
Path PathOf(const TrafficNode& node, Family family);

// All who can talk at once: UDP, TCP and echoes of both families, and UDP with ever new sockets;
// from now on.  And who watches that nothing leaves by the uplink untranslated.
class Everyone {
 public:
  // `flows` of UDP, and as many of TCP, in each family.
  explicit Everyone(const TrafficNode& node, int flows = 1);
  ~Everyone();
  // Stops all.  GoogleTest expectations: no packet was lost, changed, answered by another or left
  // untranslated, and each talked for `least_rounds`.
  void ExpectUnharmed(std::uint64_t least_rounds);
  // Of everybody, in the end; for people.
  std::uint64_t Rounds() const;

 private:
  struct Talkers {
    Family family;
    std::unique_ptr<UdpTalk> udp;
    std::unique_ptr<UdpTalk> newcomers;
    std::unique_ptr<TcpTalk> tcp;
    std::unique_ptr<PingTalk> ping;
  };

  const TrafficNode& node_;
  FrameCounter untranslated_;
  std::vector<Talkers> talkers_;
  std::uint64_t rounds_ = 0;
};

}  // namespace natrix::netns
