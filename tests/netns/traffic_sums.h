// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/namespace.h"

namespace natrix::netns {

// Stands behind natrix at a device's ingress and checks skb->csum of every CHECKSUM_COMPLETE
// packet against the packet's bytes.
class SumWitness {
 public:
  SumWitness(const support::Namespace& ns, const std::string& device);
  ~SumWitness();
  SumWitness(const SumWitness&) = delete;
  SumWitness& operator=(const SumWitness&) = delete;

  struct Verdict {
    std::map<std::string, std::uint64_t> complete;  // by "tcp", "udp4 fragment", ...
    std::vector<std::string> wrong;
  };
  // Of all packets so far.
  const Verdict& Judge();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace natrix::netns
