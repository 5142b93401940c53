// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_exchange.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 2, 3, 40, 511, 1399, 1472, 4000, 20001};

// xorshift64: the same bytes at both ends, without either telling the other.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : state_(seed) {}
  void Fill(Bytes& bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      std::memcpy(bytes.data() + i, &state_, std::min<std::size_t>(8, bytes.size() - i));
    }
  }

 private:
  std::uint64_t state_;
};

constexpr std::size_t kChunk = 1 << 18;

bool SendStream(int fd, std::uint64_t seed, std::size_t bytes) {
  Stream stream(seed);
  for (std::size_t done = 0; done < bytes;) {
    Bytes chunk(std::min(kChunk, bytes - done));
    stream.Fill(chunk);
    if (!WriteAll(fd, chunk)) return false;
    done += chunk.size();
  }
  return true;
}

bool ReceiveStream(int fd, std::uint64_t seed, std::size_t bytes) {
  Stream stream(seed);
  for (std::size_t done = 0; done < bytes;) {
    Bytes chunk(std::min(kChunk, bytes - done));
    Bytes expected(chunk.size());
    stream.Fill(expected);
    if (!ReadAll(fd, chunk) || chunk != expected) return false;
    done += chunk.size();
  }
  return true;
}

bool Transfer(int from, int to, std::uint64_t seed, std::size_t bytes) {
  bool sent = false;
  std::thread sender([&] { sent = SendStream(from, seed, bytes); });
  const bool received = ReceiveStream(to, seed, bytes);
  if (!received) ::shutdown(from, SHUT_RDWR);
  sender.join();
  return sent && received;
}

Bytes Patterned(std::size_t size, std::uint8_t first) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = first++;
  return bytes;
}

milliseconds Patience() { return Scaled(milliseconds(2000)); }

// One datagram there and back.
std::string ThereAndBack(int near, int far, const Point& server, const std::string& expected,
                         const Bytes& bytes) {
  const auto failed = [&](const char* what) {
    return fmt::format("udp of {} bytes: {}", bytes.size(), what);
  };
  if (!SendTo(near, server, bytes)) return failed("cannot be sent");
  const auto request = ReceiveFrom(far, Patience());
  if (!request) return failed("does not arrive");
  if (request->bytes != bytes) return failed("arrives with other bytes");
  if (request->from.address != expected)
    return failed(("comes from " + request->from.address).c_str());
  SendTo(far, request->from, bytes);
  const auto answer = ReceiveFrom(near, Patience());
  if (!answer) return failed("is not answered");
  if (answer->bytes != bytes || answer->from != server) return failed("is answered wrongly");
  return {};
}

}  // namespace

std::string TransferTcp(const Path& path, const std::string& expected, std::size_t bytes) {
  const Point server{path.to, 8001};
  const UniqueFd listener = Listen(path.far, server);
  const auto near = TryConnect(path.near, {path.from, 0}, server);
  if (!near) return fmt::format("tcp: {}", std::strerror(errno));
  const UniqueFd far = Accept(listener.get());
  if (RemoteOf(far.get()).address != expected)
    return "tcp comes from " + RemoteOf(far.get()).address;
  if (!Transfer(near->get(), far.get(), 0x9e3779b97f4a7c15, bytes)) return "tcp: bytes out differ";
  if (!Transfer(far.get(), near->get(), 0xbf58476d1ce4e5b9, bytes)) return "tcp: bytes back differ";
  return {};
}

std::string ExchangeUdp(const Path& path, const std::string& expected) {
  const Point server{path.to, 5301};
  const UniqueFd far = OpenUdp(path.far, server);
  const UniqueFd near = OpenUdp(path.near, {path.from, 0});
  for (const int no_checksum : {0, 1}) {
    if (no_checksum == 1 && server.v6()) break;  // RFC 8200: never without
    ::setsockopt(near.get(), SOL_SOCKET, SO_NO_CHECK, &no_checksum, sizeof(no_checksum));
    ::setsockopt(far.get(), SOL_SOCKET, SO_NO_CHECK, &no_checksum, sizeof(no_checksum));
    for (const std::size_t size : kSizes) {
      const Bytes bytes = Patterned(size, static_cast<std::uint8_t>(size));
      std::string trouble = ThereAndBack(near.get(), far.get(), server, expected, bytes);
      if (!trouble.empty()) return no_checksum ? trouble + " (no checksum)" : trouble;
    }
  }
  return {};
}

std::string SendUdpSegments(const Path& path, const std::string& expected) {
  constexpr std::size_t kSegment = 1200;
  constexpr std::size_t kSegments = 10;
  const Point server{path.to, 5302};
  const UniqueFd far = OpenUdp(path.far, server);
  const UniqueFd near = OpenUdp(path.near, {path.from, 0});
  const int segment = kSegment;
  if (::setsockopt(near.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) != 0)
    support::ThrowErrno("UDP_SEGMENT");
  const Bytes bytes = Patterned(kSegment * kSegments, 7);
  if (!SendTo(near.get(), server, bytes))
    return fmt::format("udp segments cannot be sent: {}", std::strerror(errno));
  for (std::size_t i = 0; i < kSegments; ++i) {
    const auto datagram = ReceiveFrom(far.get(), Patience());
    if (!datagram) return fmt::format("udp segment {} does not arrive", i);
    if (datagram->from.address != expected)
      return "a udp segment comes from " + datagram->from.address;
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(i * kSegment);
    if (datagram->bytes != Bytes(from, from + kSegment))
      return fmt::format("udp segment {} has other bytes", i);
  }
  return {};
}

std::string ExchangeEchoes(const Path& path) {
  const Point to{path.to, 0};
  const UniqueFd fd = OpenPing(path.near, path.from);
  for (const std::size_t size : kSizes) {
    Bytes request = Patterned(8 + size, 3);
    request[0] = to.v6() ? 128 : 8;
    request[1] = 0;
    support::PutWord(request, 6, static_cast<std::uint16_t>(size));
    if (!SendTo(fd.get(), to, request)) return fmt::format("echo of {} cannot be sent", size);
    const auto reply = ReceiveFrom(fd.get(), Patience());
    if (!reply) return fmt::format("echo of {} bytes is lost", size);
    if (!std::equal(reply->bytes.begin() + 6, reply->bytes.end(), request.begin() + 6,
                    request.end()))
      return fmt::format("echo of {} bytes comes back changed", size);
  }
  return {};
}

std::string ProvokeIcmpError(const Path& path) {
  const std::uint16_t kClosed = 5999;
  const UniqueFd near = OpenUdp(path.near, {path.from, 0});
  // A connected UDP socket is told of errors that quote its own addresses and ports, and only then.
  if (!ConnectUdp(near.get(), {path.to, kClosed})) return "udp cannot connect";
  const Bytes bytes = Patterned(600, 1);
  if (::send(near.get(), bytes.data(), bytes.size(), 0) < 0) return "udp cannot be sent";
  char byte = 0;
  if (::recv(near.get(), &byte, 1, 0) >= 0) return "a closed port answered";
  if (errno != ECONNREFUSED) return fmt::format("no ICMP error came: {}", std::strerror(errno));
  return {};
}

UdpPair OpenPair(const Path& path, std::uint16_t port) {
  return {
      OpenUdp(path.near, {path.from, port}), OpenUdp(path.far, {path.to, port}), {path.to, port}};
}

std::string ExchangeOn(const UdpPair& pair, int rounds) {
  constexpr milliseconds kPatience(5000);
  std::string seen;
  for (int i = 0; i < rounds; ++i) {
    if (!SendTo(pair.near.get(), pair.to, Bytes{1, 2, 3})) return "";
    const auto there = ReceiveFrom(pair.far.get(), Scaled(kPatience));
    if (!there || !SendTo(pair.far.get(), there->from, Bytes{4, 5})) return "";
    const auto back = ReceiveFrom(pair.near.get(), Scaled(kPatience));
    if (!back || !(back->from == pair.to)) return "";
    seen = ToString(there->from);
  }
  return seen;
}

}  // namespace natrix::netns
