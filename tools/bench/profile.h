// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/unique_fd.h"

// Where the kernel spends this thread's time, by stage of the datapath and by function.
namespace natrix::bench {

// Samples this thread by the kernel's CPU clock, which needs no counters of the processor.
class Sampler {
 public:
  Sampler();
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  void Start();
  // Addresses in the kernel since then.
  std::vector<std::uint64_t> Stop();

 private:
  UniqueFd fd_;
  void* ring_ = nullptr;
};

using Counts = std::map<std::string, std::uint64_t>;  // packets by reason
Counts Difference(const Counts& before, const Counts& after);

// For people: `ns` of a packet by place, and what the packets were counted as.
std::string ProfileText(const std::vector<std::uint64_t>& addresses, double ns,
                        const Counts& counts);

// A place and its share of the samples, largest first.  In programs of natrix: program and source
// file ("nx_pod_in bpf/stage/flow.h"); elsewhere the kernel's function.
std::vector<std::pair<std::string, double>> PlacesOf(const std::vector<std::uint64_t>& addresses);

}  // namespace natrix::bench
