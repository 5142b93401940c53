// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>

#include "tests/oracle/host_ports_fixture.h"

namespace natrix::oracle {

// Two nodes with kube-proxy's helper rules of IPVS mode, without Kube-OVN.  There is no IPVS: what
// it would give another destination goes where it was sent, or where Serve() says.
class IpvsOracle : public HostPortOracle {
 protected:
  IpvsOracle() { config_.ipvs.emplace(); }

  model::Ipvs& ipvs() { return *config_.ipvs; }
  void Apply() { nodes_.Apply(config_); }
  static model::ServicePort At(const std::string& address, std::uint16_t port,
                               nx_l4 protocol = NX_L4_TCP) {
    return {model::Address::Parse(address).value(), protocol, port};
  }
  // A rule of the family's in both nodes, at the end of its chain.
  void AddRule(const std::string& table, const std::string& chain, const std::string& rule);
  // In IPVS' place: what comes for these ports of the node goes to pod1.
  void Lead(const char* protocol, std::initializer_list<std::uint16_t> ports);
  // Drops what comes in for the node itself with the mark, so that the mark is seen.
  void DropMarkedInput();

  // A call that goes out to where it was sent, with the caller's source or masqueraded.
  testing::AssertionResult Leaves(Place from, PacketSpec call, bool masqueraded);
  // A call that goes to pod1.
  testing::AssertionResult Enters(PacketSpec call, bool masqueraded);

 private:
  bool ports_are_random() const { return config_.masquerade.port_choice == NX_PORT_RANDOM; }
  testing::AssertionResult Arrived(const PacketSpec& call, const Arrival& there) const;
};

}  // namespace natrix::oracle
