// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/socket_release.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include "userspace/base/netlink.h"

namespace natrix::daemon {
namespace {

using Endpoints = std::map<std::uint64_t, nx_peer>;  // by cookie
using Sockets = std::vector<inet_diag_req_v2>;

// TCP's, whose cookies no UDP socket has, too.
Endpoints Ended(const std::vector<nx_peer_line>& peers, const UdpRelease::IsEnded& is_ended) {
  Endpoints ended;
  for (const auto& [cookie, peer, pad] : peers)
    if (peer.endpoint_port != 0 && is_ended({.called = peer.called,
                                             .endpoint = peer.endpoint,
                                             .called_port = peer.called_port,
                                             .endpoint_port = peer.endpoint_port}))
      ended.emplace(cookie, peer);
  return ended;
}

inet_diag_req_v2 UdpOf(int family) {
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<__u8>(family);
  request.sdiag_protocol = IPPROTO_UDP;
  return request;
}

// nx_peer may be of an earlier connect(2): the last one failed, or no hook saw it.
bool IsConnectedTo(const inet_diag_msg& socket, const nx_peer& peer) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(socket.id.idiag_dst);
  const bool v4 = socket.idiag_family == AF_INET;  // else IPv4 is mapped, as in nx_addr
  const std::uint8_t* end = std::end(peer.endpoint.byte);
  return socket.id.idiag_dport == peer.endpoint_port &&
         std::equal(v4 ? end - 4 : std::begin(peer.endpoint.byte), end, bytes);
}

// How the kernel wants them named.
Result<Sockets> Find(Netlink& netlink, int family, const Endpoints& ended) {
  inet_diag_req_v2 request = UdpOf(family);
  request.idiag_states = 1U << TCP_ESTABLISHED;  // of UDP: has a peer
  Sockets found;
  auto done = netlink.Dump(SOCK_DIAG_BY_FAMILY, request, [&](const nlmsghdr& message) {
    if (mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg)) return;
    const auto* socket = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&message));
    const auto [low, high] = socket->id.idiag_cookie;
    const auto one = ended.find(std::uint64_t{high} << 32 | low);
    if (one != ended.end() && IsConnectedTo(*socket, one->second))
      found.emplace_back(UdpOf(family)).id = socket->id;
  });
  if (!done) return std::unexpected(std::move(done).error());
  return found;
}

// Returns false when it is no more.  The cookie in its name keeps any other safe.
Result<bool> Destroy(Netlink& netlink, const inet_diag_req_v2& socket) {
  std::array<char, 256> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = SOCK_DESTROY;
  std::memcpy(mnl_nlmsg_put_extra_header(message, sizeof(socket)), &socket, sizeof(socket));
  auto done = netlink.Change(message);
  if (done) return true;
  const int err = done.error().code().value();
  if (err == ENOENT || err == ESTALE) return false;
  return std::unexpected(std::move(done).error());
}

}  // namespace

Result<std::size_t> EndSockets(const std::vector<nx_peer_line>& peers,
                               const UdpRelease::IsEnded& is_ended) {
  const Endpoints gone = Ended(peers, is_ended);
  if (gone.empty()) return 0;
  auto netlink = Netlink::OpenSockDiag();
  if (!netlink) return std::unexpected(std::move(netlink).error());
  std::size_t ended = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    const auto sockets = Find(*netlink, family, gone);
    if (!sockets) return Fail(sockets.error(), "list UDP sockets");
    for (const inet_diag_req_v2& socket : *sockets) {
      const auto destroyed = Destroy(*netlink, socket);
      if (!destroyed) return Fail(destroyed.error(), "end a UDP socket");
      ended += *destroyed;
    }
  }
  return ended;
}

}  // namespace natrix::daemon
