// SPDX-License-Identifier: Apache-2.0
//
// Which endpoints a call may reach, and which of them it does: each side throws its own dice, so
// that what is compared is where many calls arrive.
#include <chrono>
#include <thread>

#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {
namespace {

using model::ServiceEndpoint;
using model::TrafficPolicy;

constexpr int kFew = 40;  // one of four endpoints stays unseen once in 25,000 times
constexpr int kMany = 600;
// Of two degrees of freedom, exceeded by chance once in a million times.
constexpr double kLimit = 27.6;

class ServiceChoice : public ServiceOracle {
 protected:
  // Calls of this protocol from `from`, from ports nobody has called from before.
  PacketSpec Next(const PacketSpec& spec, int calls) {
    PacketSpec next = spec;
    next.sport = next_port_;
    next_port_ = static_cast<std::uint16_t>(next_port_ + calls);
    return next;
  }
  // Both sides reach these, and nothing else, by calls of `address` from `src`.
  void Reaches(Place from, const std::string& src, const std::string& address, std::uint16_t port,
               const std::set<std::string>& expected) {
    SCOPED_TRACE(src + " calls " + address);
    const auto [left, right] = Spreads(from, Next(UdpCall(src, address, port), kFew), kFew);
    EXPECT_EQ(KeysOf(left), expected) << nodes_.left().engine->name();
    EXPECT_EQ(KeysOf(right), expected) << nodes_.right().engine->name();
  }
  static std::string At(const std::string& address, std::uint16_t port = kEndpointPort) {
    return address + ":" + std::to_string(port);
  }
  std::string pod1() const { return At(cast().pod1); }
  std::string pod2() const { return At(cast().pod2); }
  std::string pod3() const { return At(cast().pod3); }
  std::string remote() const { return At(names().remote_pod); }
  // A pod that is no endpoint below.
  std::string caller() const { return PodAddress(family(), Place::kPod3, 2); }

  std::vector<ServiceEndpoint> Three() const {
    return {EndpointIn(Place::kPod1), EndpointIn(Place::kPod2), EndpointIn(Place::kPod3)};
  }
  void ServeUdp(std::vector<ServiceEndpoint> endpoints) {
    Serve(Everywhere(std::move(endpoints), NX_L4_UDP));
  }
  void ReachesByClusterIp(const std::set<std::string>& expected) {
    Reaches(Place::kPod3, caller(), cast().service, kServicePort, expected);
  }

  std::uint16_t next_port_ = 20000;
};
ORACLE_FAMILIES(ServiceChoice);

TEST_P(ServiceChoice, EndpointsAreEquallyLikely) {
  ServeUdp(Three());
  const auto [left, right] =
      Spreads(Place::kPod3, Next(UdpCall(caller(), cast().service), kMany), kMany);
  for (const auto& spread : {left, right}) {
    EXPECT_EQ(KeysOf(spread), (std::set{pod1(), pod2(), pod3()}));
    int total = 0;
    for (const auto& [key, count] : spread) total += count;
    EXPECT_EQ(total, kMany) << "every call arrives";
    EXPECT_LT(ChiSquare(spread), kLimit);
  }
}

TEST_P(ServiceChoice, SoAreThoseOfANodePort) {
  ServeUdp(Three());
  const auto [left, right] =
      Spreads(Place::kOutside, Next(UdpCall(cast().client, cast().node, kNodePort), kMany), kMany);
  for (const auto& spread : {left, right}) {
    EXPECT_EQ(KeysOf(spread), (std::set{pod1(), pod2(), pod3()}));
    EXPECT_LT(ChiSquare(spread), kLimit);
  }
}

TEST_P(ServiceChoice, AFlowStaysWithItsEndpoint) {
  ServeUdp(Three());
  PacketSpec call = Next(UdpCall(caller(), cast().service), 1);
  for (Side* side : {&nodes_.left(), &nodes_.right()}) {
    std::set<std::string> reached;
    for (int i = 0; i < 20; ++i)
      for (const auto& [key, count] : SpreadOf(*side, Place::kPod3, call, 1)) reached.insert(key);
    EXPECT_EQ(reached.size(), 1U) << side->engine->name();
  }
}

TEST_P(ServiceChoice, OneAddressWithSeveralPortsIsSeveralEndpoints) {
  ServeUdp({EndpointIn(Place::kPod1), EndpointIn(Place::kPod1, 8081), RemoteEndpoint()});
  ReachesByClusterIp({pod1(), At(cast().pod1, 8081), remote()});
}

TEST_P(ServiceChoice, PoliciesChooseAmongTheirOwn) {
  model::Service service =
      Everywhere({EndpointIn(Place::kPod1), EndpointIn(Place::kPod2), RemoteEndpoint()}, NX_L4_UDP);
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  ReachesByClusterIp({pod1(), pod2(), remote()});
  Reaches(Place::kOutside, cast().client, names().load_balancer, kServicePort, {pod1(), pod2()});
  Reaches(Place::kOutside, cast().client, cast().node, kNodePort, {pod1(), pod2()});
  // The short cut of the cluster's own.
  Reaches(Place::kPod3, caller(), names().load_balancer, kServicePort, {pod1(), pod2(), remote()});
  service.internal_policy = TrafficPolicy::kLocal;
  service.external_policy = TrafficPolicy::kCluster;
  Serve(service);
  ReachesByClusterIp({pod1(), pod2()});
  Reaches(Place::kOutside, cast().client, cast().node, kNodePort, {pod1(), pod2(), remote()});
}

TEST_P(ServiceChoice, WhatIsNotReadyIsNotChosen) {
  ServeUdp({EndpointIn(Place::kPod1), NotReady(EndpointIn(Place::kPod2)),
            Leaving(EndpointIn(Place::kPod3))});
  ReachesByClusterIp({pod1()});
}

TEST_P(ServiceChoice, WhatLeavesIsChosenWhenNothingElseIsThere) {
  ServeUdp({NotReady(EndpointIn(Place::kPod1)), Leaving(EndpointIn(Place::kPod2)),
            Leaving(RemoteEndpoint())});
  ReachesByClusterIp({pod2(), remote()});
}

TEST_P(ServiceChoice, LocalPolicyPrefersWhatLeavesHereToWhatIsReadyThere) {
  model::Service service =
      Everywhere({Leaving(EndpointIn(Place::kPod1)), RemoteEndpoint()}, NX_L4_UDP);
  service.external_policy = service.internal_policy = TrafficPolicy::kLocal;
  Serve(service);
  ReachesByClusterIp({pod1()});
  Reaches(Place::kOutside, cast().client, cast().node, kNodePort, {pod1()});
  // Cluster policy, by the short cut, has what is ready.
  Reaches(Place::kPod3, caller(), names().load_balancer, kServicePort, {remote()});
  service.endpoints[0].push_back(EndpointIn(Place::kPod2));
  Serve(service);
  ReachesByClusterIp({pod2()});
}

class ServiceZones : public ServiceChoice {
 protected:
  ServiceZones() { config_.node.zone = "zone-a"; }
  static ServiceEndpoint For(ServiceEndpoint endpoint, std::vector<std::string> zones) {
    endpoint.zones = std::move(zones);
    return endpoint;
  }
  std::vector<ServiceEndpoint> Hinted() const {
    return {For(EndpointIn(Place::kPod1), {"zone-a"}),
            For(EndpointIn(Place::kPod2), {"zone-b", "zone-a"}),
            For(EndpointIn(Place::kPod3), {"zone-b"})};
  }
};
ORACLE_FAMILIES(ServiceZones);

TEST_P(ServiceZones, HintsLeaveThoseOfTheNodesZone) {
  ServeUdp(Hinted());
  ReachesByClusterIp({pod1(), pod2()});
  Reaches(Place::kOutside, cast().client, cast().node, kNodePort, {pod1(), pod2()});
}

TEST_P(ServiceZones, NotWhenAReadyOneHasNone) {
  std::vector<ServiceEndpoint> endpoints = Hinted();
  endpoints[1].zones.clear();
  ServeUdp(endpoints);
  ReachesByClusterIp({pod1(), pod2(), pod3()});
  endpoints[1] = NotReady(endpoints[1]);
  ServeUdp(endpoints);
  ReachesByClusterIp({pod1()});
}

TEST_P(ServiceZones, NotWhenNoneIsForTheZoneOrTheNodeHasNone) {
  config_.node.zone = "zone-c";
  ServeUdp(Hinted());
  ReachesByClusterIp({pod1(), pod2(), pod3()});
  config_.node.zone.clear();
  ServeUdp(Hinted());
  ReachesByClusterIp({pod1(), pod2(), pod3()});
}

TEST_P(ServiceZones, NeitherForLocalPolicyNorForWhatLeaves) {
  model::Service service = Everywhere(Hinted(), NX_L4_UDP);
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  Reaches(Place::kOutside, cast().client, cast().node, kNodePort, {pod1(), pod2(), pod3()});
  std::vector<ServiceEndpoint> endpoints = Hinted();
  for (ServiceEndpoint& endpoint : endpoints) endpoint = Leaving(endpoint);
  ServeUdp(endpoints);
  ReachesByClusterIp({pod1(), pod2(), pod3()});
}

class ServiceAffinity : public ServiceChoice {
 protected:
  static constexpr int kClients = 30;

  void ServeAffinity(std::uint32_t seconds, std::vector<ServiceEndpoint> endpoints) {
    model::Service service = Everywhere(std::move(endpoints), NX_L4_UDP);
    service.affinity_seconds = seconds;
    Serve(service);
  }
  std::string Client(int number) const {
    return family() == Family::kIpv4 ? "198.51.100." + std::to_string(100 + number)
                                     : "2001:db8:100::" + std::to_string(100 + number);
  }
  // The endpoint that a call of `address` by a client reaches.
  std::string Chosen(Side& side, const std::string& client, const std::string& address,
                     std::uint16_t port = kServicePort) {
    const Spread spread =
        SpreadOf(side, Place::kOutside, Next(UdpCall(client, address, port), 1), 1);
    return spread.size() == 1 ? spread.begin()->first : "none";
  }
  std::vector<std::string> ChosenByAll(Side& side) {
    std::vector<std::string> chosen;
    for (int i = 0; i < kClients; ++i) chosen.push_back(Chosen(side, Client(i), cast().service));
    return chosen;
  }
  std::vector<Side*> sides() { return {&nodes_.left(), &nodes_.right()}; }
};
ORACLE_FAMILIES(ServiceAffinity);

TEST_P(ServiceAffinity, AClientKeepsItsEndpoint) {
  ServeAffinity(10800, Three());
  for (Side* side : sides()) {
    const std::vector<std::string> chosen = ChosenByAll(*side);
    EXPECT_EQ(std::set(chosen.begin(), chosen.end()), (std::set{pod1(), pod2(), pod3()}))
        << "clients differ; " << side->engine->name();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ChosenByAll(*side), chosen) << side->engine->name();
  }
}

// The state is of the Service's port, wherever it was called.
TEST_P(ServiceAffinity, HoweverItCalls) {
  ServeAffinity(10800, Three());
  for (Side* side : sides()) {
    for (int i = 0; i < 8; ++i) {
      const std::string chosen = Chosen(*side, Client(i), cast().service);
      EXPECT_EQ(Chosen(*side, Client(i), names().external), chosen) << side->engine->name();
      EXPECT_EQ(Chosen(*side, Client(i), names().load_balancer), chosen) << side->engine->name();
      EXPECT_EQ(Chosen(*side, Client(i), cast().node, kNodePort), chosen) << side->engine->name();
    }
  }
}

TEST_P(ServiceAffinity, ForAsLongAsItsLastCallIsYoung) {
  ServeAffinity(2, Three());
  for (Side* side : sides()) {
    const std::string chosen = Chosen(*side, Client(0), cast().service);
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(800));
      EXPECT_EQ(Chosen(*side, Client(0), cast().service), chosen) << side->engine->name();
    }
  }
}

TEST_P(ServiceAffinity, AndNoLonger) {
  ServeAffinity(1, Three());
  for (Side* side : sides()) {
    const std::vector<std::string> before = ChosenByAll(*side);
    std::this_thread::sleep_for(std::chrono::milliseconds(2200));
    EXPECT_NE(ChosenByAll(*side), before) << side->engine->name();
  }
}

TEST_P(ServiceAffinity, AnEndpointThatIsGoneIsNotKept) {
  ServeAffinity(10800, Three());
  for (Side* side : sides()) ChosenByAll(*side);
  ServeAffinity(10800, {EndpointIn(Place::kPod3)});
  for (Side* side : sides())
    EXPECT_EQ(ChosenByAll(*side), std::vector<std::string>(kClients, pod3()))
        << side->engine->name();
}

TEST_P(ServiceAffinity, OtherEndpointsMayComeAndGo) {
  ServeAffinity(10800, {EndpointIn(Place::kPod1), EndpointIn(Place::kPod2)});
  std::vector<std::vector<std::string>> before;
  for (Side* side : sides()) before.push_back(ChosenByAll(*side));
  ServeAffinity(10800, Three());
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(ChosenByAll(*sides()[i]), before[i]) << sides()[i]->engine->name();
}

TEST_P(ServiceAffinity, WithLocalPolicyIsAmongTheNodesOwn) {
  model::Service service =
      Everywhere({EndpointIn(Place::kPod1), EndpointIn(Place::kPod2), RemoteEndpoint()}, NX_L4_UDP);
  service.affinity_seconds = 10800;
  service.external_policy = TrafficPolicy::kLocal;
  Serve(service);
  for (Side* side : sides()) {
    for (int i = 0; i < kClients; ++i) {
      const std::string chosen = Chosen(*side, Client(i), cast().node, kNodePort);
      EXPECT_NE(chosen, remote()) << side->engine->name();
      EXPECT_EQ(Chosen(*side, Client(i), cast().node, kNodePort), chosen) << side->engine->name();
      EXPECT_EQ(Chosen(*side, Client(i), cast().service), chosen)
          << "the ClusterIP has it in its list, too; " << side->engine->name();
    }
  }
}

}  // namespace
}  // namespace natrix::oracle
