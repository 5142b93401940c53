// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "userspace/compile/compile.h"

// Devices and the node's addresses: what comes of the host.
namespace natrix::compile {
namespace {

using model::Address;
using testing::ElementsAre;

Address Addr(const std::string& text) { return Address::Parse(text).value(); }

model::Host HostWithEth0(std::vector<model::DeviceAddress> addresses) {
  model::Host host;
  host.devices = {
      {1,
       "lo",
       {{Addr("127.0.0.1"), 8, false, false, true}, {Addr("::1"), 128, false, false, true}}},
      {2, "eth0", std::move(addresses)},
      {3, "ovn0", {}},
      {4, "docker0", {{Addr("172.17.0.1"), 16}}}};
  return host;
}

model::Config ConfigWithDevices() {
  model::Config config;
  config.node.uplinks = {"eth*"};
  config.node.pod_devices = {"ovn0"};
  return config;
}

TEST(CompileDevices, ManagedOnesAreListedWithTheirRole) {
  const Wanted wanted = Compile(ConfigWithDevices(), HostWithEth0({}));

  ASSERT_EQ(wanted.device.size(), 2u);
  EXPECT_EQ(wanted.device.at(2).role, NX_DEVICE_UPLINK);
  EXPECT_STREQ(wanted.device.at(2).name, "eth0");
  EXPECT_EQ(wanted.device.at(3).role, NX_DEVICE_POD);
}

TEST(CompileDevices, OnlyUsableAddressesMasquerade) {
  model::Host host = HostWithEth0({
      {Addr("172.18.0.3"), 16},
      {Addr("172.18.0.33"), 16, true, false, false},
      {Addr("172.19.0.3"), 24, false, true, false},
      {Addr("169.254.0.3"), 16, false, false, true},
      {Addr("172.20.0.3"), 24},
      {Addr("fe80::1"), 64},
      {Addr("febf::1"), 64},
      {Addr("fd00:172:18::3"), 64},
  });

  const nx_device device = Compile(ConfigWithDevices(), host).device.at(2);

  EXPECT_EQ(Address{device.addr4[0].addr}, Addr("172.18.0.3"));
  EXPECT_EQ(device.addr4[0].length, 96u + 16u);
  EXPECT_EQ(Address{device.addr4[1].addr}, Addr("172.20.0.3"));
  EXPECT_EQ(device.addr4[2].length, 0u);
  EXPECT_EQ(Address{device.addr6[0].addr}, Addr("fd00:172:18::3"));
  EXPECT_EQ(device.addr6[0].length, 64u);
  EXPECT_EQ(device.addr6[1].length, 0u);
}

TEST(CompileDevices, KeepsTheFirstAddressesInTheKernelsOrder) {
  std::vector<model::DeviceAddress> many;
  for (int i = 9; i > 0; --i) many.push_back({Addr("10.0." + std::to_string(i) + ".1"), 24});

  const nx_device device = Compile(ConfigWithDevices(), HostWithEth0(many)).device.at(2);

  EXPECT_EQ(Address{device.addr4[0].addr}, Addr("10.0.9.1"));
  EXPECT_EQ(Address{device.addr4[NX_DEVICE_ADDRS - 1].addr}, Addr("10.0.6.1"));
}

// inet_select_addr() and ipv6_dev_get_saddr() look at all devices then.
TEST(CompileDevices, WithoutAddressesOneBorrowsThoseOfOthers) {
  model::Host host = HostWithEth0({});
  host.devices[3].addresses.push_back({Addr("172.19.0.1"), 16});
  host.devices.push_back({9, "eth9", {{Addr("10.9.0.3"), 24}, {Addr("fd00:9::3"), 64}}});
  host.devices.push_back({10, "eth10", {{Addr("fd00:10::3"), 64}}});
  const auto usable = [](const auto& list) {
    std::vector<std::string> texts;
    for (const nx_device_addr& own : list)
      if (own.length) texts.push_back(Address{own.addr}.ToString());
    return texts;
  };

  const nx_device bare = Compile(ConfigWithDevices(), host).device.at(2);
  EXPECT_THAT(usable(bare.addr4), ElementsAre("172.17.0.1")) << "the first there is";
  EXPECT_THAT(usable(bare.addr6), ElementsAre("fd00:9::3", "fd00:10::3")) << "the nearest of all";

  host.devices[1].addresses = {{Addr("172.18.0.3"), 16}};
  const nx_device half = Compile(ConfigWithDevices(), host).device.at(2);
  EXPECT_THAT(usable(half.addr4), ElementsAre("172.18.0.3"));
  EXPECT_THAT(usable(half.addr6), ElementsAre("fd00:9::3", "fd00:10::3"));
}

TEST(CompileDevices, EveryAddressOfEveryDeviceIsLocal) {
  const Wanted wanted = Compile(ConfigWithDevices(), HostWithEth0({{Addr("172.18.0.3"), 16},
                                                                   {Addr("172.18.0.33"), 16, true},
                                                                   {Addr("fe80::1"), 64}}));

  const auto owner = [&](const char* text) { return wanted.local.at(Addr(text).bytes).ifindex; };
  EXPECT_EQ(wanted.local.size(), 6u);
  EXPECT_EQ(owner("127.0.0.1"), 1u);
  EXPECT_EQ(owner("::1"), 1u);
  EXPECT_EQ(owner("172.18.0.33"), 2u);
  EXPECT_EQ(owner("fe80::1"), 2u);
  EXPECT_EQ(owner("172.17.0.1"), 4u);
}

}  // namespace
}  // namespace natrix::compile
