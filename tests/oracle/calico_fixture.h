// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "tests/oracle/oracle_fixture.h"

namespace natrix::oracle {

// A node of Calico's and kube-proxy's: pods 1 and 2 are in a pool with natOutgoing, pod3 is in one
// without.
model::Config CalicoConfig(const model::Node& node);
model::IpPool PoolOf(const std::string& name, const std::string& cidr, bool nat_outgoing);

class CalicoOracle : public Oracle {
 protected:
  CalicoOracle();

  // Puts Calico's part in force, changed.
  void ChangeCalico(const std::function<void(model::Calico&)>& change);
  // pod3 is in no pool.
  static void DropSecondPool(model::Calico& calico);
  void SetAddress(model::Calico& calico) const;

  // What a process of the node answers to a datagram leaves with the address that was called.
  void ExpectAnswered(Place from, const std::string& client);

  // Pod 1 to `to`, first packets of several protocols, all with the source `src`.
  void ExpectSource(const std::string& to, const std::string& src, bool port_changed,
                    Place at = Place::kOutside);
};

}  // namespace natrix::oracle
