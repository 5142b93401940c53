// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/scene.h"

#include <fmt/core.h>

#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/tun.h"

namespace natrix::oracle {

using support::Ip;
using support::Namespace;
using support::Sysctl;

const char* NameOf(Place place) {
  static constexpr const char* kNames[] = {"pod1", "pod2", "pod3", "outside"};
  return kNames[static_cast<std::size_t>(place)];
}

const Cast& CastOf(Family family) {
  static const Cast kCast4{"10.16.0.10",  "10.16.0.11",  "10.17.0.10",   "100.64.0.2",
                           "172.18.0.3",  "172.18.0.60", "172.18.0.1",   "172.18.0.4",
                           "8.8.8.8",     "203.0.113.7", "198.51.100.9", "10.96.0.10",
                           "172.18.0.50", "172.18.0.51", "10.17.0.1"};
  static const Cast kCast6{
      "fd00:10:16::10",  "fd00:10:16::11", "fd00:10:17::10",  "fd00:100:64::2",  "fd00:172:18::3",
      "fd00:172:18::60", "fd00:172:18::1", "fd00:172:18::4",  "2001:db8:8::8",   "2001:db8:113::7",
      "2001:db8:100::9", "fd00:10:96::a",  "fd00:172:18::50", "fd00:172:18::51", "fd00:10:17::1"};
  return family == Family::kIpv4 ? kCast4 : kCast6;
}

std::string SubnetBase(Family family, int subnet) {
  return family == Family::kIpv4 ? fmt::format("10.{}.0.0", 16 + subnet)
                                 : fmt::format("fd00:10:{}::", 16 + subnet);
}

std::string PodAddress(Family family, Place pod, int subnet) {
  // pod3 of the second subnet has the first pod's number: that is the cast's.
  static constexpr int kHosts[] = {10, 11, 12};
  int host = kHosts[static_cast<int>(pod)];
  if (subnet == 1 && pod == Place::kPod1) host = 12;
  if (subnet == 1 && pod == Place::kPod3) host = 10;
  return family == Family::kIpv4 ? fmt::format("10.{}.0.{}", 16 + subnet, host)
                                 : fmt::format("fd00:10:{}::{}", 16 + subnet, host);
}

std::string MacOf(Place place) {
  return fmt::format("02:00:00:00:00:0{}", static_cast<int>(place) + 1);
}

std::string GatewayMacOf(Place place) {
  return place == Place::kOutside ? kUplinkMac : kPodDeviceMac;
}

namespace {

constexpr int kPodMtu = 4000;
constexpr Place kPods[] = {Place::kPod1, Place::kPod2, Place::kPod3};

std::string PortOf(Place pod) { return fmt::format("p{}", static_cast<int>(pod) + 1); }

std::string Neighbour(const std::string& address, const std::string& mac,
                      const std::string& device) {
  return fmt::format("neigh replace {} lladdr {} dev {} nud permanent\n", address, mac, device);
}

}  // namespace

Scene::Scene(const std::string& name, Options options) : options_(options), node_(name + "/node") {
  for (const Place place : kPlaces) others_.emplace_back(name + "/" + NameOf(place));
  Connect();
  AddressNode();
  if (options_.live) AddressOthers();
  if (options_.live) return;
  for (const Place place : kPlaces)
    taps_[static_cast<std::size_t>(place)] =
        std::make_unique<support::Tap>(at(place), std::string(kUplink));
  if (!options_.bare.empty()) AddBare();
}

void Scene::AddBare() {
  taps_[static_cast<std::size_t>(Place::kPod3)] = std::make_unique<support::Tun>(
      node_, options_.bare, support::Macs{kPodDeviceMac, MacOf(Place::kPod3)});
  Ip(node_, fmt::format("link set {0} mtu {1}\n"
                        "addr add {2}/32 dev {0}\naddr add {3}/128 dev {0} nodad\n"
                        "route add 10.17.0.0/16 dev {0}\nroute add fd00:10:17::/112 dev {0}\n",
                        options_.bare, kPodMtu, CastOf(Family::kIpv4).tunnel,
                        CastOf(Family::kIpv6).tunnel));
}

const Namespace& Scene::at(Place place) const { return others_[static_cast<std::size_t>(place)]; }

void Scene::Connect() {
  support::MakeRouter(node_);
  support::MakeBridge(node_, kPodDevice, kPodDeviceMac);
  // ovn0 of a real node is no bridge: iptables must not see its frames before they are routed.
  support::TrySysctl(node_, "net/bridge/bridge-nf-call-iptables", "0");
  support::TrySysctl(node_, "net/bridge/bridge-nf-call-ip6tables", "0");
  for (const Place pod : kPods) {
    const std::string port = PortOf(pod);
    support::MakeVeth({node_, port, fmt::format("02:00:00:00:03:0{}", static_cast<int>(pod))},
                      {at(pod), kUplink, MacOf(pod)});
    support::AddToBridge(node_, kPodDevice, port);
    // Taps may send what the uplink cannot carry.
    if (!options_.live) {
      Ip(at(pod), fmt::format("link set {} mtu {}\n", kUplink, kPodMtu));
      Ip(node_, fmt::format("link set {} mtu {}\n", port, kPodMtu));
    }
    // The bridge must not flood to find a pod that has not spoken yet.
    support::RunCommand(&node_,
                        {"bridge", "fdb", "replace", MacOf(pod), "dev", port, "master", "static"});
    support::SetOffloads(node_, port, options_.offloads);
    support::SetOffloads(at(pod), kUplink, options_.offloads);
  }
  support::MakeVeth({node_, kUplink, kUplinkMac},
                    {at(Place::kOutside), kUplink, MacOf(Place::kOutside)});
  support::SetOffloads(node_, kUplink, options_.offloads);
  support::SetOffloads(at(Place::kOutside), kUplink, options_.offloads);
  support::SetOffloads(node_, kPodDevice, options_.offloads);
}

void Scene::AddressNode() {
  const Cast& v4 = CastOf(Family::kIpv4);
  const Cast& v6 = CastOf(Family::kIpv6);
  // Of two equal IPv6 addresses the kernel prefers the one added last: ::3, as .3 is primary.
  std::string lines = fmt::format(
      "addr add {}/16 dev ovn0\naddr add {}/64 dev ovn0 nodad\n"
      "addr add {}/24 dev eth0\naddr add {}/24 dev eth0\n"
      "addr add {}/64 dev eth0 nodad\naddr add {}/64 dev eth0 nodad\n"
      "route add default via {} dev eth0\nroute add default via {} dev eth0\n"
      "route add 10.16.0.0/13 dev ovn0 src {}\nroute add fd00:10::/32 dev ovn0 src {}\n",
      v4.join, v6.join, v4.node, v4.node_second, v6.node_second, v6.node, v4.router, v6.router,
      v4.node, v6.node);
  // Services lie inside fd00:10::/32, but nothing behind ovn0 answers for them.
  lines += fmt::format("route add fd00:10:96::/112 via {} dev eth0\n", v6.router);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Cast& cast = CastOf(family);
    for (int subnet = 0; subnet < kSubnets; ++subnet)
      for (const Place pod : kPods)
        lines += Neighbour(PodAddress(family, pod, subnet), MacOf(pod), kPodDevice);
    // The floating IP too: a packet to it that no rule translates leaves at once, instead of
    // waiting for an answer that nobody gives.
    for (const std::string& address : {cast.router, cast.other_node, cast.floating, cast.egress})
      lines += Neighbour(address, MacOf(Place::kOutside), kUplink);
  }
  Ip(node_, lines);
}

void Scene::AddressOthers() {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Cast& cast = CastOf(family);
    const bool v4 = family == Family::kIpv4;
    const int host = v4 ? 32 : 128;
    const std::string gateway = v4 ? "169.254.1.1" : "fe80::1";
    for (const Place pod : kPods) {
      const std::string address = pod == Place::kPod1   ? cast.pod1
                                  : pod == Place::kPod2 ? cast.pod2
                                                        : cast.pod3;
      Ip(at(pod), fmt::format("addr add {}/{} dev eth0 {}\n{}"
                              "route add default via {} dev eth0 onlink\n",
                              address, host, v4 ? "" : "nodad",
                              Neighbour(gateway, kPodDeviceMac, kUplink), gateway));
    }
    const Namespace& outside = at(Place::kOutside);
    std::string lines = fmt::format(
        "addr add {}/{} dev eth0 {}\naddr add {}/{} dev eth0 {}\n{}", cast.router, v4 ? 24 : 64,
        v4 ? "" : "nodad", cast.other_node, v4 ? 24 : 64, v4 ? "" : "nodad",
        Neighbour(cast.node, kUplinkMac, kUplink) + Neighbour(cast.floating, kUplinkMac, kUplink));
    // It answers for all the internet, and knows that floating IPs and pods without NAT are
    // behind the node.
    for (const std::string& everywhere : {cast.web, cast.web2, cast.client, cast.service})
      lines += fmt::format("route add local {}/{} dev lo\n", everywhere, host);
    lines += fmt::format("route add default via {} dev eth0\n", cast.node);
    Ip(outside, lines);
  }
  for (const Place place : kPlaces) {
    Sysctl(at(place), "net/ipv4/conf/all/rp_filter", "0");
    Sysctl(at(place), "net/ipv4/conf/eth0/rp_filter", "0");
  }
}

}  // namespace natrix::oracle
