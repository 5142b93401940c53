// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/oracle/rule_table.h"
#include "userspace/model/config.h"

// What Felix, Calico's agent, writes into the nat table, read from its source (felix/rules,
// felix/dataplane/linux) and not from natrix': the two are compared.
namespace natrix::oracle {

// Its chains, and the jumps that it inserts before everybody else's.
void AddCalicoNat(Table& nat, const Config& config, Family family);

// Members by the set's name.
std::map<std::string, std::vector<std::string>> CalicoSets(const model::Calico& calico,
                                                           Family family);

}  // namespace natrix::oracle
