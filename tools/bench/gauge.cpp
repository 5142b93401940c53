// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gauge.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sched.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "bench.skel.h"
#include "tests/support/setup_error.h"

namespace natrix::bench {
namespace {

constexpr std::uint32_t kBatch = 64;

int FindKsoftirqd(int cpu) {
  const std::string wanted = fmt::format("ksoftirqd/{}", cpu);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name == wanted) return std::stoi(entry.path().filename());
  }
  return -1;
}

void Pin(const cpu_set_t& set) {
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) support::ThrowErrno("sched_setaffinity");
}

int SeenMap(const Wires& wires) { return bpf_map__fd(wires.bpf().maps.bench_seen); }

void Clear(const Wires& wires) {
  const std::vector<bench_seen> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t place = 0; place < BENCH_PLACES; ++place)
    if (bpf_map_update_elem(SeenMap(wires), &place, zero.data(), BPF_ANY) != 0)
      support::ThrowErrno("clear the sinks' counters");
}

std::vector<bench_seen> SeenAt(const Wires& wires, std::uint32_t place) {
  std::vector<bench_seen> seen(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(SeenMap(wires), &place, seen.data()) != 0)
    support::ThrowErrno("read the sinks' counters");
  return seen;
}

std::uint64_t All(const bench_seen& seen) { return seen.right + seen.wrong + seen.bad_sum; }

// BPF_PROG_RUN with live frames: XDP_TX sends them out of the device.
void Generate(const Wires& wires, bench_place from, std::uint32_t packets) {
  bench_order& order = wires.bpf().bss->order;
  xdp_md context{};
  context.data_end = order.is_v6 ? BENCH_FRAME_V6 : BENCH_FRAME_V4;
  context.ingress_ifindex = wires.IndexAt(from);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = order.frame, .data_size_in = context.data_end,
              .ctx_in = &context, .ctx_size_in = sizeof(context),
              .repeat = static_cast<int>(packets), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
              .batch_size = kBatch);
  const support::InNetwork here(wires.at(from));
  const int error = bpf_prog_test_run_opts(bpf_program__fd(wires.bpf().progs.bench_make), &options);
  if (error != 0) support::ThrowErrno("BPF_PROG_RUN with live frames");
}

}  // namespace

Gauge::Gauge(int cpu) : cpu_(cpu), ksoftirqd_(FindKsoftirqd(cpu)) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  Pin(set);
}

Gauge::~Gauge() {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

std::uint64_t Gauge::CpuNs() const {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  std::uint64_t ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                     static_cast<std::uint64_t>(now.tv_nsec);
  std::uint64_t softirqd = 0;
  std::ifstream(fmt::format("/proc/{}/schedstat", ksoftirqd_)) >> softirqd;
  return ns + softirqd;
}

Sample Gauge::Send(const Wires& wires, Passage& passage, std::uint32_t packets) const {
  return Run(wires, passage, packets, false);
}

Sample Gauge::Echo(const Wires& wires, Passage& passage, std::uint32_t packets) const {
  return Run(wires, passage, packets, true);
}

Sample Gauge::Run(const Wires& wires, Passage& passage, std::uint32_t packets, bool echo) const {
  auto& bss = *wires.bpf().bss;
  bss.order = passage.order;
  bss.order.made = 0;
  passage.wanted.echo = echo;
  bss.wanted[passage.to] = passage.wanted;
  bss.wanted[passage.from] = passage.back;
  Clear(wires);
  const std::uint64_t before = CpuNs();
  Generate(wires, passage.from, packets);
  const std::uint64_t after = CpuNs();
  Sample sample{.sent = bss.order.made};
  passage.order.at = bss.order.at;
  passage.order.fresh = bss.order.fresh;
  // Whatever is left to ksoftirqd arrives soon; what does not within a millisecond was lost.
  std::vector<bench_seen> seen = SeenAt(wires, passage.to);
  const auto here = static_cast<std::size_t>(cpu_);
  for (std::uint64_t so_far = ~0ULL; All(seen[here]) < sample.sent && All(seen[here]) != so_far;) {
    so_far = All(seen[here]);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    seen = SeenAt(wires, passage.to);
  }
  for (std::size_t cpu = 0; cpu < seen.size(); ++cpu) {
    sample.right += seen[cpu].right;
    sample.wrong += seen[cpu].wrong + seen[cpu].bad_sum;
    if (cpu != static_cast<std::size_t>(cpu_)) sample.astray += All(seen[cpu]);
  }
  for (const bench_seen& back : SeenAt(wires, passage.from)) sample.returned += back.right;
  sample.ns_per_packet = static_cast<double>(after - before) /
                         static_cast<double>(std::max<std::uint64_t>(1, sample.sent));
  return sample;
}

}  // namespace natrix::bench
