// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gmock/gmock.h>

#include <string>

#include "loader/clock.h"
#include "maps/abi/flow.h"
#include "maps/abi/way.h"
#include "maps/pinned_map.h"
#include "tests/netns/node.h"
#include "tests/support/setup_error.h"
#include "userspace/model/address.h"

// `natrix services`.
namespace natrix::netns {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kServices = R"(
node: {name: node1, addresses: [172.18.0.3], uplinks: [eth0], podDevices: [ovn0]}
services:
- name: web
  namespace: shop
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  externalIPs: [172.18.0.60]
  loadBalancerIPs: [172.18.0.70]
  ports: [{name: http, port: 80, nodePort: 30080}]
  externalTrafficPolicy: Local
  sessionAffinity: ClientIP
  endpoints:
  - {addresses: [10.16.0.10], port: 8080, nodeName: node1}
  - {addresses: [10.16.1.11], port: 8080, nodeName: node2}
  - {addresses: ["fd00:10:16::a"], port: 8080, nodeName: node2}
- name: dns
  clusterIPs: [10.96.0.53]
  ports: [{protocol: UDP, port: 53}]
- name: web
  clusterIPs: [10.96.0.11]
  ports: [{port: 80}]
)";

class CliServices : public NodeTest {
 protected:
  CliServices() { WriteFile(kServices); }

  // The original half of a flow that calls the one and goes to the other.
  static void WriteFlow(const support::Process& daemon, const char* called, std::uint16_t port,
                        const char* endpoint, std::uint16_t source_port) {
    const std::string pins = "/proc/" + std::to_string(daemon.pid()) + "/root" + kPins;
    const UniqueFd program(bpf_obj_get((pins + "/progs/nx_jiffies").c_str()));
    const std::uint32_t now = loader::ReadJiffies(program.get()).value();
    const auto address = [](const char* text) { return model::Address::Parse(text)->bytes; };
    const nx_tuple key{.src = address("10.16.0.99"),
                       .dst = address(called),
                       .sport = htons(source_port),
                       .dport = htons(port),
                       .proto = NX_L4_TCP,
                       .pad = {}};
    nx_established entry{};
    nx_flow& flow = entry.flow;
    flow.src = key.src;
    flow.dst = address(endpoint);
    flow.sport = key.sport;
    flow.dport = htons(8080);
    flow.seen = flow.born = now;
    flow.state = NX_STATE_TCP_ESTABLISHED;
    flow.role = NX_ROLE_ORIGINAL;
    flow.why = NX_R_MASQ_MARK;
    auto map = maps::OpenPinnedMap(pins + "/maps/nx_flow", maps::Access::kReadWrite);
    if (!map || !*map) throw support::SetupError("open nx_flow");
    if (bpf_map_update_elem((*map)->get(), &key, &entry, BPF_ANY) != 0)
      support::ThrowErrno("write nx_flow");
  }
};

std::vector<std::string> AddressesOf(const Json& service) {
  std::vector<std::string> list;
  for (const Json& address : service.at("addresses"))
    list.push_back(address.at("kind").get<std::string>() + " " +
                   address.at("address").get<std::string>() + " " +
                   std::to_string(address.at("port").get<int>()) + " " +
                   address.at("policy").get<std::string>());
  return list;
}

TEST_F(CliServices, SaysWhereEachPortIsCalledAndWhoAnswers) {
  const auto daemon = Start();

  const Json all = NatrixJson({"services"}).at("services");

  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].at("namespace"), "default");
  EXPECT_EQ(all[0].at("name"), "dns");
  EXPECT_EQ(all[0].at("port"), "");
  EXPECT_EQ(all[0].at("protocol"), "udp");
  EXPECT_EQ(all[0].at("endpoints"), Json::array());
  const Json& web = all[2].at("addresses")[0].at("address") == "10.96.0.10" ? all[2] : all[3];
  EXPECT_EQ(web.at("namespace"), "shop");
  EXPECT_EQ(web.at("port"), "http");
  EXPECT_EQ(web.at("affinitySeconds"), 10800);
  EXPECT_THAT(AddressesOf(web),
              ElementsAre("ClusterIP 10.96.0.10 80 Cluster", "ExternalIP 172.18.0.60 80 Local",
                          "LoadBalancer 172.18.0.70 80 Local", "NodePort 0.0.0.0 30080 Local"));
  EXPECT_EQ(web.at("endpoints"), Json::parse(R"([
    {"address": "10.16.0.10", "port": 8080, "listed": true, "local": true, "flows": 0},
    {"address": "10.16.1.11", "port": 8080, "listed": true, "local": false, "flows": 0}])"));
}

TEST_F(CliServices, CountsTheFlowsThatGoToEachEndpoint) {
  Ip("addr add 172.18.0.3/16 dev eth0");
  const auto daemon = Start();
  WriteFlow(daemon, "10.96.0.10", 80, "10.16.0.10", 40000);
  WriteFlow(daemon, "10.96.0.10", 80, "10.16.1.11", 40001);
  WriteFlow(daemon, "172.18.0.60", 80, "10.16.0.10", 40002);
  WriteFlow(daemon, "172.18.0.3", 30080, "10.16.0.10", 40003);
  WriteFlow(daemon, "172.18.0.9", 30080, "10.16.0.10", 40004);  // no address of the node
  WriteFlow(daemon, "10.96.0.10", 80, "10.16.0.77", 40005);     // an endpoint that was there once

  const Json web = NatrixJson({"services", "shop/web"}).at("services");

  ASSERT_EQ(web.size(), 2U);
  const Json& v4 = web[0].at("addresses")[0].at("address") == "10.96.0.10" ? web[0] : web[1];
  EXPECT_EQ(v4.at("flows"), 5);
  ASSERT_EQ(v4.at("endpoints").size(), 3U);
  EXPECT_EQ(v4.at("endpoints")[0].at("flows"), 3);
  EXPECT_EQ(v4.at("endpoints")[1].at("flows"), 1);
  EXPECT_EQ(v4.at("endpoints")[2].at("listed"), false);
  EXPECT_EQ(v4.at("endpoints")[2].at("address"), "10.16.0.77");
  EXPECT_THAT(
      Natrix({"services", "shop/web"}).output,
      AllOf(ContainsRegex("shop/web:http +NodePort +0.0.0.0:30080 +tcp +Local +10800s +2 +5"),
            ContainsRegex("shop/web:http +10.16.0.10:8080 +yes +3"),
            ContainsRegex("shop/web:http +10.16.0.77:8080 +gone +1")));
}

TEST_F(CliServices, OneIsAskedForByItsNameWithOrWithoutItsNamespace) {
  auto daemon = Start();

  EXPECT_EQ(NatrixJson({"services", "web"}).at("services").size(), 3U);
  EXPECT_EQ(NatrixJson({"services", "default/web"}).at("services").size(), 1U);
  const auto none = Natrix({"services", "default/nobody"});
  EXPECT_EQ(none.status, 6);
  EXPECT_THAT(none.errors, HasSubstr("there is no Service \"default/nobody\""));

  // Names are those of what is in force, with or without a natrixd.
  std::string renamed = kServices;
  renamed.replace(renamed.find("name: dns"), 9, "name: ns1");
  WriteFile(renamed);
  Reload(daemon);
  EXPECT_THAT(Natrix({"services"}).output,
              AllOf(HasSubstr("default/ns1 "), Not(HasSubstr("default/dns"))));
  WriteFile(kServices);
  EXPECT_THAT(Natrix({"services"}).output, HasSubstr("default/ns1 "));
}

}  // namespace
}  // namespace natrix::netns
