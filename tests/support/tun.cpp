// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tun.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

void AppendMac(Bytes& bytes, const std::string& mac) {
  for (std::size_t at = 0; at < mac.size(); at += 3)
    bytes.push_back(static_cast<std::uint8_t>(std::strtoul(mac.c_str() + at, nullptr, 16)));
}

// Neighbours and groups are looked for without being asked.
bool IsForAGroup(View packet) {
  const bool v6 = packet[0] >> 4 == 6;
  if (packet.size() < (v6 ? 40U : 20U)) return false;
  return v6 ? packet[24] == 0xff : (packet[16] & 0xf0) == 0xe0;
}

}  // namespace

Tun::Tun(const Namespace& ns, const std::string& device, const Macs& macs)
    : where_(ns.name() + ":" + device) {
  AppendMac(header_, macs.dst);
  AppendMac(header_, macs.src);
  // A kernel that has loaded ipip puts a tunl0 of its own into every namespace.
  TryCommand(&ns, {"ip", "link", "set", device, "name", "other"});
  {
    const InNetwork in(ns);
    fd_.Reset(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd_) ThrowErrno("open /dev/net/tun");
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(fd_.get(), TUNSETIFF, &request) != 0) ThrowErrno("TUNSETIFF " + where_);
  }
  BringUp(ns, device);
}

void Tun::Send(const Bytes& frame) const {
  const std::size_t size = frame.size() - kEthernetLength;
  if (::write(fd_.get(), &frame[kEthernetLength], size) != static_cast<ssize_t>(size))
    ThrowErrno("write to " + where_ + ": " + Describe(frame));
}

std::vector<Bytes> Tun::Receive(std::chrono::milliseconds limit) const {
  std::vector<Bytes> frames;
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (limit.count() > 0) ::poll(&waiting, 1, static_cast<int>(limit.count()));
  std::array<std::uint8_t, 70000> buffer;
  for (;;) {
    const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return frames;
    const View packet(buffer.data(), static_cast<std::size_t>(got));
    if (IsForAGroup(packet)) continue;
    Bytes frame = header_;
    const bool v6 = packet[0] >> 4 == 6;
    frame.push_back(v6 ? 0x86 : 0x08);
    frame.push_back(v6 ? 0xdd : 0x00);
    frame.insert(frame.end(), packet.begin(), packet.end());
    frames.push_back(std::move(frame));
  }
}

}  // namespace natrix::support
