// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/setting.h"

#include <fmt/core.h>

#include "tests/oracle/engine.h"
#include "tests/support/setup_error.h"
#include "tools/bench/wires.h"

namespace natrix::bench {
namespace {

using model::Address;
using model::Prefix;
using model::Service;
using model::ServiceEndpoint;

Address ParseAddress(const std::string& text) {
  const auto address = Address::Parse(text);
  if (!address) throw support::SetupError("no address: " + text);
  return *address;
}

model::Config Bare() {
  model::Config config;
  config.node.name = "node1";
  config.node.addresses = {ParseAddress(kNodeAddress), ParseAddress(kNodeAddressV6)};
  config.node.uplinks = {"eth0"};
  config.node.pod_devices = {"ovn0", "pod0"};
  config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
  config.kube_proxy.cluster_cidrs = {*model::Prefix::Parse("10.16.0.0/14"),
                                     *model::Prefix::Parse("fd00:10::/32")};
  return config;
}

Service ServiceOf(std::uint32_t number) {
  Service service;
  service.name_space = "bench";
  service.name = fmt::format("s{}", number);
  for (const Family family : model::kFamilies)
    service.cluster_ips.push_back(ParseAddress(ServiceAddress(family, number)));
  service.ports = {{.name = "udp", .protocol = NX_L4_UDP, .port = kServicePort}};
  service.endpoints.resize(1);
  return service;
}

ServiceEndpoint EndpointOf(const std::string& v4, const std::string& v6, const char* node) {
  return {.addresses = {ParseAddress(v4), ParseAddress(v6)}, .port = 8080, .node_name = node};
}

constexpr std::uint32_t kPoliciesOfSubnet = 1000;

// Not where any stream goes: 20.0.0.0/8 and 2001:db8:ff00::/40.  Lengths as a feed of addresses
// has them: mostly /24, some /28, a few /20.
Prefix PolicyTarget(Family family, std::uint32_t number) {
  const int length = number % 10 == 0 ? 20 : number % 4 == 0 ? 28 : 24;
  const std::string text = family == Family::kIpv4
                               ? fmt::format("{}.{}.{}.0/{}", 20 + (number >> 12),
                                             number >> 4 & 255, (number & 15) << 4, length)
                               : fmt::format("2001:db8:{:x}:{:x}::/{}", 0xf000 + (number >> 8),
                                             (number & 255) << 8, 36 + length);
  return Prefix::Parse(text)->WithoutHostBits();
}

model::PolicyRule PolicyFor(std::vector<Prefix> destinations) {
  std::string text;
  for (const Prefix& one : destinations) text += (text.empty() ? "" : ",") + one.ToString();
  return {.src_ips = {},
          .dst_ips = std::move(text),
          .sources = {},
          .destinations = std::move(destinations),
          .action = model::PolicyAction::kForward};
}

model::Subnet ExtraSubnet(std::uint32_t number) {
  const std::uint32_t n = number / kPoliciesOfSubnet;
  return {.name = fmt::format("extra{}", n),
          .cidrs = {*Prefix::Parse(fmt::format("10.{}.0.0/16", 24 + n)),
                    *Prefix::Parse(fmt::format("fd00:10:{:x}::/112", 0x100 + n))},
          .nat_outgoing = true};
}

}  // namespace

const Names& NamesOf(Family family) {
  static const Names v4{"10.16.1.0",    "10.16.0.0/16",  "192.0.2.0",  "192.0.2.0/24",
                        "198.18.0.0",   "198.18.0.0/15", "10.17.1.0",  "10.17.0.0/16",
                        "10.18.0.0/15", "10.16.0.10",    kNodeAddress, "10.96.0.0/12"};
  static const Names v6{
      "fd00:10:16::100", "fd00:10:16::/48", "2001:db8:2::",    "2001:db8:2::/48",
      "2001:2::1:0",     "2001:2::/48",     "fd00:10:17::100", "fd00:10:17::/48",
      "fd00:10:18::/48", "fd00:10:16::10",  kNodeAddressV6,    "fd00:10:96::/112"};
  return family == Family::kIpv4 ? v4 : v6;
}

std::string EndpointAddress(Family family, std::uint32_t number) {
  return family == Family::kIpv4
             ? fmt::format("10.{}.{}.{}", 18 + (number >> 16), number >> 8 & 255, number & 255)
             : fmt::format("fd00:10:18::{:x}:{:x}", number >> 16, number & 0xffff);
}

std::string ServiceAddress(Family family, std::uint32_t number) {
  return family == Family::kIpv4 ? fmt::format("10.96.{}.{}", number >> 8, number & 255)
                                 : fmt::format("fd00:10:96::{:x}", number);
}

model::Config KubeOvnConfig() {
  model::Config config = oracle::LoadConfig(oracle::ExamplePath());
  config.node.pod_devices.push_back("pod0");
  return config;
}

model::Config ServicesConfig(std::uint32_t count, std::uint32_t endpoints) {
  model::Config config = Bare();
  std::uint32_t next = 1;
  for (std::uint32_t number = 1; number <= count; ++number) {
    Service service = ServiceOf(number);
    for (std::uint32_t i = 0; i < endpoints; ++i, ++next)
      service.endpoints[0].push_back(EndpointOf(EndpointAddress(Family::kIpv4, next),
                                                EndpointAddress(Family::kIpv6, next), "node2"));
    config.services.emplace_back(std::move(service));
  }
  return config;
}

model::Config OnlyServicesOf(const model::Config& config, Family family) {
  const auto other = [&](const Address& address) { return address.family() != family; };
  model::Config one = config;
  for (model::Shared<Service>& shared : one.services) {
    Service& service = shared.Edit();
    std::erase_if(service.cluster_ips, other);
    for (ServiceEndpoint& endpoint : service.endpoints[0]) std::erase_if(endpoint.addresses, other);
  }
  return one;
}

model::Config EmptyConfig() { return Bare(); }

model::Config PrefixesConfig(std::uint32_t count) {
  model::Config config = BigSetConfig(count, Family::kIpv4);
  const model::Config other = BigSetConfig(count, Family::kIpv6);
  config.subnets.front().policies.push_back(other.subnets.front().policies.front());
  return config;
}

model::Config PoliciesConfig(std::uint32_t count) {
  model::Config config = KubeOvnConfig();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i % kPoliciesOfSubnet == 0 && i > 0) config.subnets.push_back(ExtraSubnet(i));
    model::Subnet& subnet = i < kPoliciesOfSubnet ? config.subnets.front() : config.subnets.back();
    for (const Family family : model::kFamilies)
      subnet.policies.push_back(PolicyFor({PolicyTarget(family, i)}));
  }
  return config;
}

model::Config SubnetsConfig(std::uint32_t count) {
  model::Config config = KubeOvnConfig();
  for (std::uint32_t i = 0; i < count; ++i)
    config.subnets.push_back(
        {.name = fmt::format("more{}", i),
         .cidrs = {*Prefix::Parse(fmt::format("10.{}.{}.0/24", 64 + (i >> 8), i & 255)),
                   *Prefix::Parse(fmt::format("fd00:10:{:x}::/112", 0x1000 + i))},
         .nat_outgoing = true});
  return config;
}

model::Config BigSetConfig(std::uint32_t count, Family family) {
  model::Config config = KubeOvnConfig();
  std::vector<Prefix> targets;
  for (std::uint32_t i = 0; i < count; ++i) targets.push_back(PolicyTarget(family, i));
  config.subnets.front().policies = {PolicyFor(std::move(targets))};
  return config;
}

model::Config PodServiceConfig() {
  model::Config config = Bare();
  Service service = ServiceOf(1);
  service.endpoints[0].push_back(
      EndpointOf(NamesOf(Family::kIpv4).pod, NamesOf(Family::kIpv6).pod, "node1"));
  config.services.emplace_back(std::move(service));
  return config;
}

}  // namespace natrix::bench
