// SPDX-License-Identifier: Apache-2.0
#include "tests/support/network.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/setup_error.h"

namespace natrix::support {

void Ip(const Namespace& ns, std::string_view lines) {
  RunCommand(&ns, {"ip", "-batch", "-"}, lines);
}

namespace {

// Settings that must stand before the device comes up.
void MakeQuiet(const Namespace& ns, const std::string& device) {
  const std::string base = "net/ipv6/conf/" + device + "/";
  TrySysctl(ns, base + "accept_dad", "0");
  TrySysctl(ns, base + "dad_transmits", "0");
  TrySysctl(ns, base + "router_solicitations", "0");
  TrySysctl(ns, base + "accept_ra", "0");
  TrySysctl(ns, base + "addr_gen_mode", "1");
}

// Until the kernel noticed the carrier (net/core/link_watch.c, in a workqueue) the device has no
// queue and drops what it is given, with success.
void AwaitCarrier(const Namespace& ns, const std::string& device) {
  using std::chrono::steady_clock;
  const InNetwork in(ns);
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) ThrowErrno("socket to look at " + device);
  const auto limit = steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) ThrowErrno("flags of " + device);
    if (request.ifr_flags & IFF_RUNNING) return;
    if (steady_clock::now() > limit) throw SetupError(ns.name() + ": no carrier on " + device);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

void BringUp(const Namespace& ns, const std::string& device) {
  MakeQuiet(ns, device);
  Ip(ns, fmt::format("link set {} up\n", device));
  AwaitCarrier(ns, device);
}

void MakeVeth(const VethEnd& one, const VethEnd& other) {
  // The kernel takes the peer's namespace as a descriptor, so `ip` runs in ours with that fd open
  // under /proc.
  const std::string peer = fmt::format("/proc/{}/fd/{}", ::getpid(), other.ns.net_fd());
  RunCommand(&one.ns, {"ip", "link", "add", one.device, "address", one.mac, "type", "veth", "peer",
                       "name", other.device, "address", other.mac, "netns", peer});
  for (const VethEnd* end : {&one, &other}) {
    MakeQuiet(end->ns, end->device);
    Ip(end->ns, fmt::format("link set {} up\n", end->device));
  }
  for (const VethEnd* end : {&one, &other}) AwaitCarrier(end->ns, end->device);
}

void MakeBridge(const Namespace& ns, const std::string& device, const std::string& mac) {
  Ip(ns,
     fmt::format("link add {} address {} type bridge stp_state 0 mcast_snooping 0\n", device, mac));
  MakeQuiet(ns, device);
  Ip(ns, fmt::format("link set {} up\n", device));
}

void AddToBridge(const Namespace& ns, const std::string& bridge, const std::string& device) {
  Ip(ns, fmt::format("link set {} master {}\n", device, bridge));
}

bool TrySysctl(const Namespace& ns, const std::string& path, const std::string& value) {
  const InNetwork in(ns);
  const std::string file = "/proc/sys/" + path;
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return false;
  if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
    ThrowErrno(fmt::format("{}: write {} to {}", ns.name(), value, file));
  return true;
}

void Sysctl(const Namespace& ns, const std::string& path, const std::string& value) {
  if (!TrySysctl(ns, path, value)) throw SetupError(ns.name() + ": no /proc/sys/" + path);
}

void MakeRouter(const Namespace& ns) {
  Sysctl(ns, "net/ipv4/ip_forward", "1");
  Sysctl(ns, "net/ipv6/conf/all/forwarding", "1");
  for (const char* scope : {"all", "default"}) {
    const std::string base = fmt::format("net/ipv4/conf/{}/", scope);
    Sysctl(ns, base + "rp_filter", "0");
    Sysctl(ns, base + "send_redirects", "0");
    Sysctl(ns, base + "accept_local", "1");
  }
  Sysctl(ns, "net/ipv4/icmp_ratelimit", "0");
  TrySysctl(ns, "net/ipv4/icmp_ratemask", "0");
  // Per namespace since 6.12; before, one limit for the machine, which is not ours to lift.
  TrySysctl(ns, "net/ipv4/icmp_msgs_per_sec", "1000000");
  TrySysctl(ns, "net/ipv4/icmp_msgs_burst", "1000000");
  Sysctl(ns, "net/ipv6/icmp/ratelimit", "0");
}

void SetOffloads(const Namespace& ns, const std::string& device, bool on) {
  const std::string state = on ? "on" : "off";
  RunCommand(&ns, {"ethtool", "-K", device, "tx", state, "tso", state, "gso", state, "gro", state});
}

std::uint32_t IndexOf(const Namespace& ns, const std::string& device) {
  const InNetwork in(ns);
  const unsigned int index = ::if_nametoindex(device.c_str());
  if (index == 0) ThrowErrno(ns.name() + ": no device " + device);
  return index;
}

}  // namespace natrix::support
