// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/ipvs_fixture.h"

#include <fmt/core.h>

#include <sstream>
#include <utility>

#include "tests/support/process.h"

namespace natrix::oracle {

void IpvsOracle::AddRule(const std::string& table, const std::string& chain,
                         const std::string& rule) {
  for (Side* side : {&nodes_.left(), &nodes_.right()}) {
    const bool nft = std::string(side->engine->name()) == "iptables-nft";
    support::Argv command{fmt::format("{}-{}", family() == Family::kIpv4 ? "iptables" : "ip6tables",
                                      nft ? "nft" : "legacy"),
                          "-t", table, "-A", chain};
    std::istringstream words(rule);
    for (std::string word; words >> word;) command.push_back(word);
    support::RunCommand(&side->scene.node(), command);
  }
}

void IpvsOracle::Lead(const char* protocol, std::initializer_list<std::uint16_t> ports) {
  for (const std::uint16_t port : ports)
    AddRule("nat", "PREROUTING",
            fmt::format("-d {} -p {} --dport {} -j DNAT --to-destination {}", cast().node, protocol,
                        port, cast().pod1));
}

void IpvsOracle::DropMarkedInput() {
  AddRule("filter", "INPUT", "-m mark --mark 0x4000/0x4000 -j DROP");
}

testing::AssertionResult IpvsOracle::Arrived(const PacketSpec& call, const Arrival& there) const {
  // SCTP: the kernel takes another port, which natrix cannot.
  if (call.protocol != support::kSctp) return Arrives(exchange_, there);
  const testing::AssertionResult same = Agree(exchange_);
  return same ? RightShows(exchange_, Arrival{there.place, there.src, there.dst}) : same;
}

testing::AssertionResult IpvsOracle::Leaves(Place from, PacketSpec call, bool masqueraded) {
  call = Fresh(std::move(call));
  exchange_.Send(from, call);
  return Arrived(call, {Place::kOutside, masqueraded ? cast().node : call.src, call.dst,
                        masqueraded && ports_are_random()});
}

testing::AssertionResult IpvsOracle::Enters(PacketSpec call, bool masqueraded) {
  call = Fresh(std::move(call));
  exchange_.Send(Place::kOutside, call);
  return Arrived(call, {Place::kPod1, masqueraded ? cast().join : call.src, cast().pod1,
                        masqueraded && ports_are_random()});
}

}  // namespace natrix::oracle
