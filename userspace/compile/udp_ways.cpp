// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/udp_ways.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "userspace/compile/any_address.h"
#include "userspace/compile/host_ports.h"

namespace natrix::compile {
namespace {

using model::Address;
using model::Family;
using model::Service;

// Where one port of a Service is called: by address and port in network byte order.
std::vector<std::pair<Address, __be16>> CalledAt(const Service& service,
                                                 const model::PortOfService& port, Family family) {
  std::vector<std::pair<Address, __be16>> places;
  for (const auto* list : {&service.cluster_ips, &service.external_ips, &service.load_balancer_ips})
    for (const Address& address : *list)
      if (address.family() == family) places.emplace_back(address, htons(port.port));
  if (port.node_port != 0) places.emplace_back(AnyOf(family), htons(port.node_port));
  return places;
}

// A host port has one container, and is called at one address of the node or at all.
void AddHostPortWays(const Service& service, UdpWays& ways) {
  for (std::size_t i = 0; i < service.ports.size(); ++i) {
    const model::PortOfService& port = service.ports[i];
    if (port.protocol != NX_L4_UDP) continue;
    for (const Address& container : service.cluster_ips) {
      const Address called = service.host_ports->host_ips[i].value_or(AnyOf(container.family()));
      if (called.family() != container.family()) continue;
      ways.insert({.called = called.bytes,
                   .endpoint = container.bytes,
                   .called_port = htons(port.node_port),
                   .endpoint_port = htons(port.port)});
    }
  }
}

void AddWays(const Service& service, UdpWays& ways) {
  for (std::size_t i = 0; i < service.ports.size(); ++i) {
    if (service.ports[i].protocol != NX_L4_UDP) continue;
    for (const Family family : model::kFamilies) {
      const auto places = CalledAt(service, service.ports[i], family);
      for (const model::ServiceEndpoint& endpoint : service.endpoints[i]) {
        const auto address = model::FirstOf(endpoint.addresses, family);
        if (!address || !(endpoint.ready || endpoint.serving)) continue;
        for (const auto& [called, port] : places)
          ways.insert({.called = called.bytes,
                       .endpoint = address->bytes,
                       .called_port = port,
                       .endpoint_port = htons(endpoint.port)});
      }
    }
  }
}

bool HasUdp(const Service& service) {
  return std::ranges::any_of(service.ports,
                             [](const auto& port) { return port.protocol == NX_L4_UDP; });
}

// Services are found by their place; where one was added or taken away, the rest is compared by
// its ways, which costs time but misses nothing.
struct Changed {
  UdpWays before;
  UdpWays after;

  Changed(const std::vector<model::Shared<Service>>& old,
          const std::vector<model::Shared<Service>>& now) {
    const std::size_t most = std::min(old.size(), now.size());
    std::size_t front = 0, back = 0;
    while (front < most && old[front].Shares(now[front])) ++front;
    while (back < most - front && old[old.size() - 1 - back].Shares(now[now.size() - 1 - back]))
      ++back;
    const bool in_step = old.size() == now.size();
    for (std::size_t i = front; i < old.size() - back; ++i)
      if (!(in_step && old[i].Shares(now[i])) && HasUdp(old[i])) AddWays(old[i], before);
    for (std::size_t i = front; i < now.size() - back; ++i)
      if (!(in_step && old[i].Shares(now[i])) && HasUdp(now[i])) AddWays(now[i], after);
  }
};

}  // namespace

bool UdpWay::IsStraight() const {
  return called_port == endpoint_port && Address{called} == Address{endpoint};
}

UdpWay UdpWay::AtAll() const {
  UdpWay way = *this;
  way.called = AnyOf(Address{called}.family()).bytes;
  if (IsStraight()) way.endpoint = way.called;
  return way;
}

UdpWays StraightWays(const UdpWays& ways) {
  UdpWays straight;
  for (const UdpWay& way : ways)
    straight.insert({.called = way.called,
                     .endpoint = way.called,
                     .called_port = way.called_port,
                     .endpoint_port = way.called_port});
  return straight;
}

UdpWays UdpWaysOf(const model::Config& config) {
  UdpWays ways;
  for (const auto& service : config.services) AddWays(service, ways);
  for (const auto& service : HostPortServices(config)) AddHostPortWays(service, ways);
  return ways;
}

UdpWays EndedUdpWays(const model::Config& before, const model::Config& after) {
  Changed changed(before.services, after.services);
  for (const auto& service : HostPortServices(before)) AddHostPortWays(service, changed.before);
  for (const auto& service : HostPortServices(after)) AddHostPortWays(service, changed.after);
  UdpWays ended;
  const auto add = [&](const UdpWays& those, const UdpWays& but) {
    std::ranges::set_difference(those, but, std::inserter(ended, ended.end()), ByBytes());
  };
  add(changed.before, changed.after);
  add(StraightWays(changed.after), StraightWays(changed.before));
  return ended;
}

}  // namespace natrix::compile
