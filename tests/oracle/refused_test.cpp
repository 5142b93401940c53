// SPDX-License-Identifier: Apache-2.0
//
// F2'': kube-proxy in IPVS mode has every ClusterIP on the node, so that a process that listens on
// all addresses would answer for a Service's other ports.  Kube-OVN's REJECT in INPUT and OUTPUT.
#include <sys/socket.h>

#include <cerrno>

#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/oracle_fixture.h"
#include "tests/support/checksum.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using netns::Point;
using support::kAck;
using support::kSyn;
using support::Layers;

constexpr std::uint16_t kServed = 80;
constexpr std::uint16_t kOther = 81;

class Refused : public Oracle {
 protected:
  // Both nodes have the Service's address, and processes that listen on all of theirs.
  Refused() {
    const Point any{family() == Family::kIpv4 ? "0.0.0.0" : "::", 0};
    for (Side* side : {&nodes_.left(), &nodes_.right()}) {
      const support::Namespace& node = side->scene.node();
      support::MakeBridge(node, "kube-ipvs0", "02:00:00:00:04:00");
      for (const Family each : {Family::kIpv4, Family::kIpv6})
        support::Ip(node, "addr add " + CastOf(each).service +
                              (each == Family::kIpv4 ? "/32 dev kube-ipvs0\n"
                                                     : "/128 dev kube-ipvs0 nodad\n"));
      for (const std::uint16_t port : {kServed, kOther}) {
        sockets_.push_back(netns::Listen(node, {any.address, port}));
        sockets_.push_back(netns::OpenUdp(node, {any.address, port}));
      }
    }
    model::Config config = nodes_.config();
    model::Ipvs& ipvs = config.ipvs.emplace();
    for (const Family each : {Family::kIpv4, Family::kIpv6})
      ipvs.cluster_ips.push_back(
          {model::Address::Parse(CastOf(each).service).value(), NX_L4_TCP, kServed});
    nodes_.Apply(config);
  }

  PacketSpec Call(const std::string& src, std::uint16_t port, std::uint8_t flags = kSyn) const {
    PacketSpec spec = Tcp(src, cast().service, flags);
    spec.dport = port;
    return spec;
  }

  // Each side tells `from` that the port is unreachable, about what it sent.  How much of it they
  // quote is their own affair: the kernel what it has, natrix a TCP header without options.
  testing::AssertionResult IsRejected(Place from, const PacketSpec& call) {
    exchange_.Send(from, call);
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      if (side->size() != 1 || side->front().place != from)
        return testing::AssertionFailure() << exchange_.transcript();
      const support::Bytes& frame = side->front().frame;
      const std::optional<Layers> error = support::Dissect(frame);
      const std::optional<Layers> quoted =
          error && error->inner ? support::Dissect(frame, *error->inner) : std::nullopt;
      const ErrorSpec unreachable = PortUnreachable(family());
      const bool right = quoted && error->src == call.dst && error->dst == call.src &&
                         frame[error->l4] == unreachable.type &&
                         frame[error->l4 + 1] == unreachable.code && quoted->src == call.src &&
                         quoted->dst == call.dst &&
                         support::Word(frame, quoted->dport_at.value()) == call.dport &&
                         !support::VerifyChecksums(frame).AnyBad();
      if (!right) return testing::AssertionFailure() << exchange_.transcript();
    }
    return testing::AssertionSuccess();
  }

  // Each side's own process takes the connection: a SYN-ACK with numbers of its own.
  testing::AssertionResult IsAnswered(Place from, const PacketSpec& call) {
    exchange_.Send(from, call);
    for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
      const std::optional<Layers> answer =
          side->size() == 1 ? support::Dissect(side->front().frame) : std::nullopt;
      if (!answer || answer->src != call.dst || answer->protocol != support::kTcp ||
          (side->front().frame[answer->l4 + 13] & 0x3f) != (kSyn | kAck))
        return testing::AssertionFailure() << exchange_.transcript();
    }
    return testing::AssertionSuccess();
  }

  // What connect(2) of a process of the node says: 0, or its errno.
  int Connect(Side& side, std::uint16_t port, std::uint32_t mark) const {
    const UniqueFd fd =
        netns::OpenTcp(side.scene.node(), {family() == Family::kIpv4 ? "0.0.0.0" : "::", 0});
    EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
    return netns::ConnectTcp(fd.get(), {cast().service, port}) ? 0 : errno;
  }

 private:
  std::vector<UniqueFd> sockets_;
};
ORACLE_FAMILIES(Refused);

TEST_P(Refused, F2_TcpToAPortThatNoServiceHasIsRejected) {
  EXPECT_TRUE(IsRejected(Place::kPod1, Call(cast().pod1, kOther)));
  EXPECT_TRUE(IsRejected(Place::kPod1, Call(cast().pod1, kOther))) << "sent again";
  EXPECT_TRUE(IsRejected(Place::kPod3, Call(cast().pod3, kOther, kAck))) << "in the middle";
  EXPECT_TRUE(IsRejected(Place::kOutside, Call(cast().client, kOther)));
  EXPECT_TRUE(IsAnswered(Place::kPod1, Call(cast().pod1, kServed)));
}

// #3843: with UDP refused, DNS did not work.
TEST_P(Refused, F2_UdpIsNot) {
  PacketSpec query = Udp(cast().pod1, cast().service);
  query.dport = kOther;
  exchange_.Send(Place::kPod1, query);
  EXPECT_TRUE(Vanishes(exchange_)) << "the node's socket has it";
}

TEST_P(Refused, F2_TheNodesOwnProcessesAre) {
  for (Side* side : {&nodes_.left(), &nodes_.right()}) {
    EXPECT_EQ(Connect(*side, kOther, 0), ECONNREFUSED) << side->engine->name();
    EXPECT_EQ(Connect(*side, kOther, 0x4000), 0) << side->engine->name();
  }
  // kube-proxy marks what it serves; natrix asks its set for that, since the mark comes too late.
  EXPECT_EQ(Connect(nodes_.right(), kServed, 0), 0);
}

}  // namespace
}  // namespace natrix::oracle
