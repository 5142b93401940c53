// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/node_calls.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ostream>
#include <utility>

#include "tests/support/network.h"

namespace natrix::oracle {

using netns::Point;
using netns::Scaled;
using support::Bytes;
using support::milliseconds;
using What = CallOutcome::What;

namespace {

// A SYN that is rejected at once is so under the lock of its socket, which takes no notice; but
// does when it is sent again, after a second.
constexpr milliseconds kPatience{3000};
constexpr milliseconds kShortly{120};

What WhatOf(int error) { return error == ECONNREFUSED ? What::kRefused : What::kDropped; }

CallOutcome Failed(int error) { return {.what = WhatOf(error), .error = std::strerror(error)}; }

// What became known about a socket since it was last asked.
int ErrorOf(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void SetPatience(int fd, milliseconds limit) {
  const timeval wait{.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd, SOL_SOCKET, option, &wait, sizeof(wait));
}

}  // namespace

const char* NameOf(CallKind kind) {
  static constexpr const char* kNames[] = {"TCP", "connected UDP", "UDP"};
  return kNames[static_cast<int>(kind)];
}

std::ostream& operator<<(std::ostream& out, const CallOutcome& outcome) {
  switch (outcome.what) {
    case What::kAnswered:
      return out << "answered by " << outcome.server << " that saw " << outcome.source << ", as "
                 << outcome.peer;
    case What::kRefused:
      return out << "refused (" << outcome.error << ")";
    case What::kDropped:
      return out << "dropped (" << outcome.error << ")";
  }
  return out;
}

CallingNode::CallingNode(EngineKind kind, Family family)
    : family_(family),
      scene_("calling", {.live = true, .offloads = true}),
      engine_(MakeEngine(kind, scene_)) {
  // kube-proxy sets it for NodePorts at 127.0.0.1.
  if (kind != EngineKind::kNatrix)
    support::Sysctl(scene_.node(), "net/ipv4/conf/all/route_localnet", "1");
}

void CallingNode::Serve(const support::Namespace& ns, const Point& at) {
  servers_.push_back({at, netns::Listen(ns, at), netns::OpenUdp(ns, at)});
}

Point CallingNode::AnyPort() const { return {family_ == Family::kIpv4 ? "0.0.0.0" : "::", 0}; }

CallOutcome CallingNode::Call(CallKind kind, const Point& to, What meant) {
  const milliseconds limit = meant == What::kDropped ? kShortly : Scaled(kPatience);
  const Bytes hello(5, ++number_);
  return kind == CallKind::kTcp ? CallTcp(to, hello, limit)
                                : CallUdp(kind == CallKind::kConnectedUdp, to, hello, limit);
}

const CallingNode::Server* CallingNode::WhoHears(bool tcp, int client, milliseconds limit) const {
  std::vector<pollfd> waiting;
  for (const Server& server : servers_)
    waiting.push_back({tcp ? server.tcp.get() : server.udp.get(), POLLIN, 0});
  waiting.push_back({client, 0, 0});
  if (::poll(waiting.data(), waiting.size(), static_cast<int>(limit.count())) <= 0) return nullptr;
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (waiting[i].revents & POLLIN) return &servers_[i];
  return nullptr;
}

CallOutcome CallingNode::CallTcp(const Point& to, const Bytes& hello, milliseconds limit) {
  const UniqueFd client = netns::OpenTcp(scene_.node(), AnyPort());
  SetPatience(client.get(), limit);
  if (!netns::ConnectTcp(client.get(), to)) return Failed(errno);
  if (!netns::WriteAll(client.get(), hello)) return Failed(errno);
  while (const Server* server = WhoHears(true, client.get(), limit)) {
    const UniqueFd accepted = netns::Accept(server->tcp.get());
    Bytes heard(hello.size());
    if (!netns::ReadAll(accepted.get(), heard) || heard != hello) continue;
    Bytes answer(hello.size());
    if (!netns::WriteAll(accepted.get(), heard) || !netns::ReadAll(client.get(), answer))
      return Failed(errno);
    return {.what = What::kAnswered,
            .server = ToString(server->at),
            .source = netns::RemoteOf(accepted.get()).address,
            .peer = ToString(netns::RemoteOf(client.get()))};
  }
  return {.error = "connected to nobody"};
}

CallOutcome CallingNode::CallUdp(bool connected, const Point& to, const Bytes& hello,
                                 milliseconds limit) {
  const UniqueFd client = netns::OpenUdp(scene_.node(), AnyPort());
  if (connected && !netns::ConnectUdp(client.get(), to)) return Failed(errno);
  if (connected ? !netns::WriteAll(client.get(), hello) : !netns::SendTo(client.get(), to, hello)) {
    // A REJECT in OUTPUT drops it, too: the error that it sends comes behind that.
    const int told = errno;
    const int later = ErrorOf(client.get());
    return Failed(later != 0 ? later : told);
  }
  while (const Server* server = WhoHears(false, client.get(), limit)) {
    const auto question = netns::ReceiveFrom(server->udp.get(), milliseconds(0));
    if (!question || question->bytes != hello) continue;
    netns::SendTo(server->udp.get(), question->from, hello);
    const auto answer = netns::ReceiveFrom(client.get(), Scaled(kPatience));
    if (!answer) return {.error = "no answer"};
    return {.what = What::kAnswered,
            .server = ToString(server->at),
            .source = question->from.address,
            .peer = ToString(answer->from)};
  }
  const int error = ErrorOf(client.get());
  return error != 0 ? Failed(error) : CallOutcome{.error = "nobody hears it"};
}

}  // namespace natrix::oracle
