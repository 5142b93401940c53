// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/services_fixture.h"

#include <fmt/core.h>

#include <chrono>

#include "tests/support/checksum.h"

namespace natrix::oracle {

using model::Address;
using model::Prefix;
using model::Service;
using model::ServiceEndpoint;
using support::Dissect;
using support::kAck;
using support::kPsh;
using support::kSyn;
using support::Layers;
using support::Word;

namespace {

Address AddressOf(const std::string& text) { return Address::Parse(text).value(); }

}  // namespace

const ServiceCast& ServiceCastOf(Family family) {
  static const ServiceCast kCast4{"192.0.2.80", "203.0.113.80", "10.30.0.5"};
  static const ServiceCast kCast6{"2001:db8:2::80", "2001:db8:113::80", "fd00:30::5"};
  return family == Family::kIpv4 ? kCast4 : kCast6;
}

ServiceEndpoint EndpointIn(Place pod, std::uint16_t port) {
  ServiceEndpoint endpoint{.addresses = {}, .port = port, .node_name = "node1", .zones = {}};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Cast& cast = CastOf(family);
    endpoint.addresses.push_back(AddressOf(pod == Place::kPod1   ? cast.pod1
                                           : pod == Place::kPod2 ? cast.pod2
                                                                 : cast.pod3));
  }
  return endpoint;
}

ServiceEndpoint RemoteEndpoint(std::uint16_t port) {
  return {.addresses = {AddressOf(ServiceCastOf(Family::kIpv4).remote_pod),
                        AddressOf(ServiceCastOf(Family::kIpv6).remote_pod)},
          .port = port,
          .node_name = "node2",
          .zones = {}};
}

ServiceEndpoint Leaving(ServiceEndpoint endpoint) {
  endpoint.ready = false;
  endpoint.terminating = true;
  return endpoint;
}

ServiceEndpoint NotReady(ServiceEndpoint endpoint) {
  endpoint.ready = endpoint.serving = false;
  return endpoint;
}

model::Config ServiceConfig() {
  model::Config config;
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    config.node.addresses.push_back(AddressOf(CastOf(each).node));
  config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
  config.kube_proxy.cluster_cidrs = {Prefix::Parse("10.16.0.0/14").value(),
                                     Prefix::Parse("fd00:10::/42").value()};
  return config;
}

Service WebOf(std::vector<ServiceEndpoint> endpoints, nx_l4 protocol) {
  Service service;
  service.name_space = "default";
  service.name = "web";
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    service.cluster_ips.push_back(AddressOf(CastOf(each).service));
  service.ports = {{.name = {}, .protocol = protocol, .port = kServicePort}};
  service.endpoints = {std::move(endpoints)};
  return service;
}

Service EverywhereOf(std::vector<ServiceEndpoint> endpoints, nx_l4 protocol) {
  Service service = WebOf(std::move(endpoints), protocol);
  for (const Family each : {Family::kIpv4, Family::kIpv6}) {
    service.external_ips.push_back(AddressOf(ServiceCastOf(each).external));
    service.load_balancer_ips.push_back(AddressOf(ServiceCastOf(each).load_balancer));
  }
  service.ports[0].node_port = kNodePort;
  return service;
}

void ServiceOracle::Serve(std::vector<Service> services) {
  config_.services.assign(services.begin(), services.end());
  nodes_.Apply(config_);
}

PacketSpec ServiceOracle::Call(const std::string& src, const std::string& dst,
                               std::uint16_t port) const {
  PacketSpec spec = Tcp(src, dst, kSyn);
  spec.dport = port;
  return spec;
}

PacketSpec ServiceOracle::UdpCall(const std::string& src, const std::string& dst,
                                  std::uint16_t port) const {
  PacketSpec spec = Udp(src, dst);
  spec.dport = port;
  return spec;
}

PacketSpec ServiceOracle::SctpCall(const std::string& src, const std::string& dst,
                                   std::uint16_t port) const {
  PacketSpec spec = Tcp(src, dst, kSyn);
  spec.protocol = support::kSctp;
  spec.dport = port;
  return spec;
}

void ServiceOracle::Converses(Place from, const PacketSpec& first, const Arrival& request) {
  SCOPED_TRACE(first.src + " calls " + first.dst);
  const bool tcp = first.protocol == support::kTcp;
  exchange_.Send(from, first);
  ASSERT_TRUE(Arrives(exchange_, request));
  // Marks are the first packet's.
  Arrival later = request;
  later.mark = 0;
  PacketSpec next = first;
  if (tcp) next.tcp_flags = kAck;
  for (int i = 0; i < 3; ++i) {
    PacketSpec like{.tcp_flags = static_cast<std::uint8_t>(i == 0 ? kSyn | kAck : kPsh | kAck)};
    if (tcp) like.ack = first.seq + 1;
    like.payload = tcp && i == 0 ? 0 : 20;
    if (first.protocol == support::kSctp) {
      like.payload = 0;  // INIT ACK
      like.tcp_flags = kSyn | kAck;
      like.seq = first.seq;
    }
    exchange_.Reply(request.place, like);
    ASSERT_TRUE(Agree(exchange_));
    ASSERT_EQ(exchange_.last().left.size(), 1U) << exchange_.transcript();
    const Seen& seen = exchange_.last().left[0];
    const Layers layers = Dissect(seen.frame).value();
    EXPECT_EQ(seen.place, from) << exchange_.transcript();
    EXPECT_EQ(layers.src, first.dst) << exchange_.transcript();
    EXPECT_EQ(layers.dst, first.src) << exchange_.transcript();
    EXPECT_EQ(Word(seen.frame, layers.sport_at.value()), first.dport) << exchange_.transcript();
    EXPECT_EQ(Word(seen.frame, layers.dport_at.value()), first.sport) << exchange_.transcript();
    if (first.protocol == support::kSctp) return;
    exchange_.Send(from, next);
    ASSERT_TRUE(Arrives(exchange_, later));
  }
}

testing::AssertionResult ServiceOracle::IsRefused(Place from, const PacketSpec& call) {
  exchange_.Send(from, call);
  std::set<std::string> senders;
  for (const auto* side : {&exchange_.last().left, &exchange_.last().right}) {
    if (side->size() != 1 || side->front().place != from)
      return testing::AssertionFailure() << "not refused\n" << exchange_.transcript();
    const Bytes& frame = side->front().frame;
    const std::optional<Layers> error = Dissect(frame);
    const std::optional<Layers> quoted =
        error && error->inner ? Dissect(frame, *error->inner) : std::nullopt;
    const ErrorSpec unreachable = PortUnreachable(family());
    // How much is quoted is their own affair.
    const bool right = quoted && error->dst == call.src && frame[error->l4] == unreachable.type &&
                       frame[error->l4 + 1] == unreachable.code && quoted->src == call.src &&
                       quoted->dst == call.dst &&
                       Word(frame, quoted->dport_at.value()) == call.dport &&
                       !support::VerifyChecksums(frame).AnyBad();
    if (!right) return testing::AssertionFailure() << "another answer\n" << exchange_.transcript();
    senders.insert(error->src);
  }
  if (senders.size() != 1)
    return testing::AssertionFailure() << "refused by different addresses\n"
                                       << exchange_.transcript();
  return testing::AssertionSuccess();
}

ServiceOracle::Spread ServiceOracle::SpreadOf(Side& side, Place from, const PacketSpec& first,
                                              int calls) const {
  using std::chrono::milliseconds;
  Spread spread;
  const auto take = [&](milliseconds limit) {
    int taken = 0;
    for (const Place place : kPlaces) {
      for (const Bytes& frame :
           side.scene.tap(place).Receive(taken == 0 ? limit : milliseconds(0))) {
        const std::optional<Layers> layers = Dissect(frame);
        if (!layers || !layers->dport_at) continue;
        ++spread[fmt::format("{}:{}", layers->dst, Word(frame, *layers->dport_at))];
        ++taken;
      }
    }
    return taken;
  };
  int arrived = 0;
  for (int i = 0; i < calls; ++i) {
    PacketSpec spec = first;
    spec.sport = static_cast<std::uint16_t>(first.sport + i);
    for (const Bytes& frame : support::Build(spec, {MacOf(from), GatewayMacOf(from)}))
      side.scene.tap(from).Send(frame);
    arrived += take(milliseconds(0));
  }
  const auto start = std::chrono::steady_clock::now();
  while (arrived < calls && std::chrono::steady_clock::now() - start < milliseconds(800))
    arrived += take(milliseconds(2));
  return spread;
}

std::pair<ServiceOracle::Spread, ServiceOracle::Spread> ServiceOracle::Spreads(
    Place from, const PacketSpec& first, int calls) {
  return {SpreadOf(nodes_.left(), from, first, calls),
          SpreadOf(nodes_.right(), from, first, calls)};
}

std::set<std::string> KeysOf(const std::map<std::string, int>& spread) {
  std::set<std::string> keys;
  for (const auto& [key, count] : spread) keys.insert(key);
  return keys;
}

double ChiSquare(const std::map<std::string, int>& spread) {
  double total = 0;
  for (const auto& [key, count] : spread) total += count;
  const double expected = total / static_cast<double>(spread.size());
  double sum = 0;
  for (const auto& [key, count] : spread) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

}  // namespace natrix::oracle
