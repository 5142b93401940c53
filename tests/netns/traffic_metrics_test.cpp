// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gmock/gmock.h>

#include "tests/netns/scrape.h"
#include "tests/netns/traffic_exchange.h"
#include "tests/netns/traffic_node.h"
#include "tests/netns/traffic_sockets.h"

// What the endpoint says of real traffic.
namespace natrix::netns {
namespace {

class TrafficMetrics : public testing::Test {
 protected:
  TrafficMetrics() : node_({.words = "metrics: {listen: 9188}\n"}) { node_.Start(); }

  // `natrix counters` and a scrape between which nothing happened.
  std::pair<Json, Samples> ReadBoth() const {
    for (int i = 0; i < 100; ++i) {
      Json before = node_.Natrix({"counters", "--all"});
      Samples samples = Scrape(node_.node());
      if (before == node_.Natrix({"counters", "--all"})) return {before, samples};
    }
    throw std::runtime_error("the counters never stand still");
  }

  TrafficNode node_;
};

std::string WayLabels(const Json& row) {
  const std::string cidr = row.at("cidr");
  return fmt::format("cidr=\"{}\",direction=\"{}\",protocol=\"{}\"", cidr,
                     row.at("direction").get<std::string>(),
                     cidr.find(':') == cidr.npos ? "IPv4" : "IPv6");
}

TEST_F(TrafficMetrics, AreWhatNatrixCountersPrints) {
  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    const Path path{node_.pod(), cast.pod1, node_.outside(), cast.web};
    ASSERT_EQ(TransferTcp(path, cast.node, 1 << 20), "");
    ASSERT_EQ(ExchangeUdp(path, cast.node), "");
  }

  const auto [counters, samples] = ReadBoth();

  std::size_t counted = 0;
  for (const Json& row : counters.at("counters")) {
    const std::string labels =
        fmt::format("{{reason=\"{}\",kind=\"{}\"}}", row.at("reason").get<std::string>(),
                    row.at("kind").get<std::string>());
    EXPECT_EQ(samples.at("natrix_packets_total" + labels), row.at("packets")) << labels;
    EXPECT_EQ(samples.at("natrix_bytes_total" + labels), row.at("bytes")) << labels;
    counted += row.at("packets") > 0;
  }
  EXPECT_GT(counted, 2U);
  counted = 0;
  for (const Json& row : counters.at("subnets")) {
    const std::string subnet = row.at("subnet"), direction = row.at("direction");
    const std::string way = WayLabels(row);
    const std::string protocol = way.find("IPv4") == way.npos ? "IPv6" : "IPv4";
    const std::string kube_ovn = fmt::format("{{hostname=\"node1\",subnet_name=\"{}/{}/{}\",{}}}",
                                             subnet, direction, protocol, way);
    const std::string plain = fmt::format("{{subnet=\"{}\",{}}}", subnet, way);
    EXPECT_EQ(samples.at("ovn_subnet_gateway_packets" + kube_ovn), row.at("packets")) << way;
    EXPECT_EQ(samples.at("ovn_subnet_gateway_packet_bytes" + kube_ovn), row.at("bytes")) << way;
    EXPECT_EQ(samples.at("natrix_subnet_wire_packets_total" + plain), row.at("wirePackets"));
    EXPECT_EQ(samples.at("natrix_subnet_wire_bytes_total" + plain), row.at("wireBytes"));
    counted += row.at("packets") > 0;
  }
  // Both directions of both families.
  EXPECT_EQ(counted, 4U);
  EXPECT_GT(samples.at("natrix_flows{table=\"nx_flow\"}") +
                samples.at("natrix_flows{table=\"nx_embryo\"}"),
            0);
}

TEST_F(TrafficMetrics, CountFromTheFirstPacketOn) {
  constexpr std::size_t kDatagrams = 5, kSize = 100;
  for (const Family family : kFamilies) {
    const Cast& cast = CastOf(family);
    const UniqueFd server = OpenUdp(node_.outside(), {cast.web, 53});
    const UniqueFd pod = OpenUdp(node_.pod(), {cast.pod1, 5000});
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      ASSERT_TRUE(SendTo(pod.get(), {cast.web, 53}, Bytes(kSize)));
      ASSERT_TRUE(ReceiveFrom(server.get(), Scaled(milliseconds(2000))));
    }
  }

  const Samples samples = Scrape(node_.node());

  for (const Family family : kFamilies) {
    const bool is4 = family == Family::kIpv4;
    const std::string labels =
        fmt::format("direction=\"egress\",protocol=\"{}\"}}", is4 ? "IPv4" : "IPv6");
    double packets = 0, bytes = 0;
    for (const auto& [name, value] : samples) {
      if (!name.ends_with(labels)) continue;
      if (name.starts_with("ovn_subnet_gateway_packets{")) packets += value;
      if (name.starts_with("ovn_subnet_gateway_packet_bytes{")) bytes += value;
    }
    EXPECT_EQ(packets, kDatagrams) << labels;
    EXPECT_EQ(bytes, kDatagrams * (kSize + 8 + (is4 ? 20 : 40))) << labels;
  }
}

}  // namespace
}  // namespace natrix::netns
