// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "userspace/compile/compile.h"

// Services to be compiled, and what comes of them as text.
namespace natrix::compile {

using model::Address;
using model::Prefix;

inline Address Addr(const std::string& text) { return Address::Parse(text).value(); }
inline Prefix Net(const std::string& text) { return Prefix::Parse(text).value(); }

struct Conditions {
  bool ready = true;
  bool serving = true;
  bool terminating = false;
};
inline constexpr Conditions kTerminating = {.ready = false, .serving = true, .terminating = true};
inline constexpr Conditions kDead = {.ready = false, .serving = false, .terminating = false};

inline model::ServiceEndpoint Endpoint(std::vector<std::string> addresses,
                                       const std::string& node = "n1", Conditions is = {},
                                       std::vector<std::string> zones = {}) {
  model::ServiceEndpoint endpoint;
  for (const std::string& address : addresses) endpoint.addresses.push_back(Addr(address));
  endpoint.port = 8080;
  endpoint.node_name = node;
  endpoint.ready = is.ready;
  endpoint.serving = is.serving;
  endpoint.terminating = is.terminating;
  endpoint.zones = std::move(zones);
  return endpoint;
}

inline model::Service Service(const std::string& name, std::vector<std::string> cluster_ips,
                              std::vector<model::ServiceEndpoint> endpoints) {
  model::Service service;
  service.name_space = "default";
  service.name = name;
  for (const std::string& ip : cluster_ips) service.cluster_ips.push_back(Addr(ip));
  service.ports = {{.name = "", .protocol = NX_L4_TCP, .port = 80, .node_port = 0}};
  service.endpoints = {std::move(endpoints)};
  return service;
}

inline model::Config Config(std::vector<model::Service> services) {
  model::Config config;
  config.node.name = "n1";
  config.node.addresses = {Addr("172.18.0.3"), Addr("fd00::3")};
  config.services.assign(services.begin(), services.end());
  return config;
}

inline model::Host Host() {
  model::Host host;
  host.devices = {{1, "lo", {{Addr("127.0.0.1"), 8}, {Addr("::1"), 128}}},
                  {2, "eth0", {{Addr("172.18.0.3"), 16}, {Addr("fd00::3"), 64}}},
                  {3, "eth1", {{Addr("10.1.0.3"), 16}}}};
  host.hz = 100;
  return host;
}

inline std::uint16_t Port(__be16 port) { return __builtin_bswap16(port); }

// "10.96.0.1:80/6 EXT LOCAL all=2 local=1": what nx_service holds, without the number.
inline std::string Show(const nx_service_key& key, const nx_service& value) {
  std::string text = fmt::format("{}:{}/{}", Address{key.addr}.ToString(), Port(key.port),
                                 static_cast<int>(key.proto));
  for (const auto& [flag, name] : {std::pair{NX_SERVICE_EXTERNAL, " EXT"},
                                   {NX_SERVICE_LOCAL, " LOCAL"},
                                   {NX_SERVICE_SOURCES, " SOURCES"},
                                   {NX_SERVICE_AFFINITY, " AFFINITY"},
                                   {NX_SERVICE_ELSEWHERE, " ELSEWHERE"},
                                   {NX_SERVICE_NODE_MAY, " NODE"}})
    if (value.flags & flag) text += name;
  return text + fmt::format(" all={} local={}", value.all, value.local);
}

inline std::vector<std::string> CalledAt(const Wanted& wanted) {
  std::vector<std::string> list;
  for (const auto& [key, value] : wanted.services->AllServices()) list.push_back(Show(key, value));
  return list;
}
inline std::vector<std::string> CalledAt(const model::Config& config) {
  return CalledAt(Compile(config, Host()));
}

inline std::shared_ptr<const ServicePart> PartAt(const Services& services, std::ptrdiff_t index) {
  auto parts = services.parts();
  return *std::ranges::next(parts.begin(), index);
}

inline std::uint32_t NumberAt(const Services& services, const std::string& address,
                              std::uint16_t port = 80) {
  for (const auto& [key, value] : services.AllServices())
    if (Address{key.addr} == Addr(address) && Port(key.port) == port) return value.number;
  return 0;
}

}  // namespace natrix::compile
