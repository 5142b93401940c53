// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "userspace/cli/command.h"
#include "userspace/cli/flow_list.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/service_list.h"
#include "userspace/cli/table.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* KindOf(nx_service_kind kind) {
  switch (kind) {
    case NX_SERVICE_CLUSTER_IP:
      return "ClusterIP";
    case NX_SERVICE_EXTERNAL_IP:
      return "ExternalIP";
    case NX_SERVICE_LOAD_BALANCER:
      return "LoadBalancer";
    case NX_SERVICE_NODE_PORT:
      return "NodePort";
    case NX_SERVICE_PORTMAP:
      return "HostPort";
    case NX_SERVICE_DOCKER:
      return "Docker";
    case NX_SERVICE_PUBLISHED:
      break;
  }
  return "?";
}

const char* PolicyOf(const CalledAddress& address) { return address.local ? "Local" : "Cluster"; }

std::string NameOf(const ServicePort& port) {
  return fmt::format("{}/{}{}{}", port.name_space, port.name, port.port.empty() ? "" : ":",
                     port.port);
}

Json ToJson(const ServicePort& port) {
  Json addresses = Json::array(), endpoints = Json::array();
  for (const CalledAddress& address : port.addresses)
    addresses.push_back({{"kind", KindOf(address.kind)},
                         {"address", address.at.address.ToString()},
                         {"port", address.at.port},
                         {"policy", PolicyOf(address)}});
  for (const ServiceEndpoint& endpoint : port.endpoints)
    endpoints.push_back({{"address", endpoint.at.address.ToString()},
                         {"port", endpoint.at.port},
                         {"listed", endpoint.listed},
                         {"local", endpoint.here},
                         {"flows", endpoint.flows}});
  return {{"namespace", port.name_space},
          {"name", port.name},
          {"port", port.port},
          {"protocol", ProtocolName(port.protocol)},
          {"affinitySeconds", port.affinity_seconds},
          {"flows", port.flows()},
          {"addresses", std::move(addresses)},
          {"endpoints", std::move(endpoints)}};
}

std::size_t CountEndpoints(const ServicePort& port) {
  std::size_t count = 0;
  for (const ServiceEndpoint& endpoint : port.endpoints) count += endpoint.listed;
  return count;
}

void PrintAddresses(const std::vector<ServicePort>& ports) {
  TextTable table({{"SERVICE"},
                   {"KIND"},
                   {"CALLED AT"},
                   {"PROTO"},
                   {"POLICY"},
                   {"AFFINITY", Align::kRight},
                   {"ENDPOINTS", Align::kRight},
                   {"FLOWS", Align::kRight}});
  for (const ServicePort& port : ports)
    for (const CalledAddress& address : port.addresses)
      table.Add({NameOf(port), KindOf(address.kind), address.at.ToString(),
                 ProtocolName(port.protocol), PolicyOf(address),
                 port.affinity_seconds == 0 ? "-" : fmt::format("{}s", port.affinity_seconds),
                 fmt::to_string(CountEndpoints(port)), fmt::to_string(port.flows())});
  fmt::print("{}", table.Render());
}

void PrintEndpoints(const std::vector<ServicePort>& ports) {
  TextTable table({{"SERVICE"}, {"ENDPOINT"}, {"LOCAL"}, {"FLOWS", Align::kRight}});
  for (const ServicePort& port : ports)
    for (const ServiceEndpoint& endpoint : port.endpoints)
      table.Add({NameOf(port), endpoint.at.ToString(),
                 !endpoint.listed ? "gone"
                 : endpoint.here  ? "yes"
                                  : "-",
                 fmt::to_string(endpoint.flows)});
  fmt::print("\n{}", table.Render());
}

}  // namespace

int Services(const Context& context, const std::optional<std::string>& name) {
  if (const int code = CheckLoaded(context); code != kOk) return code;
  PinnedMaps pins(context.root);
  auto ports = ReadServices(pins);
  if (!ports) return Report(ports.error());
  if (name) {
    std::erase_if(*ports, [&](const ServicePort& port) {
      return port.name != *name && port.name_space + "/" + port.name != *name;
    });
    if (ports->empty()) {
      fmt::print(stderr, "natrix: there is no Service \"{}\"; `natrix services` lists them\n",
                 *name);
      return kNotFound;
    }
  }
  if (context.json) {
    Json list = Json::array();
    for (const ServicePort& port : *ports) list.push_back(ToJson(port));
    fmt::print("{}\n", Json{{"services", std::move(list)}}.dump(2));
    return kOk;
  }
  PrintAddresses(*ports);
  if (name) PrintEndpoints(*ports);
  return kOk;
}

}  // namespace natrix::cli
