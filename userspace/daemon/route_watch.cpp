// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/route_watch.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>

#include "loader/clock.h"
#include "userspace/base/file.h"
#include "userspace/base/netlink_attrs.h"

namespace natrix::daemon {
namespace {

// The lease is three periods: one that comes late costs nothing.
constexpr std::chrono::milliseconds kPeriod(1000);
constexpr std::uint32_t kLeaseSeconds = 3;
// A neighbour's entry that is used goes from STALE over DELAY to PROBE in 5 s
// (delay_first_probe_time): as often as this a busy way lets the kernel use it.
constexpr std::uint32_t kRefreshSeconds = 5;
// More than a neighbour table holds (gc_thresh3 is 1024 unless somebody sets it); beyond it they
// are all read anew.
constexpr std::size_t kMostNeighbours = 262144;

std::uint32_t MtuOf(const nlattr* metrics) {
  std::uint32_t mtu = 0;
  ForEachNested(metrics, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == RTAX_MTU) mtu = mnl_attr_get_u32(attr);
  });
  return mtu;
}

void AddNextHops(const nlattr* multipath, std::vector<std::uint32_t>& devices) {
  const auto* hop = static_cast<const rtnexthop*>(mnl_attr_get_payload(multipath));
  int left = mnl_attr_get_payload_len(multipath);
  while (RTNH_OK(hop, left)) {
    devices.push_back(static_cast<std::uint32_t>(hop->rtnh_ifindex));
    left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
    hop = RTNH_NEXT(hop);
  }
}

// fe80::/10 and ff00::/8, of which every new device brings some.
bool IsNeverForwarded(const rtmsg& route, const nlattr* destination) {
  const auto* byte = static_cast<const std::uint8_t*>(mnl_attr_get_payload(destination));
  return route.rtm_family == AF_INET6 && route.rtm_dst_len >= 8 &&
         (byte[0] == 0xff || (byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80));
}

// Netfilter sees some segments of a connection only, and would call the rest out of its window
// (INVALID), which other agents' rules drop.  Absent as long as nf_conntrack is not loaded.
void MakeConntrackLiberal(spdlog::logger& log) {
  constexpr const char* kPath = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
  const auto value = ReadFile(kPath, 16);
  if (!value || !value->starts_with("0")) return;
  std::ofstream file(kPath);
  if (file << "1\n" << std::flush)
    log.info("sysctl net.netfilter.nf_conntrack_tcp_be_liberal=1 for fastPath");
  else
    log.warn(
        "sysctl net.netfilter.nf_conntrack_tcp_be_liberal cannot be set: rules that drop "
        "INVALID may drop segments of connections that take the short cut");
}

}  // namespace

Result<RouteWatch> RouteWatch::Open(spdlog::logger& log) {
  auto netlink =
      Netlink::Open({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                     RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH,
                     RTNLGRP_NEXTHOP, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF});
  if (!netlink) return std::unexpected(std::move(netlink).error());
  auto timer = Timer::Create();
  if (!timer) return std::unexpected(std::move(timer).error());
  return RouteWatch(*std::move(netlink), *std::move(timer), log);
}

Result<> RouteWatch::Start(const maps::FdOf& fd_of, int jiffies_fd, std::uint32_t hz) {
  maps::Opener opener(fd_of);
  auto map = opener.Open<maps::ArrayMapView<nx_epoch>>("nx_epoch");
  if (!opener.done()) return std::unexpected(std::move(opener.done()).error());
  map_ = *std::move(map);
  jiffies_fd_ = jiffies_fd;
  hz_ = hz;
  auto before = map_->At(0);
  if (!before) return std::unexpected(std::move(before).error());
  // Nobody watched since.
  epoch_ = {
      .number = before->number + 1, .until = 0, .refresh = kRefreshSeconds * hz, .enabled = 0};
  Write(0);  // who took a short cut so far took it unwatched
  if (auto done = ReadTables(); !done) return done;
  timer_.ArmEvery(kPeriod);
  return {};
}

Result<> RouteWatch::ReadTables() {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  auto done = socket->Dump(
      RTM_GETROUTE, rtmsg{}, [&](const nlmsghdr& message) { TakeRoute(message); },
      [&] { mtu_.clear(); });
  if (!done) return Fail(std::move(done).error(), "list routes");
  done =
      socket->Dump(RTM_GETNEIGH, ndmsg{}, [&](const nlmsghdr& message) { TakeNeighbour(message); });
  if (!done) return Fail(std::move(done).error(), "list neighbours");
  return {};
}

// True: the epoch has another number.
bool RouteWatch::Drain() {
  bool moves = false;
  auto complete = netlink_.Drain([&](const nlmsghdr& message) { moves |= Moves(message); });
  if (!complete || !*complete || neighbours_.size() >= kMostNeighbours) {
    moves = mtu_lowered_ = true;
    neighbours_.clear();
    if (auto done = ReadTables(); !done) log_.error("routes {}", done.error().ToString());
  }
  if (moves) ++epoch_.number;
  return moves;
}

bool RouteWatch::OnNetlink() {
  mtu_lowered_ = false;
  if (Drain()) Write(kLeaseSeconds);
  return mtu_lowered_;
}

bool RouteWatch::OnTimer() {
  timer_.Acknowledge();
  mtu_lowered_ = false;
  Drain();  // the lease is of what was read
  Write(kLeaseSeconds);
  return mtu_lowered_;
}

void RouteWatch::Stop() {
  if (map_) Write(0);
}

// Whether a packet may now go elsewhere than before.
bool RouteWatch::Moves(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return TakeRoute(message);
    case RTM_NEWNEIGH:
      return TakeNeighbour(message);
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return TakeLink(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWRULE:
    case RTM_DELRULE:
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
    case RTM_NEWNETCONF:
    case RTM_DELNETCONF:
      return true;
    default:
      return false;
  }
}

// Of another device routes or addresses tell.
bool RouteWatch::TakeLink(const nlmsghdr& message) {
  const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  // A bridge's news of its ports: ways lead to the bridge.
  if (link->ifi_family == AF_BRIDGE) return false;
  if (message.nlmsg_type == RTM_DELLINK)
    std::erase_if(neighbours_, [&](const auto& entry) {
      return entry.first.first == static_cast<std::uint32_t>(link->ifi_index);
    });
  return IsManaged(link->ifi_index);
}

// Notes the MTU of a new one.  A larger one is not believed before natrixd starts again: what is
// too long for the smaller goes through the stack, which knows.
bool RouteWatch::TakeRoute(const nlmsghdr& message) {
  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  if ((route->rtm_flags & RTM_F_CLONED) != 0) return false;
  std::uint32_t mtu = 0;
  std::vector<std::uint32_t> devices;
  bool on_link_only = false;
  ForEachAttr(message, sizeof(rtmsg), [&](const nlattr* attr) {
    const int type = mnl_attr_get_type(attr);
    if (type == RTA_DST) on_link_only = IsNeverForwarded(*route, attr);
    if (type == RTA_OIF) devices.push_back(mnl_attr_get_u32(attr));
    if (type == RTA_METRICS) mtu = MtuOf(attr);
    if (type == RTA_MULTIPATH) AddNextHops(attr, devices);
    if (type == RTA_NH_ID) devices.push_back(0);
  });
  if (on_link_only) return false;
  if (message.nlmsg_type == RTM_DELROUTE || mtu == 0) return true;
  for (const std::uint32_t device : devices) {
    const auto [known, is_new] = mtu_.emplace(device, mtu);
    if (!is_new && known->second <= mtu) continue;
    known->second = mtu;
    mtu_lowered_ = true;
  }
  return true;
}

// Only another link-layer address moves packets; an entry comes, ages and goes without that.
bool RouteWatch::TakeNeighbour(const nlmsghdr& message) {
  const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
  if (header->ndm_family != AF_INET && header->ndm_family != AF_INET6) return false;
  Neighbour who{static_cast<std::uint32_t>(header->ndm_ifindex), {}};
  std::optional<LinkAddress> where;
  ForEachAttr(message, sizeof(ndmsg), [&](const nlattr* attr) {
    const std::size_t size = mnl_attr_get_payload_len(attr);
    if (mnl_attr_get_type(attr) == NDA_DST && size <= who.second.size())
      std::memcpy(who.second.data(), mnl_attr_get_payload(attr), size);
    if (mnl_attr_get_type(attr) == NDA_LLADDR && size == where.emplace().size())
      std::memcpy(where->data(), mnl_attr_get_payload(attr), size);
  });
  if (!where) return false;
  const auto [known, is_new] = neighbours_.emplace(who, *where);
  if (is_new || known->second == *where) return false;
  known->second = *where;
  return IsManaged(header->ndm_ifindex);
}

void RouteWatch::LowerMtus(std::vector<model::Device>& devices) const {
  for (model::Device& device : devices)
    for (const std::uint32_t of : {device.ifindex, 0U})
      if (const auto route = mtu_.find(of); route != mtu_.end())
        device.mtu = std::min(device.mtu, route->second);
}

void RouteWatch::Follow(const model::Config& config, const compile::Wanted& wanted) {
  Choices choices;
  managed_.clear();
  for (const auto& [ifindex, device] : wanted.device) managed_.insert(ifindex);
  for (const auto& [ifindex, device] : wanted.device)
    choices.emplace_back(device.name, ifindex, device.ways << 16 | device.mtu);
  for (const model::Subnet& subnet : config.subnets)
    if (subnet.fast_path == model::FastPath::kOff)
      for (const model::Prefix& cidr : subnet.cidrs) choices.emplace_back(cidr.ToString(), 0, 0);
  const bool enabled = config.fast_path == model::FastPath::kOn;
  if (enabled) MakeConntrackLiberal(log_);
  if (choices == choices_ && enabled == (epoch_.enabled != 0)) return;
  choices_ = std::move(choices);
  epoch_.enabled = enabled;
  Drain();
  ++epoch_.number;
  Write(kLeaseSeconds);
}

void RouteWatch::Write(std::uint32_t lease_seconds) {
  const auto now = loader::ReadJiffies(jiffies_fd_);
  Result<> done = now ? Result<>() : std::unexpected(now.error());
  if (now) {
    epoch_.until = *now + lease_seconds * hz_ - 1;
    done = map_->Set(0, epoch_);
  }
  const std::string error = done ? "" : done.error().ToString();
  if (!error.empty() && error != last_error_) log_.error("routes {}", error);
  last_error_ = error;
}

}  // namespace natrix::daemon
