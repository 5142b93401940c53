// SPDX-License-Identifier: Apache-2.0
//
// KUBE-FORWARD: what nf_conntrack calls INVALID is not forwarded.
#include "tests/oracle/services_fixture.h"
#include "tests/support/checksum.h"

namespace natrix::oracle {
namespace {

using support::kAck;
using support::kFin;
using support::kPsh;
using support::kRst;
using support::kSyn;

class ServiceInvalid : public ServiceOracle {
 protected:
  ServiceInvalid() {
    config_.kube_proxy.invalid = model::Invalid::kDrop;
    Serve(Everywhere({EndpointIn(Place::kPod1)}));
  }

  // Of TCP: what begins no connection.
  static std::vector<std::uint8_t> Orphans() {
    return {kRst, kRst | kAck, kFin | kAck, kSyn | kAck, kFin, kSyn | kFin, kSyn | kRst, 0, 0x3f};
  }
  PacketSpec Orphan(const std::string& src, const std::string& dst, std::uint8_t flags) {
    PacketSpec spec = Tcp(src, dst, flags);
    spec.sport = ++port_;
    return spec;
  }
  PacketSpec EchoReply(const std::string& src, const std::string& dst) {
    PacketSpec spec = Echo(src, dst);
    spec.echo_reply = true;
    spec.sport = ++port_;
    return spec;
  }
  void Forget() {
    for (Side* side : {&nodes_.left(), &nodes_.right()}) side->engine->Forget();
  }
  // What is in `spec`'s only frame, changed.
  void SendChanged(Place from, const PacketSpec& spec, const std::function<void(Bytes&)>& change) {
    Aliases aliases;
    outcome_ = nodes_.Happen(
        [&](Side& side) -> std::vector<Bytes> {
          Bytes frame = support::Build(spec, {MacOf(from), GatewayMacOf(from)}).front();
          change(frame);
          side.scene.tap(from).Send(frame);
          return {frame};
        },
        aliases);
  }
  // Whether both nodes forwarded it, or neither.
  testing::AssertionResult Is(bool forwarded) const {
    if (outcome_.left.empty() != forwarded && outcome_.right.empty() != forwarded)
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << Describe(outcome_.left) << "\n"
                                       << Describe(outcome_.right);
  }
  // Each with another header that cannot be.
  void SendImpossible(bool forwarded) {
    const auto at = [](const Bytes& frame, std::size_t byte) {
      return support::Dissect(frame)->l4 + byte;
    };
    // A data offset that leaves no room for the header, and one beyond the end.
    for (const std::uint8_t offset : {std::uint8_t{0x40}, std::uint8_t{0xf0}}) {
      SendChanged(Place::kPod1, Orphan(cast().pod1, cast().web, kSyn),
                  [&](Bytes& frame) { frame[at(frame, 12)] = offset; });
      EXPECT_TRUE(Is(forwarded));
    }
    for (const std::uint16_t length : {std::uint16_t{7}, std::uint16_t{2000}}) {
      SendChanged(Place::kPod1, Udp(cast().pod1, cast().web),
                  [&](Bytes& frame) { support::PutWord(frame, at(frame, 4), length); });
      EXPECT_TRUE(Is(forwarded));
    }
    // Neither a question nor an answer nor an error.
    SendChanged(Place::kPod1, Echo(cast().pod1, cast().web), [&](Bytes& frame) {
      frame[at(frame, 0)] = 200;
      support::Seal(frame);
    });
    EXPECT_TRUE(Is(forwarded));
  }
  // A connection of a pod's to the outside is there, and over.
  void Connect(const PacketSpec& syn) {
    exchange_.Send(Place::kPod3, syn);
    ASSERT_TRUE(Agree(exchange_));
    exchange_.Reply(Place::kPod1, {.tcp_flags = kSyn | kAck, .ack = 1001});
    ASSERT_TRUE(Agree(exchange_));
    PacketSpec ack = syn;
    ack.tcp_flags = kAck;
    ack.seq = 1001;
    ack.ack = 1001;
    exchange_.Send(Place::kPod3, ack);
    ASSERT_TRUE(Agree(exchange_));
  }

  std::uint16_t port_ = 42000;
  TwoNodes::Outcome outcome_;
};
ORACLE_FAMILIES(ServiceInvalid);

TEST_P(ServiceInvalid, SegmentsThatBelongToNothingAreNotForwarded) {
  for (const std::uint8_t flags : Orphans()) {
    SCOPED_TRACE(static_cast<int>(flags));
    exchange_.Send(Place::kPod1, Orphan(cast().pod1, cast().web, flags));
    EXPECT_TRUE(Vanishes(exchange_));
    exchange_.Send(Place::kPod1, Orphan(cast().pod1, cast().pod3, flags));
    EXPECT_TRUE(Vanishes(exchange_));
    exchange_.Send(Place::kOutside, Orphan(cast().client, cast().pod1, flags));
    EXPECT_TRUE(Vanishes(exchange_));
    exchange_.Send(Place::kOutside, Orphan(cast().client, names().remote_pod, flags));
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

TEST_P(ServiceInvalid, NorAreTheyToAServicesAddress) {
  for (const std::uint8_t flags : Orphans()) {
    SCOPED_TRACE(static_cast<int>(flags));
    for (const std::string& called : {cast().service, names().external, names().load_balancer}) {
      PacketSpec orphan = Orphan(cast().client, called, flags);
      orphan.dport = kServicePort;
      exchange_.Send(Place::kOutside, orphan);
      EXPECT_TRUE(Vanishes(exchange_));
    }
  }
}

TEST_P(ServiceInvalid, AnEchoReplyThatNobodyAskedForIsNot) {
  exchange_.Send(Place::kPod1, EchoReply(cast().pod1, cast().web));
  EXPECT_TRUE(Vanishes(exchange_));
  exchange_.Send(Place::kOutside, EchoReply(cast().web, cast().pod1));
  EXPECT_TRUE(Vanishes(exchange_));
  PacketSpec large = EchoReply(cast().pod1, cast().web);
  large.payload = 3000;
  large.fragment = 1200;
  large.id = 91;
  exchange_.Send(Place::kPod1, large);
  EXPECT_TRUE(Vanishes(exchange_));
  // What was asked for comes.
  exchange_.Send(Place::kPod1, Echo(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web}));
  exchange_.Reply(Place::kOutside, {});
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
}

TEST_P(ServiceInvalid, AnErrorAboutNothingIsNot) {
  for (const ErrorSpec& kind : {PortUnreachable(family()), HostUnreachable(family()),
                                TooBig(family(), 1400), TimeExceeded(family())}) {
    exchange_.Send(Place::kPod1, Udp(cast().pod1, cast().web));
    ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web}));
    exchange_.Report(Place::kOutside, kind);
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
    Forget();
    exchange_.Report(Place::kOutside, kind);
    EXPECT_TRUE(Vanishes(exchange_));
    ErrorSpec of_a_router = kind;
    of_a_router.from = cast().router;
    exchange_.Report(Place::kOutside, of_a_router);
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

TEST_P(ServiceInvalid, ImpossibleHeadersAreNotUnlessTheyAreToPass) {
  SendImpossible(false);
  config_.kube_proxy.invalid = model::Invalid::kPass;
  nodes_.Apply(config_);
  SendImpossible(true);
}

// INPUT has no such rule: the node's own stack answers what has no socket.
TEST_P(ServiceInvalid, WhatGoesToTheNodeItselfIsDelivered) {
  for (const int flags : {kSyn | kAck, kFin | kAck}) {
    const auto orphan = static_cast<std::uint8_t>(flags);
    exchange_.Send(Place::kOutside, Orphan(cast().client, cast().node, orphan));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().client, true}));
    exchange_.Send(Place::kPod1, Orphan(cast().pod1, cast().join, orphan));
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().join, cast().pod1, true}));
  }
}

// And OUTPUT has none.
TEST_P(ServiceInvalid, WhatTheNodeItselfSendsLeaves) {
  exchange_.SendFromNode(Orphan(cast().node, cast().web, kRst));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
  exchange_.SendFromNode(EchoReply(cast().node, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().node, cast().web}));
}

// tcp_loose: a segment in the middle is taken for a new connection's.
TEST_P(ServiceInvalid, AConnectionFromBeforeGoesOnToItsEnd) {
  const std::uint16_t port = ++port_;
  const auto pod = [&](std::uint8_t flags) {
    PacketSpec spec = Tcp(cast().pod1, cast().web, flags);
    spec.sport = port;
    exchange_.Send(Place::kPod1, spec);
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web}));
  };
  const auto web = [&](std::uint8_t flags) {
    exchange_.Reply(Place::kOutside, {.tcp_flags = flags});
    EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().web, cast().pod1}));
  };
  pod(kPsh | kAck);
  web(kAck);
  web(kPsh | kAck);
  pod(kAck);
  Forget();
  web(kPsh | kAck);
  pod(kAck);
  pod(kFin | kAck);
  web(kFin | kAck);
  pod(kAck);
}

// kubernetes/kubernetes#74839: the endpoint would take its client's RST for the connection's.
TEST_P(ServiceInvalid, AnRstPastTheServiceDoesNotReachTheEndpoint) {
  PacketSpec call = Call(cast().pod3, cast().service);
  call.sport = ++port_;
  Connect(call);
  PacketSpec rst = call;
  rst.dst = cast().pod1;
  rst.dport = kEndpointPort;
  rst.tcp_flags = kRst;
  exchange_.Send(Place::kPod3, rst);
  EXPECT_TRUE(Vanishes(exchange_));
  // The connection's own goes where it goes.
  rst.dst = call.dst;
  rst.dport = call.dport;
  rst.seq = 1001;
  exchange_.Send(Place::kPod3, rst);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
}

TEST_P(ServiceInvalid, AnEndpointsLateSegmentsDoNotLeaveWithItsOwnAddress) {
  PacketSpec call = Call(cast().pod3, cast().service);
  call.sport = ++port_;
  exchange_.Send(Place::kPod3, call);
  ASSERT_TRUE(Arrives(exchange_, {Place::kPod1, cast().pod3, cast().pod1}));
  Forget();
  for (const std::uint8_t flags : Orphans()) {
    exchange_.Reply(Place::kPod1, {.tcp_flags = flags});
    EXPECT_TRUE(Vanishes(exchange_));
  }
}

// One batch: the second fragment comes before the first one has left and made its flow.
TEST_P(ServiceInvalid, FragmentsOfAFirstDatagramAreForwarded) {
  PacketSpec large = Udp(cast().pod1, cast().web);
  large.payload = 6000;
  large.fragment = 1200;
  for (std::uint16_t i = 0; i < 20; ++i) {
    large.sport = ++port_;
    large.id = static_cast<std::uint16_t>(100 + i);
    large.frag_id = 100U + i;
    exchange_.Send(Place::kPod1, large);
    EXPECT_TRUE(Agree(exchange_));
    EXPECT_GT(exchange_.last().right.size(), 4U) << exchange_.transcript();
  }
}

TEST_P(ServiceInvalid, AreForwardedWhereTheyAreToPass) {
  config_.kube_proxy.invalid = model::Invalid::kPass;
  nodes_.Apply(config_);
  for (const std::uint8_t flags : Orphans()) {
    SCOPED_TRACE(static_cast<int>(flags));
    exchange_.Send(Place::kPod1, Orphan(cast().pod1, cast().web, flags));
    EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web}));
  }
  exchange_.Send(Place::kPod1, EchoReply(cast().pod1, cast().web));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod1, cast().web}));
}

// kube-proxy has the rule whether or not there are Services; natrix then forgets most flows.
TEST_P(ServiceInvalid, AreForwardedWithoutAnyService) {
  Serve(std::vector<model::Service>());
  exchange_.Send(Place::kPod1, Orphan(cast().pod1, cast().web, kRst));
  EXPECT_TRUE(RightShows(exchange_, Arrival{Place::kOutside, cast().pod1, cast().web}));
}

// FORWARD's first rules accept what has an end in Kube-OVN's sets.
TEST_P(ServiceInvalid, KubeOvnAcceptsThemFromAndToItsSets) {
  model::Config config = LoadConfig(ExamplePath());
  config.kube_proxy = config_.kube_proxy;
  config.services = config_.services;
  nodes_.Apply(config);
  exchange_.Send(Place::kPod3, Orphan(cast().pod3, cast().web, kSyn | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().web}));
  exchange_.Send(Place::kOutside, Orphan(cast().client, cast().pod3, kFin | kAck));
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().client, cast().pod3}));
  exchange_.Send(Place::kOutside, Orphan(cast().client, names().remote_pod, kFin | kAck));
  EXPECT_TRUE(Vanishes(exchange_));
  // An error's own addresses count, not those of what it is about.
  exchange_.Send(Place::kPod3, Udp(cast().pod3, cast().web));
  ASSERT_TRUE(Arrives(exchange_, {Place::kOutside, cast().pod3, cast().web}));
  Forget();
  ErrorSpec error = HostUnreachable(family());
  error.from = cast().router;
  exchange_.Report(Place::kOutside, error);
  EXPECT_TRUE(Arrives(exchange_, {Place::kPod3, cast().router, cast().pod3}));
}

}  // namespace
}  // namespace natrix::oracle
