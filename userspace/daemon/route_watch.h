// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "maps/abi/way.h"
#include "maps/array_map_view.h"
#include "maps/opener.h"
#include "userspace/base/netlink.h"
#include "userspace/base/result.h"
#include "userspace/compile/compile.h"
#include "userspace/daemon/event_loop.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

namespace natrix::daemon {

// Keeps nx_epoch, which says whether what flows learnt of their ways is still right: a new number
// with each change of the node that may move a packet, and a lease that ends when natrixd does.
class RouteWatch {
 public:
  // Subscribes, so that no change from now on goes unseen.
  static Result<RouteWatch> Open(spdlog::logger& log);
  // Begins to write: an epoch that no way was learnt under.  `jiffies_fd`: program NX_PROG_JIFFIES,
  // borrowed like what `fd_of` gives.
  Result<> Start(const maps::FdOf& fd_of, int jiffies_fd, std::uint32_t hz);

  int netlink_fd() const { return netlink_.fd(); }
  int timer_fd() const { return timer_.fd(); }
  // Both: true when routes by a device have a smaller MTU than before.
  bool OnNetlink();
  bool OnTimer();

  // What the routes allow, applied to what the devices have.
  void LowerMtus(std::vector<model::Device>& devices) const;
  // Nobody takes a short cut from now on.
  void Stop();
  // To be called when `wanted` is in force.
  void Follow(const model::Config& config, const compile::Wanted& wanted);

 private:
  using Neighbour = std::pair<std::uint32_t, std::array<std::uint8_t, 16>>;  // ifindex, address
  using LinkAddress = std::array<std::uint8_t, 6>;
  // What of a configuration decides who takes the short cut: devices and Subnets.
  using Choices = std::vector<std::tuple<std::string, std::uint32_t, std::uint32_t>>;

  RouteWatch(Netlink netlink, Timer timer, spdlog::logger& log)
      : log_(log), netlink_(std::move(netlink)), timer_(std::move(timer)) {}
  Result<> ReadTables();
  bool IsManaged(int ifindex) const {
    return managed_.contains(static_cast<std::uint32_t>(ifindex));
  }
  bool Drain();
  bool Moves(const nlmsghdr& message);
  bool TakeLink(const nlmsghdr& message);
  bool TakeRoute(const nlmsghdr& message);
  bool TakeNeighbour(const nlmsghdr& message);
  void Write(std::uint32_t lease_seconds);

  spdlog::logger& log_;
  Netlink netlink_;
  Timer timer_;
  std::optional<maps::ArrayMapView<nx_epoch>> map_;
  int jiffies_fd_ = -1;
  std::uint32_t hz_ = 0;
  nx_epoch epoch_{};
  Choices choices_;
  std::set<std::uint32_t> managed_;  // devices that ways lead over
  std::map<Neighbour, LinkAddress> neighbours_;
  std::map<std::uint32_t, std::uint32_t> mtu_;  // the smallest of routes, by ifindex; 0: any device
  bool mtu_lowered_ = false;
  std::string last_error_;
};

}  // namespace natrix::daemon
