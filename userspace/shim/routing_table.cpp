// SPDX-License-Identifier: Apache-2.0
#include "userspace/shim/routing_table.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstddef>

#include "userspace/shim/routing_message.h"

namespace natrix::shim {
namespace {

constexpr unsigned char kFamilies[] = {AF_INET, AF_INET6};

// A request for the routes of one table.
struct TableRequest {
  rtmsg header{};
  nlattr attr{.nla_len = sizeof(nlattr) + sizeof(std::uint32_t), .nla_type = RTA_TABLE};
  std::uint32_t table = 0;
};
static_assert(sizeof(TableRequest) == 20, "one attribute right behind the header");

Result<> ReadRules(Netlink& socket, unsigned char family, std::set<Rule>& rules) {
  fib_rule_hdr request{};
  request.family = family;
  std::set<Rule> found;
  auto done = socket.Dump(
      RTM_GETRULE, request,
      [&](const nlmsghdr& message) {
        if (const auto rule = ParseRule(message)) found.insert(*rule);
      },
      [&] { found.clear(); });
  // A kernel without IPv6.
  if (!done && done.error().code().value() == EAFNOSUPPORT) return {};
  if (!done) return Fail(std::move(done).error(), "list rules");
  rules.merge(found);
  return {};
}

Result<> ReadRoutes(Netlink& socket, unsigned char family, std::optional<std::uint32_t> table,
                    std::set<Route>& routes) {
  std::set<Route> found;
  const auto take = [&](const nlmsghdr& message) {
    if (const auto route = ParseRoute(message)) found.insert(*route);
  };
  const auto restart = [&] { found.clear(); };
  TableRequest request;
  request.header.rtm_family = family;
  request.header.rtm_protocol = kProtocol;
  request.header.rtm_type = RTN_LOCAL;
  request.table = table.value_or(0);
  auto done = table ? socket.Dump(RTM_GETROUTE, request, take, restart)
                    : socket.Dump(RTM_GETROUTE, request.header, take, restart);
  // No such table; a kernel without IPv6.
  if (!done &&
      (done.error().code().value() == ENOENT || done.error().code().value() == EAFNOSUPPORT))
    return {};
  if (!done) return Fail(std::move(done).error(), "list routes");
  routes.merge(found);
  return {};
}

// `fine`: an error that means it is so already.
Result<> Change(Netlink& socket, Message message, int fine, const std::string& what) {
  auto done = socket.Change(message.get());
  if (!done && done.error().code().value() != fine) return Fail(std::move(done).error(), what);
  return {};
}

}  // namespace

Result<Routing> ReadRouting(std::optional<std::uint32_t> table) {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  if (auto strict = socket->BeStrict(); !strict) return std::unexpected(strict.error());
  Routing routing;
  for (const unsigned char family : kFamilies) {
    if (auto done = ReadRules(*socket, family, routing.rules); !done)
      return std::unexpected(std::move(done).error());
    if (auto done = ReadRoutes(*socket, family, table, routing.routes); !done)
      return std::unexpected(std::move(done).error());
  }
  return routing;
}

Result<> ApplyEdits(const RoutingEdits& edits) {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  // Each is tried, whatever became of the others: an address that is not there yet keeps its own
  // family's route out, and nothing else.
  Result<> all;
  const auto note = [&](Result<> done) {
    if (all && !done) all = std::move(done);
  };
  for (const Route& route : edits.add_routes) {
    auto done = Change(*socket, AddRoute(route), EEXIST, "add " + route.ToString());
    // What the kernel says of a source that is no address of the node.
    const bool invalid = !done && done.error().code().value() == EINVAL;
    if (invalid)
      done = Fail(std::move(done).error(), "the node has no address " + route.source.ToString());
    note(std::move(done));
  }
  for (const Rule& rule : edits.add_rules)
    note(Change(*socket, AddRule(rule), EEXIST, "add " + rule.ToString()));
  for (const Rule& rule : edits.remove_rules)
    note(Change(*socket, RemoveRule(rule), ENOENT, "remove " + rule.ToString()));
  for (const Route& route : edits.remove_routes)
    note(Change(*socket, RemoveRoute(route), ESRCH, "remove " + route.ToString()));
  return all;
}

Result<std::size_t> RemoveRouting() {
  const auto live = ReadRouting(std::nullopt);
  if (!live) return std::unexpected(live.error());
  if (live->size() == 0) return std::size_t{0};
  if (auto done = ApplyEdits(Diff(*live, {})); !done)
    return std::unexpected(std::move(done).error());
  return live->size();
}

Result<Netlink> WatchRouting() {
  // What is loaded from a message is taken for big-endian; nlmsg_type is in the host's order.
  const auto type = [](std::uint16_t number) { return __u32{htons(number)}; };
  constexpr __u32 kType = offsetof(nlmsghdr, nlmsg_type);
  constexpr __u32 kRouteProtocol = NLMSG_HDRLEN + offsetof(rtmsg, rtm_protocol);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kType),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type(RTM_DELRULE), 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type(RTM_DELROUTE), 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kRouteProtocol),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kProtocol, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{.len = sizeof(code) / sizeof(code[0]), .filter = code};
  auto socket =
      Netlink::Open({RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE});
  if (!socket) return std::unexpected(std::move(socket).error());
  if (setsockopt(socket->fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
    return Fail(errno, "filter rtnetlink notifications");
  return socket;
}

}  // namespace natrix::shim
