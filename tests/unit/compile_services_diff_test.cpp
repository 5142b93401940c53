// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/compile_services.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

namespace natrix::compile {
namespace {

using testing::IsEmpty;

Wanted After(const model::Config& config, const Wanted& before) {
  return Compile(config, Host(), {before.subnet, before.made, before.services});
}

model::Config Three() {
  return Config({Service("a", {"10.96.0.1"}, {Endpoint({"10.16.0.1"})}),
                 Service("b", {"10.96.0.2", "fd00:96::2"}, {Endpoint({"10.16.0.2"})}),
                 Service("c", {"10.96.0.3"}, {Endpoint({"10.16.0.3"})})});
}

TEST(ServiceNumbers, AreOfAPortInAFamilyAndSharedByItsAddresses) {
  model::Config config = Three();
  config.services[1].Edit().external_ips = {Addr("172.18.0.60")};
  const auto services = Compile(config, Host()).services;

  EXPECT_NE(NumberAt(*services, "10.96.0.2"), 0u);
  EXPECT_EQ(NumberAt(*services, "10.96.0.2"), NumberAt(*services, "172.18.0.60"));
  EXPECT_NE(NumberAt(*services, "10.96.0.2"), NumberAt(*services, "fd00:96::2"));
  EXPECT_NE(NumberAt(*services, "10.96.0.2"), NumberAt(*services, "10.96.0.1"));
}

TEST(ServiceNumbers, StayWhenAServiceChangesMovesOrLosesItsNeighbours) {
  model::Config config = Three();
  const Wanted before = Compile(config, Host());
  const std::uint32_t b4 = NumberAt(*before.services, "10.96.0.2");
  const std::uint32_t b6 = NumberAt(*before.services, "fd00:96::2");
  const std::uint32_t c = NumberAt(*before.services, "10.96.0.3");
  const std::uint32_t a = NumberAt(*before.services, "10.96.0.1");

  config.services.erase(config.services.begin());
  config.services[0].Edit().endpoints[0].push_back(Endpoint({"10.16.0.9"}));
  config.services[0].Edit().ports[0].port = 81;
  std::swap(config.services[0], config.services[1]);
  config.services.push_back(Service("d", {"10.96.0.4"}, {}));
  const Wanted after = After(config, before);

  EXPECT_EQ(NumberAt(*after.services, "10.96.0.2", 81), b4);
  EXPECT_EQ(NumberAt(*after.services, "fd00:96::2", 81), b6);
  EXPECT_EQ(NumberAt(*after.services, "10.96.0.3"), c);
  EXPECT_NE(NumberAt(*after.services, "10.96.0.4"), a);  // not given away at once
  EXPECT_NE(NumberAt(*after.services, "10.96.0.4"), 0u);
}

TEST(ServiceNumbers, AreKnownAgainFromTheMaps) {
  model::Config config = Three();
  const Wanted before = Compile(config, Host());
  auto read = std::make_shared<Services>();
  ServiceEntries rest;
  for (const auto& pair : before.services->AllServices()) rest.service.push_back(pair);
  for (const auto& pair : before.services->AllBackends()) rest.backend.push_back(pair);
  read->rest = std::make_shared<const ServiceEntries>(rest);

  config.services.insert(config.services.begin(), Service("z", {"10.96.0.9"}, {}));
  const Wanted after = Compile(config, Host(), {before.subnet, before.made, read});

  for (const char* address : {"10.96.0.1", "10.96.0.2", "fd00:96::2", "10.96.0.3"})
    EXPECT_EQ(NumberAt(*after.services, address), NumberAt(*before.services, address)) << address;
  const ServiceEdits edits = Diff(*read, *after.services);
  EXPECT_EQ(edits.service.write.size(), 1u);
  EXPECT_THAT(edits.service.erase, IsEmpty());
  EXPECT_TRUE(edits.backend.empty());
}

// A NodePort of "a" at an address of the node is no ClusterIP of "d" that was there before.
TEST(ServiceNumbers, OfANodePortAreNotTakenForThoseOfANewService) {
  model::Config config = Three();
  config.services[0].Edit().ports[0].node_port = 30080;
  config.kube_proxy.node_port_addresses = {Net("10.1.0.0/16")};
  const Wanted before = Compile(config, Host());
  ASSERT_EQ(NumberAt(*before.services, "10.1.0.3", 30080), NumberAt(*before.services, "10.96.0.1"));

  config.services.push_back(Service("d", {"10.1.0.3"}, {Endpoint({"10.16.0.9"})}));
  config.services[3].Edit().ports[0].port = 30080;
  const Wanted after = After(config, before);

  EXPECT_NE(NumberAt(*after.services, "10.1.0.3", 30080), NumberAt(*after.services, "10.96.0.1"));
  EXPECT_EQ(after.services->AllBackends().size(), 4u);  // blocks of one each
}

TEST(ServiceNames, AreOfEveryNumberAndChangeWithWhatChanged) {
  model::Config config = Three();
  config.services[1].Edit().ports[0].name = "http";
  const Wanted before = Compile(config, Host());
  const ServiceNames names = NamesOf(*before.services);
  ASSERT_EQ(names.size(), 4u);
  for (const char* address : {"10.96.0.2", "fd00:96::2"}) {
    const nx_service_name& name = names.at(NumberAt(*before.services, address));
    EXPECT_STREQ(name.name_space, "default");
    EXPECT_STREQ(name.name, "b");
    EXPECT_STREQ(name.port, "http");
  }

  config.services[0].Edit().endpoints[0][0] = Endpoint({"10.16.0.9"});
  config.services[2].Edit().name = std::string(70, 'c');
  const Wanted after = After(config, before);
  const auto edits = DiffOfNames(*before.services, *after.services);

  EXPECT_THAT(edits.erase, testing::ElementsAre(NumberAt(*before.services, "10.96.0.3")));
  ASSERT_EQ(edits.write.size(), 1u);
  EXPECT_EQ(edits.write[0].first, NumberAt(*after.services, "10.96.0.3"));
  EXPECT_EQ(std::string(edits.write[0].second.name), std::string(63, 'c'));
}

TEST(ServiceDiff, OneEndpointIsOneEntry) {
  model::Config config = Three();
  const Wanted before = Compile(config, Host());
  config.services[1].Edit().endpoints[0][0] = Endpoint({"10.16.0.9"});

  const Wanted after = After(config, before);
  const ServiceEdits edits = Diff(*before.services, *after.services);

  EXPECT_EQ(PartAt(*after.services, 0), PartAt(*before.services, 0));
  EXPECT_EQ(PartAt(*after.services, 2), PartAt(*before.services, 2));
  EXPECT_TRUE(edits.service.empty());
  ASSERT_EQ(edits.backend.write.size(), 1u);
  EXPECT_EQ(Address{edits.backend.write[0].second.at[0].addr}.ToString(), "10.16.0.9");
  EXPECT_THAT(edits.backend.erase, IsEmpty());
}

TEST(ServiceDiff, ANodePortThatNobodyServesStaysRefusedWhenAnotherServiceChanges) {
  const auto refused = testing::Contains(testing::StartsWith("0.0.0.0:30080/6 "));
  model::Config config = Three();
  config.kube_proxy.node_port_addresses = {Net("192.0.2.0/24")};
  config.services[0].Edit().endpoints[0].clear();
  config.services[0].Edit().ports[0].node_port = 30080;
  const Wanted before = Compile(config, Host());
  ASSERT_THAT(CalledAt(before), refused);

  config.services[1].Edit().endpoints[0].push_back(Endpoint({"10.16.0.9"}));
  const Wanted other = After(config, before);
  EXPECT_THAT(CalledAt(other), refused);

  config.services[0].Edit().endpoints[0].push_back(Endpoint({"10.16.0.1"}));
  EXPECT_THAT(CalledAt(After(config, other)), testing::Not(refused));
}

TEST(ServiceDiff, NothingIsMadeWhenNothingChanged) {
  const Wanted before = Compile(Three(), Host());

  EXPECT_EQ(After(Three(), before).services, before.services);
}

TEST(ServiceDiff, AnAddressThatMovesToAnotherServiceIsWrittenAndNotErased) {
  model::Config config = Three();
  const Wanted before = Compile(config, Host());
  std::swap(config.services[0].Edit().cluster_ips, config.services[2].Edit().cluster_ips);

  const ServiceEdits edits = Diff(*before.services, *After(config, before).services);

  EXPECT_EQ(edits.service.write.size(), 2u);
  EXPECT_THAT(edits.service.erase, IsEmpty());
}

TEST(ServiceDiff, AnotherNodeMakesAllPartsAnewWithTheirNumbers) {
  model::Config config = Three();
  const Wanted before = Compile(config, Host());
  config.node.zone = "za";

  const Wanted after = After(config, before);

  EXPECT_NE(after.services, before.services);
  EXPECT_TRUE(Diff(*before.services, *after.services).empty());
}

TEST(ServiceSizes, AreThoseOfTheTables) {
  model::Config config = Three();
  Wanted wanted = Compile(config, Host());
  config.services.erase(config.services.begin() + 1);
  config.services[0].Edit().external_ips = {Addr("172.18.0.60")};
  wanted = After(config, wanted);

  const Services::Sizes sizes = wanted.services->entries();
  EXPECT_EQ(sizes.service, wanted.services->AllServices().size());
  EXPECT_EQ(sizes.backend, wanted.services->AllBackends().size());
  EXPECT_EQ(sizes.service, 3u);
  EXPECT_EQ(sizes.backend, 2u);
}

}  // namespace
}  // namespace natrix::compile
