// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_watch.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

#include "tests/support/checksum.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::Namespace;
using support::ThrowErrno;
using support::View;

namespace {

constexpr std::uint32_t kTaken = 128;  // bytes of a frame that are kept

constexpr sock_filter Load(std::uint16_t size, std::uint32_t offset) {
  return {static_cast<std::uint16_t>(BPF_LD | size | BPF_ABS), 0, 0, offset};
}
constexpr sock_filter JumpIf(std::uint16_t test, std::uint32_t value, std::uint8_t yes,
                             std::uint8_t no) {
  return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), yes, no, value};
}
constexpr sock_filter Return(std::uint32_t length) { return {BPF_RET | BPF_K, 0, 0, length}; }

// Offsets: the Ethernet type at 12, the IPv4 source at 26, the IPv6 source at 22.
const std::vector<sock_filter> kPodSources = {
    Load(BPF_H, 12),
    JumpIf(BPF_JEQ, ETH_P_IP, 0, 2),
    Load(BPF_B, 26),
    JumpIf(BPF_JEQ, 10, 3, 4),
    JumpIf(BPF_JEQ, ETH_P_IPV6, 0, 3),
    Load(BPF_W, 22),
    JumpIf(BPF_JEQ, 0xfd000010, 0, 1),
    Return(kTaken),
    Return(0),
};
const std::vector<sock_filter> kSuperPackets = {
    {BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},
    JumpIf(BPF_JGT, ETH_FRAME_LEN, 0, 1),
    Return(kTaken),
    Return(0),
};

}  // namespace

FrameCounter FrameCounter::OfPodSources(const Namespace& ns, const std::string& device) {
  return {ns, device, kPodSources};
}
FrameCounter FrameCounter::OfSuperPackets(const Namespace& ns, const std::string& device) {
  return {ns, device, kSuperPackets};
}

FrameCounter::FrameCounter(const Namespace& ns, const std::string& device,
                           const std::vector<sock_filter>& program) {
  const std::uint32_t index = support::IndexOf(ns, device);
  {
    const support::InNetwork here(ns);
    fd_.Reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  if (!fd_) ThrowErrno("packet socket on " + device);
  const sock_fprog filter{.len = static_cast<std::uint16_t>(program.size()),
                          .filter = const_cast<sock_filter*>(program.data())};
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
    ThrowErrno("filter on " + device);
  const int one = 1;
  ::setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    ThrowErrno("bind a packet socket to " + device);
}

std::uint64_t FrameCounter::Count() {
  std::array<std::uint8_t, kTaken> buffer;
  ssize_t got = 0;
  while ((got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) >= 0)
    if (example_.empty())
      example_ = support::Describe(View(buffer.data(), static_cast<std::size_t>(got)));
  tpacket_stats stats{};
  socklen_t size = sizeof(stats);
  // Reset by being read; tp_packets counts what found no room in the queue, too.
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0)
    ThrowErrno("PACKET_STATISTICS");
  count_ += stats.tp_packets;
  return count_;
}

ChecksumWatch::ChecksumWatch(const Namespace& ns, const std::string& device, bool quotations)
    : tap_(ns, device), quotations_(quotations), thread_([this] { Look(); }) {}

ChecksumWatch::~ChecksumWatch() {
  over_ = true;
  thread_.join();
}

void ChecksumWatch::Look() {
  while (!over_) {
    const std::vector<support::Bytes> frames = tap_.Receive(std::chrono::milliseconds(5));
    if (frames.empty()) ++idle_rounds_;
    const std::lock_guard lock(mutex_);
    for (const support::Bytes& frame : frames) {
      ++frames_;
      support::Checksums checksums = support::VerifyChecksums(frame);
      if (!quotations_) checksums.inner_transport = support::Checksum::kUnknown;
      if (!checksums.AnyBad()) continue;
      ++wrong_;
      if (example_.empty()) example_ = support::Describe(frame);
    }
  }
}

void ChecksumWatch::Settle() {
  const std::uint64_t before = idle_rounds_;
  while (idle_rounds_ < before + 2) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

std::uint64_t ChecksumWatch::Frames() {
  Settle();
  const std::lock_guard lock(mutex_);
  return frames_;
}

std::uint64_t ChecksumWatch::Wrong() {
  Settle();
  const std::lock_guard lock(mutex_);
  return wrong_;
}

std::string ChecksumWatch::Example() {
  const std::lock_guard lock(mutex_);
  return example_;
}

}  // namespace natrix::netns
