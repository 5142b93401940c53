// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_load.h"

#include <fmt/core.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::Namespace;

namespace {

// A lost packet is one that is not there after this: nothing on the way waits for anybody.
milliseconds Patience() { return Scaled(milliseconds(2000)); }

Bytes Numbered(std::uint64_t number, std::size_t flow) {
  Bytes bytes(16);
  support::PutLong(bytes, 0, static_cast<std::uint32_t>(number >> 32));
  support::PutLong(bytes, 4, static_cast<std::uint32_t>(number));
  support::PutLong(bytes, 8, static_cast<std::uint32_t>(flow));
  return bytes;
}

tcp_info InfoOf(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) support::ThrowErrno("TCP_INFO");
  return info;
}

constexpr std::uint8_t kTcpEstablished = 1;  // TCP_ESTABLISHED, include/net/tcp_states.h

}  // namespace

Loop::Loop(std::function<void()> turn)
    : thread_([this, turn = std::move(turn)] {
        while (!over_) turn();
      }) {}

void Loop::Stop() {
  over_ = true;
  if (thread_.joinable()) thread_.join();
}

UdpTalk::UdpTalk(const Path& path, std::uint16_t port, int flows, Sockets sockets)
    : path_(path),
      sockets_(sockets),
      server_{path.to, port},
      far_(OpenUdp(path.far, server_)),
      near_(static_cast<std::size_t>(flows)),
      seen_(near_.size()) {
  Open();
  loop_ = std::make_unique<Loop>([this] { Turn(); });
}

void UdpTalk::Open() {
  for (UniqueFd& near : near_) near = OpenUdp(path_.near, {path_.from, 0});
  std::ranges::fill(seen_, Point());
}

void UdpTalk::Turn() {
  if (sockets_ == Sockets::kAnew) {
    // Each leaves a flow that lives for half a minute, and one peer has no more than some 36000
    // ports to tell them apart.
    std::this_thread::sleep_for(milliseconds(2));
    Open();
  }
  for (std::size_t i = 0; i < near_.size(); ++i) {
    const Bytes sent = Numbered(talk_.rounds, i);
    const auto complain = [&](const char* what) {
      talk_.problems.push_back(fmt::format("udp flow {} round {}: {}", i, talk_.rounds, what));
    };
    if (!SendTo(near_[i].get(), server_, sent)) {
      complain("cannot be sent");
      continue;
    }
    const auto request = ReceiveFrom(far_.get(), Patience());
    if (!request || request->bytes != sent) {
      complain(request ? "another one arrived" : "lost on its way out");
      continue;
    }
    talk_.sources.insert(sockets_ == Sockets::kAnew ? request->from.address
                                                    : ToString(request->from));
    if (seen_[i].port == 0) seen_[i] = request->from;
    if (seen_[i] != request->from) complain("came from another port than those before");
    SendTo(far_.get(), request->from, sent);
    const auto answer = ReceiveFrom(near_[i].get(), Patience());
    if (!answer)
      complain("lost on its way back");
    else if (answer->bytes != sent || answer->from != server_)
      complain("answered by another");
  }
  ++talk_.rounds;
}

const Talk& UdpTalk::Stop() {
  loop_->Stop();
  return talk_;
}

TcpTalk::TcpTalk(const Path& path, std::uint16_t port, int connections) {
  const Point server{path.to, port};
  const UniqueFd listener = Listen(path.far, server);
  for (int i = 0; i < connections; ++i) {
    Pair pair;
    pair.near = Connect(path.near, {path.from, 0}, server);
    pair.far = Accept(listener.get());
    for (const UniqueFd* fd : {&pair.near, &pair.far}) {
      const int one = 1;
      ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    pairs_.push_back(std::move(pair));
  }
  for (const Point& source : Sources()) talk_.sources.insert(ToString(source));
}

void TcpTalk::Start() {
  loop_ = std::make_unique<Loop>([this] { Turn(); });
}

// One number there and back; false when either end has an error or the wrong number.
bool TcpTalk::Exchange(std::size_t index) {
  const Pair& pair = pairs_[index];
  const Bytes sent = Numbered(rounds_, index);
  Bytes got(sent.size());
  return WriteAll(pair.near.get(), sent) && ReadAll(pair.far.get(), got) && got == sent &&
         WriteAll(pair.far.get(), sent) && ReadAll(pair.near.get(), got) && got == sent;
}

void TcpTalk::Turn() {
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].dead || Exchange(i)) continue;
    const int error = errno;
    pairs_[i].dead = true;
    talk_.problems.push_back(fmt::format("tcp connection {} from {} round {}: {}", i,
                                         ToString(LocalOf(pairs_[i].near.get())), rounds_.load(),
                                         std::strerror(error)));
  }
  ++rounds_;
}

const Talk& TcpTalk::Stop() {
  if (loop_) loop_->Stop();
  talk_.rounds = rounds_;
  return talk_;
}

std::vector<Point> TcpTalk::Sources() const {
  std::vector<Point> points;
  for (const Pair& pair : pairs_) points.push_back(RemoteOf(pair.far.get()));
  return points;
}

int TcpTalk::Broken() const {
  return static_cast<int>(std::ranges::count_if(pairs_, [](const Pair& pair) {
    return pair.dead || InfoOf(pair.near.get()).tcpi_state != kTcpEstablished ||
           InfoOf(pair.far.get()).tcpi_state != kTcpEstablished;
  }));
}

std::uint64_t TcpTalk::Retransmissions() const {
  std::uint64_t sum = 0;
  for (const Pair& pair : pairs_)
    sum += InfoOf(pair.near.get()).tcpi_total_retrans + InfoOf(pair.far.get()).tcpi_total_retrans;
  return sum;
}

PingTalk::PingTalk(const Namespace& ns, const std::string& from, const std::string& to)
    : to_{to, 0}, fd_(OpenPing(ns, from)) {
  loop_ = std::make_unique<Loop>([this] { Turn(); });
}

void PingTalk::Turn() {
  Bytes request(64);
  request[0] = to_.v6() ? 128 : 8;
  support::PutWord(request, 6, static_cast<std::uint16_t>(talk_.rounds));
  support::PutLong(request, 8, static_cast<std::uint32_t>(talk_.rounds));
  if (!SendTo(fd_.get(), to_, request)) talk_.problems.push_back("an echo request cannot be sent");
  const auto reply = ReceiveFrom(fd_.get(), Patience());
  if (!reply)
    talk_.problems.push_back(fmt::format("echo {}: lost", talk_.rounds));
  else if (support::Word(reply->bytes, 6) != static_cast<std::uint16_t>(talk_.rounds))
    talk_.problems.push_back(fmt::format("echo {}: answered by another", talk_.rounds));
  ++talk_.rounds;
}

const Talk& PingTalk::Stop() {
  loop_->Stop();
  return talk_;
}

}  // namespace natrix::netns
