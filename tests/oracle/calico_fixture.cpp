// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/calico_fixture.h"

#include <string_view>
#include <utility>

namespace natrix::oracle {

using model::Address;
using model::Prefix;

model::IpPool PoolOf(const std::string& name, const std::string& cidr, bool nat_outgoing) {
  return {.name = name, .cidr = Prefix::Parse(cidr).value(), .nat_outgoing = nat_outgoing};
}

model::Config CalicoConfig(const model::Node& node) {
  model::Config config;
  config.node = node;
  config.kube_proxy.masquerade_all = true;  // any word of its own: it runs
  model::Calico& calico = config.calico.emplace();
  calico.pools = {PoolOf("nat", "10.16.0.0/16", true), PoolOf("nat-v6", "fd00:10:16::/112", true),
                  PoolOf("routed", "10.17.0.0/16", false),
                  PoolOf("routed-v6", "fd00:10:17::/112", false)};
  return config;
}

CalicoOracle::CalicoOracle() : Oracle(CalicoConfig(LoadConfig(ExamplePath()).node)) {}

void CalicoOracle::ChangeCalico(const std::function<void(model::Calico&)>& change) {
  model::Config config = nodes_.config();
  change(*config.calico);
  nodes_.Apply(config);
}

void CalicoOracle::DropSecondPool(model::Calico& calico) {
  std::erase_if(calico.pools,
                [](const model::IpPool& pool) { return pool.name.starts_with("routed"); });
}

void CalicoOracle::SetAddress(model::Calico& calico) const {
  calico.nat_address.clear();
  for (const Family each : {Family::kIpv4, Family::kIpv6})
    calico.nat_address.push_back(Address::Parse(CastOf(each).egress).value());
}

void CalicoOracle::ExpectAnswered(Place from, const std::string& client) {
  exchange_.Send(from, Udp(client, cast().node));  // refused, and known all the same
  ASSERT_TRUE(Agree(exchange_));
  PacketSpec answer = Udp(cast().node, client);
  std::swap(answer.sport, answer.dport);
  exchange_.SendFromNode(answer);
  EXPECT_TRUE(Arrives(exchange_, {from, cast().node, client}));
}

void CalicoOracle::ExpectSource(const std::string& to, const std::string& src, bool port_changed,
                                Place at) {
  for (const PacketSpec& first :
       {Tcp(cast().pod1, to, support::kSyn), Udp(cast().pod1, to), Echo(cast().pod1, to)}) {
    exchange_.Send(Place::kPod1, first);
    ASSERT_TRUE(Arrives(exchange_, {at, src, to, port_changed}));
  }
}

}  // namespace natrix::oracle
