// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tools/bench/bench_abi.h"
#include "tools/bench/wires.h"

// Sends packets and tells what each cost.
namespace natrix::bench {

struct Passage {
  bench_place from = BENCH_NEAR;
  bench_place to = BENCH_FAR;
  bench_order order{};
  bench_wanted wanted{};
  bench_wanted back{};  // at `from`, when they are echoed
};

struct Sample {
  double ns_per_packet = 0;
  std::uint64_t sent = 0;
  std::uint64_t right = 0;     // arrived as wanted
  std::uint64_t wrong = 0;     // arrived with other addresses, or with a wrong checksum
  std::uint64_t astray = 0;    // arrived on another CPU: its cost is not in the figure
  std::uint64_t returned = 0;  // came back as wanted, when echoed

  double delivered() const {
    return sent == 0 ? 0 : static_cast<double>(right) / static_cast<double>(sent);
  }
};

// Holds the calling thread on one CPU while it lives.
class Gauge {
 public:
  explicit Gauge(int cpu);
  ~Gauge();
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;

  // Sends `packets` in batches of 64.  Generator, node and sink all run in the softirq of this
  // thread; its CPU time and that of this CPU's ksoftirqd is the cost.  Goes on with the flow
  // numbers in `order`.
  Sample Send(const Wires& wires, Passage& passage, std::uint32_t packets) const;
  // The same with every packet sent back by the sink, so that flows are seen in both directions.
  Sample Echo(const Wires& wires, Passage& passage, std::uint32_t packets) const;

  // CPU time of this thread, and of this CPU's ksoftirqd.
  std::uint64_t CpuNs() const;

 private:
  Sample Run(const Wires& wires, Passage& passage, std::uint32_t packets, bool echo) const;

  int cpu_;
  int ksoftirqd_;  // its process id; -1: not found
};

}  // namespace natrix::bench
