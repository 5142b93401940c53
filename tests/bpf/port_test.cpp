// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>
#include <set>

#include "tests/bpf/datapath.h"
#include "tests/support/network.h"

// Source ports: whose they are, and whose they must never become.
namespace natrix {
namespace {

using namespace support;

class Port : public Datapath {
 protected:
  // Leaves exactly `ports` to choose from: all others are reserved.
  void LeaveOnly(std::initializer_list<std::uint16_t> ports) {
    config.masquerade.reserved_ports.clear();
    std::uint32_t from = 1;
    for (const std::uint16_t port : ports) {
      if (from < port)
        config.masquerade.reserved_ports.push_back(
            {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(port - 1)});
      from = port + 1U;
    }
    if (from <= 65535)
      config.masquerade.reserved_ports.push_back({static_cast<std::uint16_t>(from), 65535});
    Apply();
  }

  UniqueFd Socket(int type, std::uint16_t port, const char* peer, std::uint16_t peer_port) {
    const InNetwork inside(ns());
    UniqueFd fd(socket(v6() ? AF_INET6 : AF_INET, type, 0));
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    EXPECT_EQ(Bind(fd.get(), cast().node, port), 0) << strerror(errno);
    if (peer) {
      EXPECT_EQ(Connect(fd.get(), peer, peer_port), 0) << strerror(errno);
    } else if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(fd.get(), 1), 0);
    }
    return fd;
  }

 private:
  int Bind(int fd, const char* address, std::uint16_t port) const {
    const sockaddr_storage name = Name(address, port);
    return bind(fd, reinterpret_cast<const sockaddr*>(&name), Size());
  }
  int Connect(int fd, const char* address, std::uint16_t port) const {
    const sockaddr_storage name = Name(address, port);
    return connect(fd, reinterpret_cast<const sockaddr*>(&name), Size());
  }
  socklen_t Size() const { return v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }
  sockaddr_storage Name(const char* address, std::uint16_t port) const {
    sockaddr_storage name{};
    name.ss_family = v6() ? AF_INET6 : AF_INET;
    auto* in4 = reinterpret_cast<sockaddr_in*>(&name);
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&name);
    (v6() ? in6->sin6_port : in4->sin_port) = htons(port);
    inet_pton(name.ss_family, address,
              v6() ? static_cast<void*>(&in6->sin6_addr) : static_cast<void*>(&in4->sin_addr));
    return name;
  }
};
NATRIX_BOTH_FAMILIES(Port);

TEST_P(Port, PrivilegedPortsStayPrivileged) {
  for (int i = 0; i < 40; ++i) {
    PacketSpec spec = Udp(cast().pod, cast().web);
    spec.sport = static_cast<std::uint16_t>(100 + i);
    EXPECT_LT(Run(Hook::kOut, spec).sport(), 512);
    spec.sport = static_cast<std::uint16_t>(700 + i);
    const std::uint16_t middle = Run(Hook::kOut, spec).sport();
    EXPECT_GE(middle, 600);
    EXPECT_LT(middle, 1024);
  }
}

TEST_P(Port, RandomChoiceStaysOutOfTheNodesOwnRange) {
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 200; ++i) {
    PacketSpec spec = Udp(cast().pod, cast().web);
    spec.sport = static_cast<std::uint16_t>(20000 + i);
    const std::uint16_t port = Run(Hook::kOut, spec).sport();
    EXPECT_TRUE(port < 32768 || port > 60999) << port;
    EXPECT_GE(port, 1024);
    EXPECT_TRUE(seen.insert(port).second) << port << " was given away twice";
  }
  EXPECT_GT(*seen.rbegin() - *seen.begin(), 10000) << "not random";
}

TEST_P(Port, ReservedPortsAreNeverGiven) {
  LeaveOnly({1020});
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.sport = 900;
  int got = 0;
  for (int tries = 0; tries < 100; ++tries) {  // 48 draws of 424 each
    const Outcome out = Run(Hook::kOut, spec);
    if (out.dropped) {
      EXPECT_THAT(out, DroppedFor(NX_R_NO_PORT));
      continue;
    }
    EXPECT_EQ(out.sport(), 1020);
    ++got;
    break;
  }
  EXPECT_EQ(got, 1) << "the one free port was never found";
}

TEST_P(Port, ExhaustionDropsAndLeavesNothingBehind) {
  LeaveOnly({});
  EXPECT_THAT(Run(Hook::kOut, Udp(cast().pod, cast().web)), DroppedFor(NX_R_NO_PORT));
  EXPECT_EQ(CountEmbryos(), 0U);
}

TEST_P(Port, AListeningSocketKeepsItsPort) {
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  const UniqueFd tcp = Socket(SOCK_STREAM, 8080, nullptr, 0);
  const UniqueFd udp = Socket(SOCK_DGRAM, 8080, nullptr, 0);
  PacketSpec spec = Tcp(cast().pod, cast().web);
  spec.sport = 8080;
  EXPECT_NE(Run(Hook::kOut, spec).sport(), 8080);
  spec = Udp(cast().pod, cast().web);
  spec.sport = 8080;
  EXPECT_NE(Run(Hook::kOut, spec).sport(), 8080);
  spec.sport = 8081;
  EXPECT_EQ(Run(Hook::kOut, spec).sport(), 8081) << "a free port is kept";
}

TEST_P(Port, AConnectedSocketKeepsItsPortTowardsItsPeer) {
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  const InNetwork inside(ns());
  Ip(ns(), v6() ? "route add 2001:db8::/32 dev lo" : "route add 198.51.100.0/24 dev lo");
  const UniqueFd udp = Socket(SOCK_DGRAM, 5353, cast().web, 53);
  PacketSpec spec = Udp(cast().pod, cast().web);
  spec.sport = 5353;
  EXPECT_NE(Run(Hook::kOut, spec).sport(), 5353);
  spec.dst = cast().router;
  EXPECT_EQ(Run(Hook::kOut, spec).sport(), 5353) << "another peer does not meet that socket";
}

TEST_P(Port, KeepTakesAnotherWhenTwoPodsWantTheSame) {
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  for (const PacketSpec& first :
       {Tcp(cast().pod, cast().web), Udp(cast().pod, cast().web), Echo(cast().pod, cast().web)}) {
    PacketSpec second = first;
    second.src = cast().other_pod;
    const Outcome one = Run(Hook::kOut, first);
    const Outcome two = Run(Hook::kOut, second);
    EXPECT_EQ(one.sport(), first.sport);
    EXPECT_NE(two.sport(), first.sport);
    EXPECT_EQ(Run(Hook::kUplinkIn, Answer(one, first)).dst(), cast().pod);
    EXPECT_EQ(Run(Hook::kUplinkIn, Answer(two, second)).dst(), cast().other_pod);
  }
}

// A socket of the node that came after a pod's flow took its port.
TEST_P(Port, TheNodesOwnLaterFlowIsMovedAside) {
  config.masquerade.port_choice = NX_PORT_KEEP;
  Apply();
  const PacketSpec pods = Udp(cast().pod, cast().web);
  const Outcome taken = Run(Hook::kOut, pods);
  ASSERT_EQ(taken.sport(), pods.sport);
  PacketSpec own = pods;
  own.src = cast().node;
  const Outcome moved = Run(Hook::kOut, own);
  EXPECT_THAT(moved, PassedFor(NX_R_RENUMBERED));
  EXPECT_EQ(moved.src(), cast().node);
  EXPECT_NE(moved.sport(), own.sport);

  const Outcome to_pod = Run(Hook::kUplinkIn, Answer(taken, pods));
  EXPECT_EQ(to_pod.dst(), cast().pod);
  const Outcome to_node = Run(Hook::kUplinkIn, Answer(moved, own));
  EXPECT_EQ(to_node.dst(), cast().node);
  EXPECT_EQ(to_node.dport(), own.sport);
}

}  // namespace
}  // namespace natrix
