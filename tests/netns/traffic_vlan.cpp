// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_vlan.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "tests/netns/traffic_load.h"
#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::Namespace;
using support::ThrowErrno;

namespace {

constexpr std::size_t kTagAt = 12;  // behind the addresses
constexpr std::size_t kTagLength = 4;

UniqueFd OpenRaw(const Namespace& ns, const std::string& device) {
  const std::uint32_t index = support::IndexOf(ns, device);
  UniqueFd fd;
  {
    const support::InNetwork here(ns);
    fd.Reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  if (!fd) ThrowErrno("packet socket on " + device);
  const int one = 1;
  for (const int option : {PACKET_IGNORE_OUTGOING, PACKET_AUXDATA})
    if (::setsockopt(fd.get(), SOL_PACKET, option, &one, sizeof(one)) != 0)
      ThrowErrno("packet socket options on " + device);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    ThrowErrno("bind a packet socket to " + device);
  return fd;
}

struct Received {
  Bytes frame;
  int tag = -1;  // -1: none
};

std::optional<Received> Receive(int fd) {
  std::array<std::uint8_t, 2048> buffer;
  alignas(cmsghdr) std::array<char, 256> control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(fd, &message, 0);
  if (got < 0) return std::nullopt;
  Received received{.frame = Bytes(buffer.begin(), buffer.begin() + got)};
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux{};
    std::memcpy(&aux, CMSG_DATA(c), sizeof(aux));
    if (aux.tp_status & TP_STATUS_VLAN_VALID) received.tag = aux.tp_vlan_tci & 0xfff;
  }
  return received;
}

}  // namespace

class VlanDevice::Relay {
 public:
  Relay(const Namespace& ns, const std::string& lower, const std::string& upper,
        const std::string& mac, std::uint16_t id)
      : id_(id) {
    const std::string inner = fmt::format("tag{}", id);
    support::MakeVeth({ns, upper, mac}, {ns, inner, "02:00:00:00:07:01"});
    support::SetOffloads(ns, upper, false);
    support::SetOffloads(ns, inner, false);
    lower_ = OpenRaw(ns, lower);
    inner_ = OpenRaw(ns, inner);
    loop_ = std::make_unique<Loop>([this] { Turn(); });
  }

 private:
  void Turn() {
    pollfd waiting[] = {{lower_.get(), POLLIN, 0}, {inner_.get(), POLLIN, 0}};
    if (::poll(waiting, 2, 20) <= 0) return;
    while (const auto received = Receive(lower_.get()))
      if (received->tag == id_) Send(inner_.get(), received->frame);
    while (auto received = Receive(inner_.get())) {
      const std::uint8_t tag[kTagLength] = {0x81, 0, static_cast<std::uint8_t>(id_ >> 8),
                                            static_cast<std::uint8_t>(id_)};
      received->frame.insert(received->frame.begin() + kTagAt, std::begin(tag), std::end(tag));
      Send(lower_.get(), received->frame);
    }
  }

  // What does not fit is lost, as on a wire.
  static void Send(int fd, const Bytes& frame) { (void)::send(fd, frame.data(), frame.size(), 0); }

  std::uint16_t id_;
  UniqueFd lower_;
  UniqueFd inner_;
  std::unique_ptr<Loop> loop_;
};

VlanDevice::VlanDevice(const Namespace& ns, const std::string& lower, const std::string& mac,
                       std::uint16_t id)
    : name_(fmt::format("{}.{}", lower, id)) {
  const auto added =
      support::TryCommand(&ns, {"ip", "link", "add", "link", lower, "name", name_, "address", mac,
                                "type", "vlan", "id", std::to_string(id)});
  if (added.status != 0) {
    relay_ = std::make_unique<Relay>(ns, lower, name_, mac, id);
    return;
  }
  support::Ip(ns, fmt::format("link set {0} addrgenmode none\nlink set {0} up\n", name_));
}

VlanDevice::~VlanDevice() = default;

}  // namespace natrix::netns
