// SPDX-License-Identifier: Apache-2.0
//
// How long a process of the node takes to connect(2) to a ClusterIP among many: through
// kube-proxy's rules in OUTPUT, through natrix' hook, and to the endpoint itself on either node.
#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/oracle/node_calls.h"
#include "tests/support/own_cgroup.h"

namespace natrix::oracle {
namespace {

using netns::Point;
using Times = std::vector<double>;  // microseconds

constexpr int kRounds = 21;
constexpr int kCallsARound = 100;
constexpr std::uint16_t kEndpointPort = 8080;

std::string ClusterIp(int number) {
  return fmt::format("10.97.{}.{}", number / 250, number % 250 + 1);
}

model::Config Services(int count) {
  model::Config config;
  config.node.name = "node1";
  config.node.uplinks = {kUplink};
  config.node.pod_devices = {kPodDevice};
  const Cast& cast = CastOf(Family::kIpv4);
  config.node.addresses = {model::Address::Parse(cast.node).value()};
  config.kube_proxy.detect = model::DetectLocal::kClusterCidr;
  config.kube_proxy.cluster_cidrs = {model::Prefix::Parse("10.16.0.0/14").value()};
  for (int i = 0; i < count; ++i) {
    model::Service service;
    service.name_space = "bench";
    service.name = fmt::format("s{}", i);
    service.cluster_ips = {model::Address::Parse(ClusterIp(i)).value()};
    service.ports = {{.name = {}, .protocol = NX_L4_TCP, .port = 80}};
    service.endpoints = {{{.addresses = {model::Address::Parse(cast.pod1).value()},
                           .port = kEndpointPort,
                           .node_name = "node1",
                           .zones = {}}}};
    config.services.emplace_back(service);
  }
  return config;
}

class Bench {
 public:
  Bench(EngineKind kind, int services)
      : node_(kind, Family::kIpv4),
        listener_(netns::Listen(node_.scene().at(Place::kPod1),
                                {CastOf(Family::kIpv4).pod1, kEndpointPort})) {
    node_.Apply(Services(services));
  }

  void Round(const Point& to, Times& times) const {
    for (int i = 0; i < kCallsARound; ++i) {
      const UniqueFd client = netns::OpenTcp(node_.scene().node(), {"0.0.0.0", 0});
      const linger reset{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
      const auto start = std::chrono::steady_clock::now();
      if (!netns::ConnectTcp(client.get(), to)) {
        fmt::print(stderr, "connect_bench: {} is not reached\n", ToString(to));
        std::exit(1);
      }
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      times.push_back(took.count());
      netns::Accept(listener_.get());
    }
  }

 private:
  CallingNode node_;
  UniqueFd listener_;
};

double Median(Times& times) {
  std::ranges::sort(times);
  return times[times.size() / 2];
}

// The sides in turn, so that whatever else the machine does meets both.
void Compare(const char* name, const Bench& left, const Bench& right, const Point& to) {
  Times by_rules, by_hook;
  for (int round = 0; round < kRounds; ++round) {
    left.Round(to, by_rules);
    right.Round(to, by_hook);
  }
  const double rules = Median(by_rules), hook = Median(by_hook);
  fmt::print("{:<16} kube-proxy {:6.1f} us   natrix {:6.1f} us   ratio {:.2f}\n", name, rules, hook,
             hook / rules);
}

int Main(int argc, char** argv) {
  const int services = argc > 1 ? std::atoi(argv[1]) : 1000;
  if (services < 1 || services > 60000) {
    fmt::print(stderr, "usage: natrix_connect_bench [SERVICES]\n");
    return 2;
  }
  const support::OwnCgroup cgroup;
  const Bench left(EngineKind::kLegacy, services);
  const Bench right(EngineKind::kNatrix, services);
  fmt::print("connect(2) to a ClusterIP among {}: median of {} calls\n", services,
             kRounds * kCallsARound);
  Compare("the endpoint", left, right, {CastOf(Family::kIpv4).pod1, kEndpointPort});
  Compare("first Service", left, right, {ClusterIp(0), 80});
  Compare("middle Service", left, right, {ClusterIp(services / 2), 80});
  Compare("last Service", left, right, {ClusterIp(services - 1), 80});
  return 0;
}

}  // namespace
}  // namespace natrix::oracle

int main(int argc, char** argv) { return natrix::oracle::Main(argc, argv); }
