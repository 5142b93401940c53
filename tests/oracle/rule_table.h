// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <string>

#include "tests/oracle/kube_ovn.h"

namespace natrix::oracle {

// One table as iptables-restore reads it.  Appends "-A CHAIN rule", with the prefix of the family's
// Kube-OVN sets where the rule says @.
class Table {
 public:
  Table(const char* name, Family family) : family_(family), text_(fmt::format("*{}\n", name)) {}

  Table& Policy(const std::string& chain) {
    text_ += fmt::format(":{} ACCEPT [0:0]\n", chain);
    return *this;
  }
  Table& Chain(const std::string& chain) {
    text_ += fmt::format(":{} - [0:0]\n", chain);
    return *this;
  }
  Table& Add(const std::string& chain, std::string rule) {
    for (std::size_t at = 0; (at = rule.find('@', at)) != std::string::npos;)
      rule.replace(at, 1, OvnPrefix(family_));
    text_ += fmt::format("-A {} {}\n", chain, rule);
    return *this;
  }
  std::string Text() const { return text_ + "COMMIT\n"; }

 private:
  Family family_;
  std::string text_;
};

}  // namespace natrix::oracle
