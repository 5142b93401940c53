// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "userspace/base/result.h"

namespace natrix {

// A message is valid during the call only.
using OnMessage = std::function<void(const nlmsghdr&)>;

// One netlink socket in the network namespace of the thread that opened it.
class Netlink {
 public:
  // Of rtnetlink; subscribes to the given RTNLGRP_* groups; none: a socket for requests.
  static Result<Netlink> Open(const std::vector<unsigned>& groups = {});
  // Of sock_diag, which lists sockets and ends them (sock_diag(7)).
  static Result<Netlink> OpenSockDiag();

  // Sends a dump request of `type` with `header` (struct ifinfomsg, tcmsg, ...) and hands over
  // each answer.  A dump that a change interrupted is repeated, so a message may come twice:
  // `restart` is called before a repetition.
  template <typename Header>
  Result<> Dump(
      std::uint16_t type, const Header& header, const OnMessage& on_message,
      const std::function<void()>& restart = [] {}) {
    return DumpRaw(type, &header, sizeof(header), on_message, restart);
  }

  // Asks for one thing; ENOENT when there is no such.
  template <typename Header>
  Result<> Get(std::uint16_t type, const Header& header, const OnMessage& on_message) {
    // NLM_F_ACK: an empty answer ends, too.  NLM_F_ECHO: without it the kernel tells a qdisc to
    // the subscribers of its group only.
    auto got =
        Ask(NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO, type, &header, sizeof(header), on_message);
    if (!got) return std::unexpected(std::move(got).error());
    return {};
  }

  // Asks for a change: `message` is one that mnl_nlmsg_put_header began, with its type and NLM_F_*
  // of its own.  Returns when the kernel has done it, or why it did not.
  Result<> Change(nlmsghdr* message);

  // The kernel then refuses a dump request that it does not understand wholly, and filters by
  // what the request names (NETLINK_GET_STRICT_CHK).
  Result<> BeStrict();

  // Hands over what has arrived; does not block.  false: messages were lost (ENOBUFS), and the
  // caller must look at everything anew.
  Result<bool> Drain(const OnMessage& on_message);

  int fd() const { return mnl_socket_get_fd(socket_.get()); }

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };
  explicit Netlink(mnl_socket* socket) : socket_(socket) {}
  static Result<Netlink> Connect(int protocol);
  Result<> DumpRaw(std::uint16_t type, const void* header, std::size_t size,
                   const OnMessage& on_message, const std::function<void()>& restart);
  // false: something changed while the kernel answered.
  Result<bool> Ask(std::uint16_t flags, std::uint16_t type, const void* header, std::size_t size,
                   const OnMessage& on_message);
  Result<bool> Exchange(nlmsghdr* message, const OnMessage& on_message);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace natrix
