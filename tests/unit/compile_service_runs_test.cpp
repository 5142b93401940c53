// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/compile_services.h"

// What stays of Services between two configurations, where there are enough for many runs.
namespace natrix::compile {
namespace {

Wanted After(const model::Config& config, const Wanted& before) {
  return Compile(config, Host(), {before.subnet, before.made, before.services});
}

model::Service Numbered(int i) {
  model::Service service =
      Service(fmt::format("s{}", i), {fmt::format("10.96.{}.{}", i / 256, i % 256)},
              {Endpoint({fmt::format("10.16.{}.{}", i / 256, i % 256)})});
  if (i % 7 == 0) service.ports[0].node_port = static_cast<std::uint16_t>(30000 + i);
  return service;
}

model::Config Numbered(int first, int last) {
  model::Config config = Config({});
  for (int i = first; i < last; ++i) config.services.emplace_back(Numbered(i));
  return config;
}

// Every address that is called, with who answers there: what does not depend on numbers.
std::vector<std::string> Answers(const Services& services) {
  std::map<std::uint32_t, std::string> endpoints;
  for (const auto& [key, block] : services.AllBackends())
    for (const nx_backend& one : block.at)
      endpoints[key.service] += fmt::format(" {}:{}", Address{one.addr}.ToString(), Port(one.port));
  std::vector<std::string> list;
  for (const auto& [key, value] : services.AllServices())
    list.push_back(Show(key, value) + endpoints[value.number]);
  return list;
}

template <typename K, typename V>
Table<K, V> Edited(Table<K, V> table, const Edits<K, V>& edits) {
  for (const K& key : edits.erase) EXPECT_EQ(table.erase(key), 1u);
  for (const auto& [key, value] : edits.write) table.insert_or_assign(key, value);
  return table;
}

template <typename K, typename V>
void ExpectSame(const Table<K, V>& a, const Table<K, V>& b) {
  EXPECT_TRUE(std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return __builtin_memcmp(&x.first, &y.first, sizeof(K)) == 0 &&
           __builtin_memcmp(&x.second, &y.second, sizeof(V)) == 0;
  }));
}

// What natrixd writes when it goes from one to the other is the other, and as good as one that is
// made of nothing.
void ExpectRight(const model::Config& config, const Wanted& before, const Wanted& after) {
  const Services& was = *before.services;
  const Services& is = *after.services;
  const Wanted fresh = Compile(config, Host());
  EXPECT_EQ(Answers(is), Answers(*fresh.services));
  EXPECT_EQ(is.entries(), fresh.services->entries());
  EXPECT_EQ(is.at_any_address, fresh.services->at_any_address);
  for (std::size_t i = 0; i < NX_PORT_WORDS; ++i)
    ASSERT_EQ(is.reserved[i].reserved, fresh.services->reserved[i].reserved) << i;
  const ServiceEdits edits = Diff(was, is);
  ExpectSame(Edited(was.AllServices(), edits.service), is.AllServices());
  ExpectSame(Edited(was.AllBackends(), edits.backend), is.AllBackends());
  ExpectSame(Edited(NamesOf(was), DiffOfNames(was, is)), NamesOf(is));
}

std::size_t NewRuns(const Services& before, const Services& after) {
  const std::set<std::shared_ptr<const ServiceRun>> old(before.runs.begin(), before.runs.end());
  return static_cast<std::size_t>(
      std::ranges::count_if(after.runs, [&](const auto& run) { return !old.contains(run); }));
}

class ServiceRuns : public testing::Test {
 protected:
  // Goes on to the configuration as it is now.
  void Step(const char* what) {
    SCOPED_TRACE(what);
    const Wanted after = After(config, wanted);
    ExpectRight(config, wanted, after);
    new_runs = NewRuns(*wanted.services, *after.services);
    wanted = after;
  }
  auto At(std::size_t i) { return config.services.begin() + static_cast<std::ptrdiff_t>(i); }
  model::Service& Edit(std::size_t i) { return config.services[i].Edit(); }

  model::Config config = Numbered(0, 1000);
  Wanted wanted = Compile(config, Host());
  std::size_t new_runs = 0;
};

TEST_F(ServiceRuns, OneChangeMakesOneRunAnew) {
  ASSERT_GT(wanted.services->runs.size(), 10u);
  Edit(500).endpoints[0].push_back(Endpoint({"10.16.99.1"}));
  Step("changed");
  EXPECT_EQ(new_runs, 1u);

  Edit(3).endpoints[0].clear();
  Edit(996).endpoints[0].clear();
  Step("two far from each other");
  EXPECT_EQ(new_runs, 2u);

  config.services.insert(At(500), Numbered(2000));
  Step("added");
  EXPECT_LE(new_runs, 2u);

  config.services.erase(At(500));
  Step("removed");
  EXPECT_LE(new_runs, 2u);
}

TEST_F(ServiceRuns, AServiceThatIsChangedBackIsWhatItWas) {
  const auto before = Answers(*wanted.services);
  const model::Service was = config.services[500];
  Edit(500).endpoints[0][0] = Endpoint({"10.16.99.1"});
  Step("changed");
  EXPECT_NE(Answers(*wanted.services), before);
  config.services[500] = was;
  Step("changed back");
  EXPECT_EQ(Answers(*wanted.services), before);
}

TEST_F(ServiceRuns, WhatIsReadAnewWithoutSharingIsFoundToBeTheSame) {
  const auto before = wanted.services;
  config = Numbered(0, 1000);
  Step("read anew");
  EXPECT_EQ(wanted.services, before);
}

TEST_F(ServiceRuns, AListMayMoveAndTurnAround) {
  std::ranges::rotate(config.services, At(1));
  Step("the first is the last");
  std::ranges::reverse(config.services);
  Step("turned around");
  std::swap(config.services[1], config.services[998]);
  Step("two changed places");
  config.services.erase(At(0), At(999));
  Step("one is left");
  config.services.clear();
  Step("none is left");
  config = Numbered(500, 1500);
  Step("others came");
}

TEST_F(ServiceRuns, AnotherZoneMakesEverythingAnew) {
  config.node.zone = "za";
  Step("zone");
  EXPECT_EQ(new_runs, wanted.services->runs.size());
}

TEST_F(ServiceRuns, AreRightAndNotTooManyAfterManyChanges) {
  std::mt19937 dice(7);
  const auto any = [&] { return dice() % config.services.size(); };
  int next = 2000;
  for (int step = 0; step < 300; ++step) {
    switch (dice() % 4) {
      case 0:
        config.services.insert(At(any()), Numbered(next++));
        break;
      case 1:
        config.services.erase(At(any()));
        break;
      case 2:
        std::swap(config.services[any()], config.services[any()]);
        break;
      default:
        Edit(any()).endpoints[0] = {Endpoint({fmt::format("10.17.{}.1", step % 256)})};
    }
    const Wanted after = After(config, wanted);
    if (step % 10 == 0) ExpectRight(config, wanted, after);
    wanted = after;
  }
  EXPECT_LT(wanted.services->runs.size(), config.services.size() / 10);
}

TEST_F(ServiceRuns, AreJoinedWhenLittleIsLeftOfThem) {
  std::mt19937 dice(7);
  const std::size_t many = wanted.services->runs.size();
  while (config.services.size() > 100) {
    config.services.erase(At(dice() % config.services.size()));
    wanted = After(config, wanted);
  }
  EXPECT_LE(wanted.services->runs.size(), many / 2);
}

}  // namespace
}  // namespace natrix::compile
