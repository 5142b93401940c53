// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/metrics.h"

#include <prometheus/metric_family.h>
#include <sys/utsname.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "maps/abi/flow.h"
#include "maps/abi/names.h"
#include "maps/counter_maps.h"
#include "maps/flow_half.h"
#include "maps/keyed_map_view.h"
#include "userspace/model/address.h"
#include "userspace/model/detour_text.h"
#include "userspace/model/reason_text.h"

namespace natrix::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily Counter(const char* name, const char* help) {
  return {.name = name, .help = help, .type = MetricType::Counter, .metric = {}};
}

MetricFamily Gauge(const char* name, const char* help) {
  return {.name = name, .help = help, .type = MetricType::Gauge, .metric = {}};
}

void Add(MetricFamily& family, Labels labels, std::uint64_t value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
      static_cast<double>(value);
  family.metric.push_back(std::move(metric));
}

// One direction of one CIDR, as labels name it.
struct Way {
  std::string subnet;
  std::string cidr;
  std::string direction;
  std::string protocol;

  Way(const nx_subnet& entry, nx_direction way)
      : subnet(entry.name), direction(way == NX_EGRESS ? "egress" : "ingress") {
    const model::Prefix prefix = model::Prefix::FromAbi(entry.cidr);
    cidr = prefix.ToString();
    protocol = prefix.family() == model::Family::kIpv4 ? "IPv4" : "IPv6";
  }

  // Kube-OVN's, to the letter: its `subnet_name` holds more than the name
  // (facts: pkg/daemon/gateway_linux.go, setOvnSubnetGatewayMetric).
  Labels KubeOvn(const std::string& node) const {
    return {{"hostname", node},
            {"subnet_name", subnet + "/" + direction + "/" + protocol},
            {"cidr", cidr},
            {"direction", direction},
            {"protocol", protocol}};
  }
  Labels Plain() const {
    return {{"subnet", subnet}, {"cidr", cidr}, {"direction", direction}, {"protocol", protocol}};
  }
};

// How full a flow table is.
struct FlowCount {
  const char* table;
  std::uint64_t entries = 0;
  std::uint64_t flows = 0;  // entries of the direction that a flow began with
  std::uint64_t room = 0;
};

class Metrics : public prometheus::Collectable {
 public:
  using FlowView = maps::HashMapView<nx_tuple, nx_established>;
  using EmbryoView = maps::LruMapView<nx_tuple, nx_flow>;

  Metrics(std::string node, maps::CounterMaps maps, FlowView flows, EmbryoView embryos)
      : node_(std::move(node)),
        maps_(std::move(maps)),
        flows_(std::move(flows)),
        embryos_(std::move(embryos)) {}

  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> families;
    bool up = AddSubnets(families);
    up &= AddReasons(families);
    up &= AddDetours(families);
    up &= AddFlows(families);
    up &= AddGeneration(families);
    families.push_back(Gauge("natrix_up", "Whether the datapath's maps could be read."));
    Add(families.back(), {}, up);
    families.push_back(Gauge("natrix_build_info", "The build that answers; always 1."));
    Add(families.back(), {{"version", NATRIX_VERSION}, {"layout", std::to_string(NX_LAYOUT)}}, 1);
    return families;
  }

 private:
  bool AddSubnets(std::vector<MetricFamily>& families) const {
    const auto list = maps_.Subnets();
    if (!list) return false;
    auto packets = Counter("ovn_subnet_gateway_packets",
                           "Packets forwarded from and to a subnet, as Kube-OVN counts them.");
    auto bytes = Counter("ovn_subnet_gateway_packet_bytes",
                         "Bytes of these packets, from the IP header on.");
    auto wire_packets = Counter("natrix_subnet_wire_packets_total",
                                "The same packets as the wire has them: GSO packets split up.");
    auto wire_bytes =
        Counter("natrix_subnet_wire_bytes_total", "Bytes of these packets, from the IP header on.");
    for (const maps::SubnetCounters& counters : *list)
      for (const nx_direction direction : {NX_EGRESS, NX_INGRESS}) {
        const Way way(counters.subnet, direction);
        const nx_gateway& sum = counters.sums[direction];
        Add(packets, way.KubeOvn(node_), sum.packets);
        Add(bytes, way.KubeOvn(node_), sum.bytes);
        Add(wire_packets, way.Plain(), sum.wire_packets);
        Add(wire_bytes, way.Plain(), sum.wire_bytes);
      }
    for (MetricFamily* family : {&packets, &bytes, &wire_packets, &wire_bytes})
      families.push_back(std::move(*family));
    return true;
  }

  bool AddReasons(std::vector<MetricFamily>& families) const {
    const auto sums = maps_.Reasons();
    if (!sums) return false;
    auto packets = Counter("natrix_packets_total", "Packets by what became of them, and why.");
    auto bytes = Counter("natrix_bytes_total", "Bytes of these packets, from Ethernet on.");
    for (unsigned reason = 0; reason < sums->size(); ++reason) {
      const model::ReasonText text = model::TextOf(reason);
      const Labels labels = {{"reason", text.name}, {"kind", text.kind}};
      Add(packets, labels, (*sums)[reason].packets);
      Add(bytes, labels, (*sums)[reason].bytes);
    }
    families.push_back(std::move(packets));
    families.push_back(std::move(bytes));
    return true;
  }

  bool AddDetours(std::vector<MetricFamily>& families) const {
    const auto sums = maps_.Detours();
    if (!sums) return false;
    auto packets = Counter("natrix_detours_total",
                           "Packets of established flows that went through the stack, and why.");
    for (unsigned detour = 0; detour < sums->size(); ++detour)
      Add(packets, {{"detour", model::DetourTextOf(detour).name}}, (*sums)[detour].packets);
    families.push_back(std::move(packets));
    return true;
  }

  template <typename View>
  static std::optional<FlowCount> CountFlows(const char* table, const View& view) {
    FlowCount count{.table = table, .room = view.info().max_entries};
    const auto read = view.ForEach([&](const nx_tuple&, const auto& entry) {
      ++count.entries;
      count.flows += maps::FlowOf(entry).role == NX_ROLE_ORIGINAL;
    });
    if (!read) return std::nullopt;
    return count;
  }

  bool AddFlows(std::vector<MetricFamily>& families) const {
    const auto established = CountFlows("nx_flow", flows_);
    const auto embryos = CountFlows("nx_embryo", embryos_);
    if (!established || !embryos) return false;
    auto flows = Gauge("natrix_flows", "Connections in a flow table.");
    auto entries = Gauge("natrix_flow_entries", "Entries of a flow table: two a connection.");
    auto room = Gauge("natrix_flow_entries_max", "Entries that a flow table has room for.");
    for (const FlowCount& count : {*established, *embryos}) {
      const Labels labels = {{"table", count.table}};
      Add(flows, labels, count.flows);
      Add(entries, labels, count.entries);
      Add(room, labels, count.room);
    }
    for (MetricFamily* family : {&flows, &entries, &room}) families.push_back(std::move(*family));
    return true;
  }

  bool AddGeneration(std::vector<MetricFamily>& families) const {
    const auto generation = maps_.generation.At(0);
    if (!generation) return false;
    families.push_back(
        Gauge("natrix_generation", "Number of the configuration in force; each change adds one."));
    Add(families.back(), {}, generation->number);
    return true;
  }

  std::string node_;
  maps::CounterMaps maps_;
  FlowView flows_;
  EmbryoView embryos_;
};

std::string HostName() {
  utsname names{};
  return uname(&names) == 0 ? names.nodename : "";
}

}  // namespace

Result<std::shared_ptr<const prometheus::Collectable>> MakeMetrics(const maps::FdOf& fd_of,
                                                                   const std::string& node) {
  auto maps = maps::CounterMaps::Open(fd_of);
  if (!maps) return std::unexpected(std::move(maps).error());
  maps::Opener open(fd_of);
  auto flows = open.Open<Metrics::FlowView>("nx_flow");
  auto embryos = open.Open<Metrics::EmbryoView>("nx_embryo");
  if (!open.done()) return std::unexpected(std::move(open.done()).error());
  return std::make_shared<Metrics>(node.empty() ? HostName() : node, *std::move(maps),
                                   *std::move(flows), *std::move(embryos));
}

}  // namespace natrix::daemon
