// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "userspace/compile/compile.h"

// Calico's pools, port ranges and tunnels as the maps hold them.
namespace natrix::compile {
namespace {

using model::Address;
using model::Prefix;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

Address Addr(const std::string& text) { return Address::Parse(text).value(); }

model::IpPool Pool(const std::string& cidr, bool nat, bool load_balancer_only = false) {
  return {.name = cidr,
          .cidr = Prefix::Parse(cidr).value(),
          .nat_outgoing = nat,
          .load_balancer_only = load_balancer_only};
}

model::Config Config() {
  model::Config config;
  config.node.uplinks = {"eth*"};
  config.node.pod_devices = {"ovn0", "vxlan.calico"};
  config.calico.emplace();
  return config;
}

model::Host Host() {
  model::Host host;
  host.devices = {{.ifindex = 2, .name = "eth0", .addresses = {{Addr("172.18.0.3"), 24}}},
                  {.ifindex = 3, .name = "ovn0", .addresses = {}},
                  {.ifindex = 4,
                   .name = "vxlan.calico",
                   .addresses = {{Addr("192.168.7.0"), 32}, {Addr("fe80::7"), 64}}}};
  return host;
}

std::vector<std::string> NetsOf(const model::Config& config) {
  std::vector<std::string> list;
  for (const auto& [prefix, net] : Compile(config, {}).net) {
    std::string text = Prefix::FromAbi(prefix).ToString();
    if (net.masq_ipam_pools) text += " masq";
    if (net.network_ip_pools) text += " network";
    if (net.all_hosts_net) text += " hosts";
    list.push_back(std::move(text));
  }
  return list;
}

std::vector<std::string> SetsOf(const model::Config& config) {
  std::vector<std::string> list;
  for (const auto& [key, member] : Compile(config, {}).set.All()) {
    const Prefix prefix{Address{key.addr}, static_cast<int>(member.length)};
    switch (key.set) {
#define X(name, value, ipset)                                     \
  case name:                                                      \
    list.push_back(std::string(ipset) + " " + prefix.ToString()); \
    break;
      NX_CALI_SETS(X)
#undef X
      default:
        ADD_FAILURE() << "no set of Calico's: " << key.set;
    }
  }
  return list;
}

TEST(CompileCalico, PoolsAreInTheSetsThatTheirFieldsSay) {
  model::Config config = Config();
  config.calico->pools = {Pool("10.0.0.0/16", true), Pool("10.1.0.0/16", false),
                          Pool("10.2.0.0/16", true, true), Pool("fd00::/64", true)};
  config.calico->pools[1].disabled = true;
  config.calico->hosts = {Addr("172.18.0.4")};

  EXPECT_THAT(SetsOf(config),
              UnorderedElementsAre("all-ipam-pools 10.0.0.0/16", "all-ipam-pools 10.1.0.0/16",
                                   "all-ipam-pools 10.2.0.0/16", "all-ipam-pools fd00::/64",
                                   "network-ip-pools 10.0.0.0/16", "network-ip-pools 10.1.0.0/16",
                                   "network-ip-pools fd00::/64", "masq-ipam-pools 10.0.0.0/16",
                                   "masq-ipam-pools 10.2.0.0/16", "masq-ipam-pools fd00::/64"));
  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre("10.0.0.0/16 masq network", "10.1.0.0/16 network",
                                   "10.2.0.0/16 masq", "fd00::/64 masq network"));
}

TEST(CompileCalico, HostsAreThereWhenTheyAreAskedFor) {
  model::Config config = Config();
  config.calico->pools = {Pool("10.0.0.0/8", true), Pool("10.1.0.0/16", false, true)};
  config.calico->hosts = {Addr("10.1.0.4")};
  config.calico->exclude_hosts = true;

  EXPECT_THAT(NetsOf(config),
              UnorderedElementsAre("10.0.0.0/8 masq network", "10.1.0.0/16 masq network",
                                   "10.1.0.4/32 masq network hosts"));
  EXPECT_THAT(SetsOf(config), testing::Contains("all-hosts-net 10.1.0.4/32"));
}

TEST(CompileCalico, ScalarsAreThoseOfFelix) {
  model::Config config = Config();
  config.calico->port_range = model::PortRange{20000, 20099};
  config.calico->nat_address = {Addr("fd00::70"), Addr("172.18.0.70")};
  const nx_calico calico = Compile(config, Host()).config.calico;

  EXPECT_EQ(Address{calico.nat4}, Addr("172.18.0.70"));
  EXPECT_EQ(Address{calico.nat6}, Addr("fd00::70"));
  EXPECT_EQ(calico.ports.first, 20000);
  EXPECT_EQ(calico.ports.last, 20099);
  EXPECT_EQ(calico.tunnel_ports.first, 0);
  EXPECT_EQ(calico.present, 1);
  EXPECT_EQ(calico.tunnels, 0);
  EXPECT_EQ(Compile(model::Config(), Host()).config.calico.present, 0);
}

TEST(CompileCalico, MetadataIsAnEntryOfTheFloatingIps) {
  model::Config config = Config();
  config.calico->metadata = model::Endpoint{Addr("127.0.0.1"), 8775};
  const Wanted wanted = Compile(config, Host());
  ASSERT_EQ(wanted.fip.size(), 1U);
  const auto& [key, value] = *wanted.fip.begin();
  EXPECT_EQ(Address{key.addr}, Addr("169.254.169.254"));
  EXPECT_EQ(key.side, NX_FIP_METADATA);
  EXPECT_EQ(Address{value.addr}, Addr("127.0.0.1"));
  EXPECT_EQ(value.port, htons(8775));
  ASSERT_EQ(wanted.net.size(), 1U);
  EXPECT_EQ(wanted.net.begin()->second.metadata, 1U);
  EXPECT_EQ(wanted.net.begin()->second.floating_ip, 0U);
  EXPECT_EQ(wanted.config.calico.floating_ips, 0);
  EXPECT_EQ(wanted.config.sockets, NX_SOCKETS_NONE) << "cali-OUTPUT has no such rule";
}

TEST(CompileCalico, FloatingIpsAreForProcessesToo) {
  model::Config config;
  config.floating_ips = {{Addr("172.18.0.50"), Addr("10.16.0.10")}};
  const Wanted wanted = Compile(config, Host());
  EXPECT_EQ(wanted.config.calico.floating_ips, 1);
  EXPECT_EQ(wanted.config.calico.present, 0);
  EXPECT_EQ(wanted.config.sockets, NX_SOCKETS_NODE);
  for (const auto& [key, value] : wanted.fip) EXPECT_EQ(value.port, 0) << "whichever was called";
  config.kube_proxy.socket_lb = model::SocketLb::kOff;
  EXPECT_EQ(Compile(config, Host()).config.sockets, NX_SOCKETS_NONE);
}

TEST(CompileCalico, UdpIntoATunnelHasTheWiderSideOfTheVxlanPort) {
  const auto ports = [](std::uint16_t vxlan) {
    model::Config config = Config();
    config.calico->vxlan_port = vxlan;
    const nx_port_span span = Compile(config, Host()).config.calico.tunnel_ports;
    return std::pair<int, int>(span.first, span.last);
  };
  EXPECT_EQ(ports(4789), std::pair(4790, 65535));
  EXPECT_EQ(ports(1), std::pair(2, 65535));
  EXPECT_EQ(ports(65000), std::pair(1, 64999));
  EXPECT_EQ(ports(65535), std::pair(1, 65534));
  EXPECT_EQ(ports(32768), std::pair(32769, 65535)) << "both sides are equally wide";
  EXPECT_EQ(ports(32767), std::pair(32768, 65535));
}

TEST(CompileCalico, DevicesKnowWhatIsAskedOfThem) {
  model::Config config = Config();
  config.calico->tunnels = {"vxlan.calico"};
  config.calico->interface_filter = "eth+";
  const Wanted wanted = Compile(config, Host());

  EXPECT_EQ(wanted.config.calico.tunnels, 1);
  EXPECT_EQ(wanted.device.at(2).nat_outgoing, NX_DEVICE_SIDE(0) | NX_DEVICE_SIDE(1));
  EXPECT_EQ(wanted.device.at(3).nat_outgoing, 0);
  EXPECT_EQ(wanted.device.at(2).tunnel4, 0);
  EXPECT_EQ(wanted.device.at(4).tunnel4, NX_DEVICE_SIDE(0) | NX_DEVICE_SIDE(1));
  EXPECT_EQ(wanted.device.at(4).tunnel6, 0) << "what it borrows from eth0 is not its own";

  config.calico.reset();
  const nx_device without = Compile(config, Host()).device.at(4);
  EXPECT_EQ(without.nat_outgoing | without.tunnel4 | without.tunnel6, 0);
}

TEST(CompileCalico, AnAddressOfATunnelsIsTheTunnels) {
  model::Config config = Config();
  model::Host host = Host();
  host.devices[2].addresses.push_back({Addr("172.18.0.3"), 32});
  host.devices.push_back({5, "eth9", {{Addr("172.18.0.3"), 32}}});
  const nx_addr shared = Addr("172.18.0.3").bytes;
  EXPECT_EQ(Compile(config, host).local.at(shared).ifindex, 2U);

  config.calico->tunnels = {"vxlan.calico"};
  EXPECT_EQ(Compile(config, host).local.at(shared).ifindex, 4U);
}

}  // namespace
}  // namespace natrix::compile
