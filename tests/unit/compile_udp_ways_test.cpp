// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/unit/compile_services.h"
#include "userspace/compile/udp_ways.h"

namespace natrix::compile {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> Show(const UdpWays& ways) {
  std::vector<std::string> list;
  for (const UdpWay& way : ways)
    list.push_back(fmt::format("{}:{} {}:{}", Address{way.called}.ToString(), Port(way.called_port),
                               Address{way.endpoint}.ToString(), Port(way.endpoint_port)));
  return list;
}

model::Service Dns(std::vector<model::ServiceEndpoint> endpoints) {
  model::Service service = Service("dns", {"10.96.0.53", "fd00:96::53"}, std::move(endpoints));
  service.ports = {{.name = "", .protocol = NX_L4_UDP, .port = 53, .node_port = 30053}};
  return service;
}

TEST(UdpWays, LeadFromEveryAddressOfAFamilyToItsEndpoints) {
  model::Service service = Dns({Endpoint({"10.16.0.1", "fd00:16::1"})});
  service.external_ips = {Addr("172.18.0.60")};
  service.load_balancer_ips = {Addr("fd00::70")};

  EXPECT_THAT(Show(UdpWaysOf(Config({service}))),
              UnorderedElementsAre("10.96.0.53:53 10.16.0.1:8080", "172.18.0.60:53 10.16.0.1:8080",
                                   "0.0.0.0:30053 10.16.0.1:8080", "fd00:96::53:53 fd00:16::1:8080",
                                   "fd00::70:53 fd00:16::1:8080", ":::30053 fd00:16::1:8080"));
}

TEST(UdpWays, AreNoneOfTcp) {
  EXPECT_THAT(Show(UdpWaysOf(Config({Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"})})}))),
              IsEmpty());
}

TEST(UdpWays, EndWithTheEndpointNotWithItsReadiness) {
  const auto with = [](Conditions is) {
    return Config({Dns({Endpoint({"10.16.0.1"}), Endpoint({"10.16.0.2"}, "n1", is)})});
  };

  EXPECT_THAT(Show(EndedUdpWays(with({}), with(kTerminating))), IsEmpty());
  EXPECT_THAT(Show(EndedUdpWays(with(kTerminating), with(kDead))),
              UnorderedElementsAre("10.96.0.53:53 10.16.0.2:8080", "0.0.0.0:30053 10.16.0.2:8080"));
}

TEST(UdpWays, EndWithTheirService) {
  const model::Config before =
      Config({Service("a", {"10.96.0.1"}, {}), Dns({Endpoint({"fd00:16::1"})}),
              Service("c", {"10.96.0.3"}, {})});
  model::Config after = before;
  after.services.erase(after.services.begin() + 1);

  EXPECT_THAT(Show(EndedUdpWays(before, after)),
              UnorderedElementsAre("fd00:96::53:53 fd00:16::1:8080", ":::30053 fd00:16::1:8080"));
}

TEST(UdpWays, StraightToAnAddressEndWhenThatIsCalled) {
  const model::Config after =
      Config({Service("a", {"10.96.0.1"}, {}), Dns({Endpoint({"10.16.0.1"})})});
  model::Config before = after;
  before.services[1].Edit().endpoints[0].clear();

  const UdpWays ended = EndedUdpWays(before, after);
  EXPECT_THAT(Show(ended),
              UnorderedElementsAre("10.96.0.53:53 10.96.0.53:53", "0.0.0.0:30053 0.0.0.0:30053"));
  const auto at = [](const char* called, const char* endpoint, std::uint16_t port) {
    return UdpWay{Addr(called).bytes, Addr(endpoint).bytes, htons(30053), htons(port)};
  };
  EXPECT_TRUE(ended.contains(at("172.18.0.3", "172.18.0.3", 30053).AtAll()));
  EXPECT_FALSE(ended.contains(at("172.18.0.3", "172.18.0.4", 30053).AtAll()));
  EXPECT_FALSE(ended.contains(at("172.18.0.3", "172.18.0.3", 53).AtAll()));
}

TEST(UdpWays, OfHostPortsEndWithTheirContainer) {
  model::Config before = Config({}), after = before;
  model::HostPorts ports{
      .container = "dns",
      .addresses = {Net("10.88.0.5/16"), Net("fd00:88::5/64")},
      .mappings = {{.host_ip = {}, .host_port = 53, .container_port = 5353, .protocol = NX_L4_UDP},
                   {.host_ip = Addr("172.18.0.3"),
                    .host_port = 54,
                    .container_port = 5353,
                    .protocol = NX_L4_UDP},
                   {.host_ip = {}, .host_port = 80, .container_port = 80}}};
  before.host_ports = {ports};
  ports.mappings.erase(ports.mappings.begin());
  after.host_ports = {ports};

  EXPECT_THAT(Show(UdpWaysOf(after)), UnorderedElementsAre("172.18.0.3:54 10.88.0.5:5353"));
  EXPECT_THAT(Show(EndedUdpWays(before, after)),
              UnorderedElementsAre("0.0.0.0:53 10.88.0.5:5353", ":::53 fd00:88::5:5353"));
}

TEST(UdpWays, StayWhenTheirServiceMovesOrIsWrittenAnew) {
  const model::Config before = Config(
      {Service("a", {"10.96.0.1"}, {}), Dns({Endpoint({"10.16.0.1"}), Endpoint({"10.16.0.2"})})});
  const model::Config after = Config(
      {Dns({Endpoint({"10.16.0.2"}), Endpoint({"10.16.0.1"})}), Service("a", {"10.96.0.1"}, {})});

  EXPECT_THAT(Show(EndedUdpWays(before, after)), IsEmpty());
}

}  // namespace
}  // namespace natrix::compile
