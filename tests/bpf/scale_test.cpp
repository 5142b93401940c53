// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <chrono>

#include "maps/config_maps.h"
#include "tests/bpf/datapath.h"
#include "userspace/compile/compile.h"
#include "userspace/daemon/applier.h"

// What a large configuration costs.  The bounds are several times what a quiet machine shows
// (docs/measurements.md): they catch another order of growth, not a slow day.
namespace natrix {
namespace {

using namespace support;
using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// The value that 99 of 100 do not exceed.
double P99(std::vector<double> values) {
  std::ranges::sort(values);
  return values[(values.size() * 99 + 99) / 100 - 1];
}

model::Prefix Prefix(const std::string& text) { return *model::Prefix::Parse(text); }

class Scale : public Datapath {
 protected:
  void Policy(model::Subnet& subnet, int rules) const {
    subnet.policies.clear();
    for (int i = 0; i < rules; ++i) {
      model::PolicyRule rule{.src_ips = {}, .dst_ips = {}, .sources = {}, .destinations = {}};
      rule.sources = {subnet.cidrs[0]};
      rule.destinations = {Prefix(v6() ? fmt::format("2001:db8:ff:{:x}::/64", i)
                                       : fmt::format("192.{}.{}.0/24", 1 + i / 256, i % 256))};
      rule.action = i % 2 ? model::PolicyAction::kNat : model::PolicyAction::kForward;
      subnet.policies.push_back(rule);
    }
  }
  model::Config ManySubnets(int count) const {
    model::Config many = config;
    many.subnets.clear();
    for (int i = 0; i < count; ++i) {
      model::Subnet subnet;
      subnet.name = fmt::format("subnet-{}", i);
      subnet.cidrs = {Prefix(v6() ? fmt::format("fd00:10:{:x}::/112", i)
                                  : fmt::format("10.{}.{}.0/24", i / 256, i % 256))};
      subnet.nat_outgoing = true;
      Policy(subnet, 10);
      many.subnets.push_back(subnet);
    }
    return many;
  }
  // Nanoseconds in the kernel for the first packet of a flow: like `spec`, from a new port.
  double FirstPacket(const bpf_program* program, PacketSpec spec) {
    spec.sport = port_ = static_cast<std::uint16_t>(port_ == 65535 ? 1024 : port_ + 1);
    const Bytes frame = Build(spec, {"02:00:00:00:00:01", "02:00:00:00:00:02"})[0];
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()));
    const InNetwork inside(ns());
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program), &run), 0);
    EXPECT_EQ(run.retval, static_cast<std::uint32_t>(TC_ACT_UNSPEC));
    return run.duration;
  }
  std::vector<model::Shared<model::Service>> ManyServices(int count, int endpoints) const {
    const auto address = [&](int net, int i) {
      return *model::Address::Parse(
          v6() ? fmt::format("fd00:{:x}::{:x}:{:x}", net, i / 65536, i % 65536)
               : fmt::format("{}.{}.{}.{}", net, 64 + i / 65536, i / 256 % 256, i % 256));
    };
    std::vector<model::Shared<model::Service>> services;
    for (int i = 0; i < count; ++i) {
      model::Service& service = services.emplace_back().Edit();
      service.name_space = "default";
      service.name = fmt::format("service-{}", i);
      service.cluster_ips = {address(11, i)};
      service.ports = {{.name = "http", .protocol = NX_L4_TCP, .port = 80, .node_port = 0}};
      auto& list = service.endpoints.emplace_back();
      for (int j = 0; j < endpoints; ++j)
        list.push_back({.addresses = {address(10, i * endpoints + j)},
                        .port = 8080,
                        .node_name = fmt::format("node{}", j),
                        .zones = {}});
    }
    return services;
  }

 private:
  std::uint16_t port_ = 1024;
};
NATRIX_BOTH_FAMILIES(Scale);

TEST_P(Scale, AThousandSubnetsWithTenRulesEach) {
  const auto fd_of = [&](const char* map) -> Result<int> {
    return bpf_object__find_map_fd_by_name(skel()->obj, map);
  };
  auto maps = maps::ConfigMaps::Open(fd_of);
  ASSERT_TRUE(maps) << maps.error().ToString();
  daemon::Applier applier(*std::move(maps));
  compile::Wanted live;
  // Milliseconds until it was compiled, until the packets saw it, and until it was all done.
  const auto apply = [&](const model::Config& wanted) {
    const auto start = Clock::now();
    auto made = compile::Compile(wanted, {}, {*applier.Subnets(), live.made});
    const double compiled = MillisecondsSince(start);
    const auto report = applier.Apply(made);
    EXPECT_TRUE(report) << report.error().ToString();
    EXPECT_GT(report->written + report->erased, 0U);
    live = std::move(made);
    const std::chrono::duration<double, std::milli> in_force = report->in_force;
    return std::tuple(compiled, compiled + in_force.count(), MillisecondsSince(start));
  };
  model::Config many = ManySubnets(1000);
  model::Config none = config;
  none.subnets.clear();
  std::vector<double> whole, whole_settled, one_compiled, one, one_settled;
  for (int round = 0; round < 5; ++round) {
    apply(none);
    const auto [compiled, in_force, settled] = apply(many);
    whole.push_back(in_force);
    whole_settled.push_back(settled);
    for (int change = 0; change < 5; ++change) {
      many.subnets[500].policies[0].destinations[0].address.bytes.byte[v6() ? 7 : 12] ^= 1;
      const auto [one_made, one_in_force, one_done] = apply(many);
      one_compiled.push_back(one_made);
      one.push_back(one_in_force);
      one_settled.push_back(one_done);
    }
  }
  fmt::print("entries: nx_subnet {}, nx_policy {}, nx_set {}, nx_net {}\n", live.subnet.entries(),
             live.policy.entries(), live.set.entries(), live.net.size());
  apply(none);
  fmt::print("from empty: in force {:.1f} ms, settled {:.1f} ms\n", Median(whole),
             Median(whole_settled));
  fmt::print("one subnet: compiled {:.2f} ms, in force {:.2f} ms, settled {:.2f} ms\n",
             Median(one_compiled), Median(one), Median(one_settled));
  EXPECT_LT(Median(whole), 2000);
  EXPECT_LT(Median(one), 50);
}

TEST_P(Scale, TenThousandServicesWithTenEndpointsEach) {
  const auto fd_of = [&](const char* map) -> Result<int> {
    return bpf_object__find_map_fd_by_name(skel()->obj, map);
  };
  auto maps = maps::ConfigMaps::Open(fd_of);
  ASSERT_TRUE(maps) << maps.error().ToString();
  daemon::Applier applier(*std::move(maps));
  compile::Wanted live;
  const auto apply = [&](const model::Config& wanted) {
    const auto start = Clock::now();
    auto made = compile::Compile(wanted, {}, {*applier.Subnets(), live.made, *applier.Services()});
    const double compiled = MillisecondsSince(start);
    const auto report = applier.Apply(made);
    EXPECT_TRUE(report) << report.error().ToString();
    live = std::move(made);
    const std::chrono::duration<double, std::milli> in_force = report->in_force;
    return std::tuple(compiled, compiled + in_force.count(), MillisecondsSince(start),
                      report->written + report->erased);
  };
  model::Config none = config;
  none.subnets.clear();
  model::Config many = none;
  many.services = ManyServices(10000, 10);
  std::vector<double> whole_compiled, whole, whole_settled, one_compiled, one, one_settled;
  for (int round = 0; round < 3; ++round) {
    apply(none);
    const auto [compiled, in_force, settled, changed] = apply(many);
    EXPECT_GE(changed, 2 * (10000U + 10000 * 3));  // in blocks of four
    whole_compiled.push_back(compiled);
    whole.push_back(in_force);
    whole_settled.push_back(settled);
    for (int change = 0; change < 100; ++change) {
      many.services[5000].Edit().endpoints[0][5].addresses[0].bytes.byte[12] ^= 1;
      const auto [one_made, one_in_force, one_done, one_changed] = apply(many);
      EXPECT_EQ(one_changed, 2U);  // on both sides
      one_compiled.push_back(one_made);
      one.push_back(one_in_force);
      one_settled.push_back(one_done);
    }
  }
  const compile::Services::Sizes sizes = live.services->entries();
  fmt::print("entries: nx_service {}, nx_backend {}\n", sizes.service, sizes.backend);

  // A natrixd that starts anew finds everything as it would write it, the numbers too.
  maps = maps::ConfigMaps::Open(fd_of);
  ASSERT_TRUE(maps) << maps.error().ToString();
  daemon::Applier restarted(*std::move(maps));
  const auto start = Clock::now();
  const auto found = compile::Compile(many, {}, {*restarted.Subnets(), {}, *restarted.Services()});
  const auto report = restarted.Apply(found);
  ASSERT_TRUE(report) << report.error().ToString();
  fmt::print("after a restart: {:.1f} ms\n", MillisecondsSince(start));
  EXPECT_FALSE(report->changed());
  apply(none);
  fmt::print("from empty: compiled {:.1f} ms, in force {:.1f} ms, settled {:.1f} ms\n",
             Median(whole_compiled), Median(whole), Median(whole_settled));
  fmt::print(
      "one endpoint: compiled {:.2f} ms, in force {:.2f} ms (p99 {:.2f}), settled {:.2f} ms\n",
      Median(one_compiled), Median(one), P99(one), Median(one_settled));
  EXPECT_LT(Median(whole), 2000);
  EXPECT_LT(Median(one), 20);
}

TEST_P(Scale, AThousandRulesCostANewFlowLittleMoreThanOne) {
  constexpr int kFlows = 2000;
  const auto first_packets = [&](int rules) {
    Policy(config.subnets[0], rules);
    Apply();
    std::vector<double> costs;
    for (int i = 0; i < kFlows; ++i)
      costs.push_back(FirstPacket(skel()->progs.nx_out, Udp(cast().pod, cast().web)));
    return Median(costs);
  };
  std::vector<double> one, thousand;
  for (int round = 0; round < 5; ++round) {
    one.push_back(first_packets(1));
    thousand.push_back(first_packets(1000));
  }
  fmt::print("first packet: 1 rule {:.0f} ns, 1000 rules {:.0f} ns, ratio {:.2f}\n", Median(one),
             Median(thousand), Median(thousand) / Median(one));
  RecordProperty("ratio", fmt::format("{:.2f}", Median(thousand) / Median(one)));
  EXPECT_LT(Median(thousand), 2 * Median(one));
}

// One Service called again and again is in the processor's caches, as it is on a busy node; of all
// of them in turn, each has to be fetched from memory, which is no matter of how they are found.
TEST_P(Scale, ThirtyThousandServicesCostAFirstPacketLittleMoreThanAHundred) {
  constexpr int kFlows = 1000;
  auto maps = maps::ConfigMaps::Open([&](const char* map) -> Result<int> {
    return bpf_object__find_map_fd_by_name(skel()->obj, map);
  });
  ASSERT_TRUE(maps) << maps.error().ToString();
  daemon::Applier applier(*std::move(maps));
  const auto called = [&](const model::Service& service) {
    PacketSpec call = Tcp(cast().other_pod, cast().service);
    call.dst = service.cluster_ips[0].ToString();
    call.dport = 80;
    return call;
  };
  std::vector<double> again[2], in_turn[2];
  for (int round = 0; round < 5; ++round)
    for (const bool many : {false, true}) {
      const int services = many ? 30000 : 100;
      config.services = ManyServices(services, 1);
      const auto made =
          compile::Compile(config, host, {*applier.Subnets(), {}, *applier.Services()});
      const auto report = applier.Apply(made);
      ASSERT_TRUE(report) << report.error().ToString();
      const auto call = called(config.services[42]);
      ASSERT_EQ(Run(Hook::kPodIn, call).dport(), 8080) << "it is translated";
      std::vector<double> costs[2];
      for (int i = 0; i < kFlows; ++i) {
        // A stride without a divisor in common with either number.
        const auto next = static_cast<std::size_t>((i + 1) * 7919 % services);
        costs[0].push_back(FirstPacket(skel()->progs.nx_pod_in, call));
        costs[1].push_back(FirstPacket(skel()->progs.nx_pod_in, called(config.services[next])));
      }
      again[many].push_back(Median(costs[0]));
      in_turn[many].push_back(Median(costs[1]));
    }
  for (const auto& [how, cost] : {std::pair{"again and again", again}, {"in turn", in_turn}}) {
    const double ratio = Median(cost[1]) / Median(cost[0]);
    fmt::print("first packet, {}: 100 Services {:.0f} ns, 30000 Services {:.0f} ns, ratio {:.3f}\n",
               how, Median(cost[0]), Median(cost[1]), ratio);
    RecordProperty(how, fmt::format("{:.3f}", ratio));
  }
  EXPECT_LT(Median(again[1]), 2 * Median(again[0]));
  EXPECT_LT(Median(in_turn[1]), 6 * Median(in_turn[0]));
}

}  // namespace
}  // namespace natrix
