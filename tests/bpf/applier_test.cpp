// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>

#include "maps/config_maps.h"
#include "tests/bpf/datapath.h"
#include "userspace/compile/compile.h"
#include "userspace/daemon/applier.h"

// What natrixd writes, where the order of it matters.
namespace natrix {
namespace {

using namespace support;

class Applying : public Datapath {
 protected:
  void SetUp() override {
    Datapath::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto maps = maps::ConfigMaps::Open([&](const char* map) -> Result<int> {
      return bpf_object__find_map_fd_by_name(skel()->obj, map);
    });
    ASSERT_TRUE(maps) << maps.error().ToString();
    maps_.emplace(*std::move(maps));
    applier_.emplace(*maps_);
    host_.devices = {{1, "eth0", {}}, {2, "ovn0", {}}};
    config = {};
    config.node.uplinks = {"eth0"};
    config.node.pod_devices = {"ovn0"};
    config.kube_proxy.detect = model::DetectLocal::kBridgeInterface;
  }

  daemon::ApplyReport Detect(const char* device) {
    config.kube_proxy.device = device;
    const auto report = applier_->Apply(compile::Compile(config, host_));
    EXPECT_TRUE(report) << report.error().ToString();
    return report.value_or(daemon::ApplyReport{});
  }
  int ClusterBitsOf(std::uint32_t ifindex) const {
    const auto device = maps_->device.Find(ifindex);
    return device && *device ? (*device)->cluster : -1;
  }

  std::optional<maps::ConfigMaps> maps_;
  std::optional<daemon::Applier> applier_;
  model::Host host_;
};
NATRIX_BOTH_FAMILIES(Applying);

TEST_P(Applying, AnotherDeviceOfTheClusterComesInForceWithTheRest) {
  Detect("eth0");
  EXPECT_EQ(ClusterBitsOf(1), 3);
  EXPECT_EQ(ClusterBitsOf(2), 0);

  EXPECT_TRUE(Detect("ovn0").flipped) << "a packet must not see the one gone and the other not yet";
  EXPECT_EQ(ClusterBitsOf(1), 0);
  EXPECT_EQ(ClusterBitsOf(2), 3);
  EXPECT_FALSE(Detect("ovn0").changed());
}

TEST_P(Applying, AnotherDeviceOfCalicosComesInForceWithTheRest) {
  const auto apply = [&](const char* filter) {
    config.calico.emplace().interface_filter = filter;
    return Detect("eth0").flipped;
  };
  const auto bits = [&](std::uint32_t ifindex) {
    return (*maps_->device.Find(ifindex))->nat_outgoing;
  };
  apply("eth0");
  EXPECT_EQ(bits(1), 3);
  EXPECT_EQ(bits(2), 0);

  EXPECT_TRUE(apply("ovn0"));
  EXPECT_EQ(bits(1), 0);
  EXPECT_EQ(bits(2), 3);
  EXPECT_FALSE(apply("ovn0"));
}

TEST_P(Applying, AnotherBridgeOfDockersComesInForceWithTheRest) {
  const auto publish = [&](const char* device, bool proxy) {
    config.docker = {.userland_proxy = proxy,
                     .bridges = {{.name = device,
                                  .subnets = {*model::Prefix::Parse("172.17.0.0/16")},
                                  .containers = {}}}};
    const auto report = applier_->Apply(compile::Compile(config, host_));
    EXPECT_TRUE(report) << report.error().ToString();
    return report.value_or(daemon::ApplyReport{});
  };
  const auto bridge = [&](std::uint32_t ifindex) {
    const auto device = maps_->device.Find(ifindex);
    return device && *device ? (*device)->bridge[0] * 0x100 + (*device)->bridge[1] : -1;
  };
  publish("ovn0", true);
  EXPECT_EQ(bridge(2), 0x101);
  EXPECT_TRUE(publish("ovn0", false).flipped) << "no other map says that there is no proxy";
  EXPECT_EQ(bridge(2), 0x8181);
  EXPECT_FALSE(publish("ovn0", false).changed());
}

// As it is between the first copy and the flip.
TEST_P(Applying, TheSideInForceDecidesWhichDevicesAreTheClusters) {
  config.kube_proxy.detect = model::DetectLocal::kBridgeInterface;
  model::Service& web = config.services.emplace_back().Edit();
  web.name = "web";
  web.cluster_ips = {*model::Address::Parse(cast().service)};
  web.ports = {{.name = "", .protocol = NX_L4_TCP, .port = 80, .node_port = 0}};
  model::ServiceEndpoint endpoint;
  endpoint.addresses = {*model::Address::Parse(cast().pod)};
  endpoint.port = 8080;
  web.endpoints = {{endpoint}};
  Detect("eth0");  // ifindex 1 is what packets come in by
  auto device = maps_->device.Find(1);
  ASSERT_TRUE(device && *device);
  const auto generation = maps_->generation.At(0);
  ASSERT_TRUE(generation);
  std::uint16_t port = 40000;
  const auto mark = [&] {
    PacketSpec call = Tcp(cast().other_pod, cast().service);
    call.sport = ++port;
    call.dport = 80;
    return Run(Hook::kUplinkIn, call).mark;
  };
  EXPECT_EQ(mark(), 0U);

  (*device)->cluster = static_cast<__u8>(NX_DEVICE_SIDE(generation->number + 1));
  ASSERT_TRUE(maps_->device.Upsert(1, **device));
  EXPECT_EQ(mark(), config.marks.masquerade);

  (*device)->cluster = static_cast<__u8>(NX_DEVICE_SIDE(generation->number));
  ASSERT_TRUE(maps_->device.Upsert(1, **device));
  EXPECT_EQ(mark(), 0U);
}

}  // namespace
}  // namespace natrix
