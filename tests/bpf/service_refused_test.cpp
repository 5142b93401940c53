// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/services.h"

// What a Service does not serve: whom it tells, and what cannot be told to be its own.
namespace natrix {
namespace {

using namespace support;

class ServiceRefused : public Services {
 protected:
  void SetUp() override {
    Services::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.service_cidrs = {*model::Prefix::Parse(v6() ? "fd00:10:96::/112" : "10.96.0.0/12")};
    web().ports.push_back({.name = "idle", .protocol = NX_L4_TCP, .port = 81});
    web().ports.push_back({.name = "dns", .protocol = NX_L4_UDP, .port = 53});
    web().endpoints.push_back({});
    web().endpoints.push_back({Endpoint(cast().pod)});
    Apply();
    complete_checksums = false;
  }
  Bytes FrameTo(const char* mac, PacketSpec spec) const {
    return Build(spec, {"02:00:00:00:00:01", mac})[0];
  }
  std::vector<Bytes> Fragments(PacketSpec spec, std::size_t size = 1200) const {
    spec.payload = 3000;
    spec.fragment = size;
    spec.id = 77;
    return Build(spec, {"02:00:00:00:00:01", "00:00:00:00:00:00"});
  }
};
NATRIX_BOTH_FAMILIES(ServiceRefused);

// RFC 1122 section 3.2.2, RFC 4443 section 2.4(e).
TEST_P(ServiceRefused, OnlyASingleNodeIsTold) {
  EXPECT_TRUE(Call(cast().web, cast().service, 81).reflected);
  for (const char* from : v6() ? std::vector{"ff02::5", "::", "::1", "::ffff:172.18.0.9"}
                               : std::vector{"224.0.0.5", "239.255.0.1", "255.255.255.255",
                                             "0.0.0.0", "0.1.2.3", "127.0.0.1"})
    EXPECT_THAT(Call(from, cast().service, 81), DroppedFor(NX_R_NO_ENDPOINT)) << from;
}

TEST_P(ServiceRefused, AFrameToManyIsNotAnswered) {
  PacketSpec syn = Tcp(cast().web, cast().service);
  syn.dport = 81;
  for (const char* mac : {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05", "33:33:00:00:00:05"})
    for (const Hook hook : {Hook::kUplinkIn, Hook::kPodIn})
      EXPECT_THAT(Run(hook, FrameTo(mac, syn)), DroppedFor(NX_R_NO_ENDPOINT)) << mac;
}

// An uplink that is promiscuous has frames of others, which the kernel drops.
TEST_P(ServiceRefused, AFrameToAnotherHostIsNotAnswered) {
  PacketSpec syn = Tcp(cast().web, cast().service);
  syn.dport = 81;
  const Outcome out = Run(Hook::kUplinkIn, FrameTo("02:00:00:00:00:02", syn));
  EXPECT_FALSE(out.reflected);
  EXPECT_THAT(out, PassedFor(NX_R_NOT_OURS));
  EXPECT_TRUE(Run(Hook::kPodIn, FrameTo("02:00:00:00:00:02", syn)).reflected)
      << "a pod's device may be a bridge's port";
}

// nf_defrag would have waited, and no rule lets a ClusterIP out of the node.
TEST_P(ServiceRefused, AFragmentThatOvertakesTheFirstOneStaysHere) {
  PacketSpec udp = Udp(cast().other_pod, cast().service);
  const std::vector<Bytes> fragments = Fragments(udp);
  ASSERT_EQ(fragments.size(), 3U);
  EXPECT_THAT(Run(Hook::kPodIn, fragments[1]), DroppedFor(NX_R_HEADLESS));
  EXPECT_EQ(Run(Hook::kPodIn, fragments[0]).dst(), cast().pod);
  EXPECT_EQ(Run(Hook::kPodIn, fragments[1]).dst(), cast().pod);

  udp.dst = cast().web;
  EXPECT_THAT(Run(Hook::kPodIn, Fragments(udp)[1]), PassedFor(NX_R_NOT_OURS));
  PacketSpec echo = Echo(cast().other_pod, cast().service);
  EXPECT_THAT(Run(Hook::kPodIn, Fragments(echo)[1]), PassedFor(NX_R_NOT_OURS))
      << "no Service is called with it";
  config.services.clear();
  Apply();
  udp.dst = cast().service;
  udp.src = cast().kept_pod;
  EXPECT_THAT(Run(Hook::kPodIn, Fragments(udp)[1]), PassedFor(NX_R_NOT_OURS));
}

TEST_P(ServiceRefused, AFirstFragmentWithoutAWholeHeaderStaysHere) {
  PacketSpec tcp = Tcp(cast().other_pod, cast().service);
  EXPECT_THAT(Run(Hook::kPodIn, Fragments(tcp, 16)[0]), DroppedFor(NX_R_HEADLESS));
  tcp.dst = cast().web;
  EXPECT_THAT(Run(Hook::kPodIn, Fragments(tcp, 16)[0]), PassedFor(NX_R_MALFORMED));
}

TEST_P(ServiceRefused, WhatHidesItsPortsBehindTooManyHeadersStaysHere) {
  if (!v6()) return;  // has no such headers
  const auto hidden = [&](const char* to) {
    constexpr std::size_t kHeaders = 9;
    Bytes frame = Build(Udp(cast().other_pod, to), {"02:00:00:00:00:01", "00:00:00:00:00:00"})[0];
    for (std::size_t i = 0; i < kHeaders; ++i) {
      const Bytes header{
          static_cast<std::uint8_t>(i == 0 ? kUdp : kDestinationOptions), 0, 1, 4, 0, 0, 0, 0};
      frame.insert(frame.begin() + 54, header.begin(), header.end());
    }
    frame[20] = kDestinationOptions;
    PutWord(frame, 18, static_cast<std::uint16_t>(frame.size() - 54));
    return frame;
  };
  EXPECT_THAT(Run(Hook::kPodIn, hidden(cast().service)), DroppedFor(NX_R_EXT_CHAIN));
  EXPECT_FALSE(Run(Hook::kPodIn, hidden(cast().web)).dropped);
}

}  // namespace
}  // namespace natrix
