// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

#include "tests/bpf/services.h"

// Host ports of CNI's portmap and Docker, and what leaves their networks.
namespace natrix {
namespace {

using namespace support;

constexpr std::uint32_t kMark = 0x2000;
constexpr std::uint16_t kHostPort = 18080;

class HostPorts : public Services {
 protected:
  void SetUp() override {
    Services::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config.services.clear();
    config.host_ports = {{.container = "web",
                          .addresses = {{Ip(cast().pod), v6() ? 64 : 16}},
                          .mappings = {{{}, kHostPort, 8080}}}};
    Apply();
  }
  // With the uplink, which test runs happen on, as the bridge: pods come in by it, too.
  void MakeDocker(bool proxy) {
    config.host_ports.clear();
    model::DockerBridge bridge{
        .name = "eth0",
        .subnets = {{Ip(v6() ? "fd00:10:16::" : "10.16.0.0"), v6() ? 64 : 16}},
        .containers = {
            {.name = "web", .addresses = {Ip(cast().pod)}, .ports = {{{}, kHostPort, 8080}}}}};
    config.docker = {.userland_proxy = proxy, .bridges = {bridge}};
    Apply();
  }
  testing::AssertionResult GoesToTheContainer(const Outcome& out, std::uint32_t mark) {
    if (out.dropped || out.reason != NX_R_HOST_PORT || out.dst() != cast().pod ||
        out.dport() != 8080 || out.mark != mark)
      return testing::AssertionFailure() << testing::PrintToString(out);
    return testing::AssertionSuccess();
  }
};
NATRIX_BOTH_FAMILIES(HostPorts);

TEST_P(HostPorts, TheFirstPacketIsMarkedAndKeepsTheMark) {
  const Outcome routed = Call(cast().other_pod, cast().node, kHostPort);
  EXPECT_TRUE(GoesToTheContainer(routed, kMark));
  const Outcome sent = Run(Hook::kOut, routed.frame, routed.mark);
  EXPECT_EQ(sent.src(), cast().node);
  EXPECT_EQ(sent.sport(), 40000) << "MASQUERADE without --random-fully";
  EXPECT_EQ(sent.mark, kMark);
  EXPECT_EQ(sent.reason, NX_R_MASQ_HOST_PORT);
  EXPECT_EQ(Call(cast().other_pod, cast().node, kHostPort).mark, 0U) << "it has a flow";
}

TEST_P(HostPorts, AMarkOfAPodsOwnIsNotBelieved) {
  PacketSpec spec = Tcp(cast().other_pod, cast().web);
  EXPECT_EQ(Run(Hook::kPodIn, spec, kMark | 0x100).mark, 0x100U);
  config.host_ports.clear();
  Apply();
  spec.sport = 40001;
  EXPECT_EQ(Run(Hook::kPodIn, spec, kMark | 0x100).mark, kMark | 0x100) << "somebody else's bit";
}

// It is kube-proxy's there, which puts the datagram together first.
TEST_P(HostPorts, LeaveFragmentsToServicesAlone) {
  config.service_cidrs = {*model::Prefix::Parse(v6() ? "fd00:10:96::/112" : "10.96.0.0/12")};
  Apply();
  PacketSpec spec = Udp(cast().other_pod, cast().service);
  spec.payload = 3000;
  spec.fragment = 1400;
  const support::Bytes later =
      support::Build(spec, {"02:00:00:00:00:01", "02:00:00:00:00:02"}).at(1);
  EXPECT_FALSE(Run(Hook::kPodIn, later).dropped);
}

// CVE-2020-8558
TEST_P(HostPorts, NothingOnTheWireCallsAPortOfTheLoopbackDevice) {
  const model::Address loopback = Ip(v6() ? "::1" : "127.0.0.1");
  const nx_local local{.ifindex = 1};
  ASSERT_EQ(
      bpf_map_update_elem(bpf_map__fd(skel()->maps.nx_local), &loopback.bytes, &local, BPF_ANY), 0);
  const Outcome out = Call(cast().web, v6() ? "::1" : "127.0.0.1", kHostPort);
  EXPECT_FALSE(out.dropped);
  EXPECT_EQ(out.dport(), kHostPort);
}

TEST_P(HostPorts, SctpKeepsItsPortOrIsDropped) {
  config.host_ports[0].mappings = {{{}, kHostPort, 8080, NX_L4_SCTP}, {{}, 8081, 8081, NX_L4_SCTP}};
  Apply();
  PacketSpec spec = Tcp(cast().web, cast().node);
  spec.protocol = kSctp;
  spec.dport = kHostPort;
  EXPECT_THAT(Run(Hook::kUplinkIn, spec), DroppedFor(NX_R_SCTP_PORT));
  spec.dport = 8081;
  EXPECT_THAT(Run(Hook::kUplinkIn, spec), PassedFor(NX_R_HOST_PORT));
}

TEST_P(HostPorts, IpMasqLeavesMulticastAlone) {
  config.host_ports[0].ip_masq = true;
  Apply();
  EXPECT_THAT(Run(Hook::kOut, Udp(cast().pod, v6() ? "ff0e::1" : "224.0.1.1")),
              PassedFor(NX_R_KEEP));
  const Outcome out = Run(Hook::kOut, Udp(cast().pod, cast().web));
  EXPECT_EQ(out.reason, NX_R_MASQ_POD);
  EXPECT_EQ(out.src(), cast().node);
}

TEST_P(HostPorts, DockersProxyHasTheBridgesOwn) {
  MakeDocker(true);
  EXPECT_THAT(Call(cast().other_pod, cast().node, kHostPort), PassedFor(NX_R_LOCAL));
  MakeDocker(false);
  EXPECT_TRUE(GoesToTheContainer(Call(cast().other_pod, cast().node, kHostPort, 40001), 0));
}

TEST_P(HostPorts, WhatLeavesABridgesSubnetByAnotherDeviceIsMasqueraded) {
  MakeDocker(true);
  EXPECT_EQ(Run(Hook::kOut, Tcp(cast().other_pod, cast().web)).src(), cast().other_pod)
      << "by the bridge";
  config.docker.bridges[0].name = "br0";
  Apply();
  PacketSpec spec = Tcp(cast().other_pod, cast().web);
  spec.sport = 40001;
  const Outcome out = Run(Hook::kOut, spec, 0x1);
  EXPECT_EQ(out.reason, NX_R_MASQ_BRIDGE);
  EXPECT_EQ(out.src(), cast().node);
  EXPECT_EQ(out.sport(), 40001);
  EXPECT_EQ(out.mark, 0x1U);
}

TEST_P(HostPorts, DockerLeavesLinkLocalSourcesAlone) {
  if (!v6()) return;
  MakeDocker(false);
  EXPECT_THAT(Call("fe80::7", cast().node, kHostPort), PassedFor(NX_R_LOCAL));
}

TEST_P(HostPorts, OnlyWhatAContainerPublishesIsMasqueradedToItself) {
  MakeDocker(false);
  PacketSpec itself = Tcp(cast().pod, cast().pod);
  itself.dport = 8080;
  const Outcome out = Run(Hook::kOut, itself);
  EXPECT_EQ(out.reason, NX_R_MASQ_NO_PROXY);
  EXPECT_EQ(out.src(), cast().node);
  itself.dport = 8081;
  EXPECT_EQ(Run(Hook::kOut, itself).src(), cast().pod);
}

// raw PREROUTING, which no flow goes round.
TEST_P(HostPorts, WhatAnotherDeviceSendsToAGuardedContainerIsDropped) {
  MakeDocker(true);
  config.docker.direct_access = false;
  Apply();
  EXPECT_THAT(Run(Hook::kUplinkIn, Tcp(cast().web, cast().pod)), PassedFor(NX_R_NOT_OURS));
  const PacketSpec call = Tcp(cast().pod, cast().web);
  const Outcome sent = Run(Hook::kOut, call);
  EXPECT_THAT(sent, PassedFor(NX_R_KEEP));
  const PacketSpec answer = Answer(sent, call);
  EXPECT_THAT(Run(Hook::kUplinkIn, answer), PassedFor(NX_R_FLOW_KEPT));
  config.docker.bridges[0].name = "br0";  // what comes in is no longer by the bridge
  Apply();
  PacketSpec reset = answer;
  reset.tcp_flags = kRst;
  for (const PacketSpec& spec : {reset, Tcp(cast().web, cast().pod), Udp(cast().web, cast().pod),
                                 Echo(cast().web, cast().pod)})
    EXPECT_THAT(Run(Hook::kUplinkIn, spec), DroppedFor(NX_R_DIRECT_ACCESS));
  config.docker.direct_access = true;
  Apply();
  EXPECT_THAT(Run(Hook::kUplinkIn, answer), PassedFor(NX_R_FLOW_KEPT));
}

// filter FORWARD, as what came in by `ovn0`, by no device that natrix knows, and from the node.
TEST_P(HostPorts, DockersFilterIsAboutWhatIsForwardedIntoABridge) {
  host.devices.push_back(host.devices.front());
  host.devices.back().ifindex = 7;
  host.devices.back().name = "ovn0";
  MakeDocker(true);
  config.docker.bridges.push_back({.name = "ovn0", .subnets = {}, .containers = {}});
  config.docker.filter = model::DockerFilter::kIsolated;
  Apply();
  PacketSpec call = Tcp(cast().web, cast().pod);
  call.dport = 8080;
  ingress_ifindex = 7;
  EXPECT_THAT(Run(Hook::kOut, call), DroppedFor(NX_R_ISOLATED));
  config.docker.bridges.pop_back();
  Apply();
  EXPECT_FALSE(Run(Hook::kOut, call).dropped) << "from no bridge";

  config.docker.filter = model::DockerFilter::kClosed;
  Apply();
  PacketSpec other = call;
  other.dport = 8081;
  EXPECT_THAT(Run(Hook::kOut, other), DroppedFor(NX_R_UNPUBLISHED));
  other.src = cast().other_node;
  for (const std::uint32_t in : {8, 1, 0}) {
    ingress_ifindex = in;
    EXPECT_FALSE(Run(Hook::kOut, other).dropped);
  }
  ingress_ifindex = 7;
  call.src = cast().other_node;
  EXPECT_FALSE(Run(Hook::kOut, call).dropped) << "published";
  support::Bytes cut = support::Build(call, {"02:00:00:00:00:01", "02:00:00:00:00:02"}).at(0);
  cut[14 + (v6() ? 40 : 20) + 12] = 0xf0;  // a TCP header longer than its packet
  EXPECT_THAT(Run(Hook::kOut, cut), DroppedFor(NX_R_UNPUBLISHED));
}

}  // namespace
}  // namespace natrix
