// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/profile.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>

#include "tests/support/setup_error.h"

namespace natrix::bench {
namespace {

constexpr std::uint64_t kEveryNs = 200'000;  // a sample takes some microseconds
constexpr std::size_t kPage = 4096;
constexpr std::size_t kData = 512 * kPage;  // a record takes 16 bytes: 131,072 samples
constexpr std::size_t kRing = kPage + kData;

using Map = std::map<std::uint64_t, std::string>;  // name by first address; "": nothing

// "/tree/bpf/stage/flow.h" -> "bpf/stage/flow.h".
std::string InTree(std::string_view path) {
  const std::size_t at = path.rfind("bpf/");
  return std::string(at == path.npos ? path : path.substr(at));
}

// A program's lines, as machine code: the file of a line is that of the stage that it stands in,
// inlined or not.
struct Lines {
  bpf_prog_info info{};
  std::vector<bpf_line_info> lines;
  std::vector<std::uint64_t> addresses;
  std::vector<std::uint64_t> functions;
  std::vector<std::uint32_t> lengths;

  explicit Lines(int fd) {
    std::uint32_t size = sizeof(info);
    if (bpf_prog_get_info_by_fd(fd, &info, &size) != 0) return;
    lines.resize(info.nr_line_info);
    addresses.resize(info.nr_jited_line_info);
    functions.resize(info.nr_jited_ksyms);
    lengths.resize(info.nr_jited_func_lens);
    bpf_prog_info wanted{};
    wanted.nr_line_info = info.nr_line_info;
    wanted.line_info_rec_size = sizeof(bpf_line_info);
    wanted.line_info = reinterpret_cast<std::uintptr_t>(lines.data());
    wanted.nr_jited_line_info = info.nr_jited_line_info;
    wanted.jited_line_info_rec_size = sizeof(std::uint64_t);
    wanted.jited_line_info = reinterpret_cast<std::uintptr_t>(addresses.data());
    wanted.nr_jited_ksyms = info.nr_jited_ksyms;
    wanted.jited_ksyms = reinterpret_cast<std::uintptr_t>(functions.data());
    wanted.nr_jited_func_lens = info.nr_jited_func_lens;
    wanted.jited_func_lens = reinterpret_cast<std::uintptr_t>(lengths.data());
    if (bpf_prog_get_info_by_fd(fd, &wanted, &size) != 0) addresses.clear();
  }
};

void AddProgram(int fd, Map& map) {
  const Lines program(fd);
  const std::string name = program.info.name;
  if (!name.starts_with("nx_") || program.addresses.size() != program.lines.size()) return;
  const std::unique_ptr<btf, decltype(&btf__free)> types(
      btf__load_from_kernel_by_id(program.info.btf_id), &btf__free);
  if (!types) return;
  for (std::size_t i = 0; i < program.functions.size(); ++i)
    map[program.functions[i] + program.lengths[i]];
  for (std::size_t i = 0; i < program.lines.size(); ++i) {
    const char* file = btf__str_by_offset(types.get(), program.lines[i].file_name_off);
    map[program.addresses[i]] = fmt::format("{} {}", name, InTree(file ? file : "?"));
  }
}

void AddPrograms(Map& map) {
  for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    if (fd) AddProgram(fd.get(), map);
  }
}

Map KernelFunctions() {
  Map map;
  std::ifstream symbols("/proc/kallsyms");
  for (std::string line; std::getline(symbols, line);) {
    if (line.size() < 20) continue;
    const std::size_t at = line.find(' ');
    map.try_emplace(std::stoull(line.substr(0, at), nullptr, 16), line.substr(at + 3));
  }
  return map;
}

std::string NameAt(const Map& map, std::uint64_t address) {
  const auto after = map.upper_bound(address);
  return after == map.begin() ? std::string() : std::prev(after)->second;
}

}  // namespace

Sampler::Sampler() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof(attr);
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.sample_period = kEveryNs;
  attr.sample_type = PERF_SAMPLE_IP;
  attr.disabled = 1;
  attr.exclude_user = 1;
  fd_.Reset(
      static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd_) support::ThrowErrno("perf_event_open of the CPU clock");
  ring_ = ::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (ring_ == MAP_FAILED) support::ThrowErrno("map perf's ring");
}

Sampler::~Sampler() { ::munmap(ring_, kRing); }

void Sampler::Start() { ::ioctl(fd_.get(), PERF_EVENT_IOC_ENABLE, 0); }

std::vector<std::uint64_t> Sampler::Stop() {
  ::ioctl(fd_.get(), PERF_EVENT_IOC_DISABLE, 0);
  auto* page = static_cast<perf_event_mmap_page*>(ring_);
  const char* data = static_cast<const char*>(ring_) + kPage;
  const std::uint64_t head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
  std::vector<std::uint64_t> addresses;
  std::uint64_t at = page->data_tail;
  while (at < head) {
    // Records are multiples of 8 bytes, as the ring is: a field is never cut in two.
    perf_event_header header{};
    std::memcpy(&header, data + at % kData, sizeof(header));
    if (header.size == 0) break;
    if (header.type == PERF_RECORD_SAMPLE) {
      std::uint64_t address = 0;
      std::memcpy(&address, data + (at + sizeof(header)) % kData, sizeof(address));
      addresses.push_back(address);
    }
    at += header.size;
  }
  std::atomic_ref(page->data_tail).store(head, std::memory_order_release);
  return addresses;
}

std::vector<std::pair<std::string, double>> PlacesOf(const std::vector<std::uint64_t>& addresses) {
  const Map functions = KernelFunctions();
  Map programs;
  AddPrograms(programs);
  std::map<std::string, std::size_t> counts;
  for (const std::uint64_t address : addresses) {
    std::string name = NameAt(programs, address);
    if (name.empty()) name = NameAt(functions, address);
    ++counts[name];
  }
  std::vector<std::pair<std::string, double>> places;
  for (const auto& [name, count] : counts)
    places.emplace_back(name, static_cast<double>(count) / static_cast<double>(addresses.size()));
  std::ranges::sort(places, [](const auto& a, const auto& b) { return a.second > b.second; });
  return places;
}

Counts Difference(const Counts& before, const Counts& after) {
  Counts counts;
  for (const auto& [name, count] : after) {
    const auto was = before.find(name);
    counts[name] = count - (was == before.end() ? 0 : was->second);
  }
  return counts;
}

std::string ProfileText(const std::vector<std::uint64_t>& addresses, double ns,
                        const Counts& counts) {
  constexpr double kLeast = 0.01,
                   kLeastOfOurs = 0.002;  // of the whole; smaller ones together are a line
  std::string text = fmt::format("  {:>7} {:>6}  of {} samples\n", "ns", "%", addresses.size());
  double rest = 0;
  const auto line = [&](double share, const std::string& name) {
    text += fmt::format("  {:>7.1f} {:>6.1f}  {}\n", ns * share, 100 * share, name);
  };
  for (const auto& [name, share] : PlacesOf(addresses))
    if (share < (name.starts_with("nx_") ? kLeastOfOurs : kLeast))
      rest += share;
    else
      line(share, name);
  line(rest, "elsewhere");
  for (const auto& [name, count] : counts)
    if (count > 0) text += fmt::format("  {:>14} packets counted as {}\n", count, name);
  return text;
}

}  // namespace natrix::bench
