// SPDX-License-Identifier: Apache-2.0
#include "tests/guard/program_figures.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <sstream>
#include <utility>

#include "tests/support/setup_error.h"

namespace natrix::guard {
namespace {

using support::SetupError;
using support::ThrowErrno;

constexpr std::uint32_t kLogStats = 4;  // BPF_LOG_STATS of the kernel's bpf_verifier.h
constexpr std::size_t kLogSize = std::size_t{1} << 20;
constexpr std::uint32_t kRingSize = 1 << 18;  // as the loader's default

using Object = std::unique_ptr<bpf_object, decltype(&bpf_object__close)>;

// As the loader does: constants that verification depends on.
void SetConstant(bpf_object* object, const char* name, std::uint32_t value) {
  const btf* types = bpf_object__btf(object);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) throw SetupError("the object has no .rodata");
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(section));
  const btf_var_secinfo* vars = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const btf_type* var = btf__type_by_id(types, vars[i].type);
    if (std::string_view(btf__name_by_offset(types, var->name_off)) != name) continue;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      std::size_t size = 0;
      auto* bytes = static_cast<char*>(bpf_map__initial_value(map, &size));
      if (!bytes || !std::string_view(bpf_map__name(map)).ends_with(".rodata")) continue;
      std::memcpy(bytes + vars[i].offset, &value, sizeof(value));
      return;
    }
  }
  throw SetupError(std::string("the object has no constant ") + name);
}

Object Open(const std::string& path) {
  Object object(bpf_object__open_file(path.c_str(), nullptr), &bpf_object__close);
  if (!object) ThrowErrno("open " + path);
  SetConstant(object.get(), "nx_clock_size", kRingSize);
  return object;
}

// The verifier's "stack depth 64+0+32", in the order of the functions' starts.
std::vector<std::uint64_t> DepthsIn(std::string_view log, const std::string& program) {
  constexpr std::string_view kWords = "stack depth ";
  const std::size_t at = log.rfind(kWords);
  if (at == log.npos) throw SetupError(program + ": the verifier told no stack depth");
  std::istringstream text(std::string(log.substr(at + kWords.size())));
  std::vector<std::uint64_t> depths;
  char plus = '+';
  for (std::uint64_t depth = 0; plus == '+' && text >> depth; text.get(plus))
    depths.push_back(depth);
  return depths;
}

// A program as the kernel keeps it: code that nobody reaches is gone from it.
struct Kept {
  bpf_prog_info info{};
  std::vector<bpf_insn> insns;
  std::vector<std::uint32_t> starts;  // of its functions
};

Kept KeptOf(const bpf_program* program) {
  const int fd = bpf_program__fd(program);
  const auto ask = [&](bpf_prog_info& info) {
    std::uint32_t size = sizeof(info);
    if (bpf_prog_get_info_by_fd(fd, &info, &size) != 0)
      ThrowErrno(std::string("ask for ") + bpf_program__name(program));
  };
  Kept kept;
  ask(kept.info);
  kept.insns.resize(kept.info.xlated_prog_len / sizeof(bpf_insn));
  std::vector<bpf_func_info> functions(kept.info.nr_func_info);
  bpf_prog_info wanted{};
  wanted.xlated_prog_len = kept.info.xlated_prog_len;
  wanted.xlated_prog_insns = reinterpret_cast<std::uintptr_t>(kept.insns.data());
  wanted.nr_func_info = kept.info.nr_func_info;
  wanted.func_info_rec_size = sizeof(bpf_func_info);
  wanted.func_info = reinterpret_cast<std::uintptr_t>(functions.data());
  ask(wanted);
  for (const bpf_func_info& function : functions) kept.starts.push_back(function.insn_off);
  return kept;
}

// A callback counts as called by who passes it on.  Of a call the kernel keeps the distance in
// `off`, of an address in `imm` (jit_subprogs in its verifier.c).
std::uint64_t StackOf(const Kept& kept, std::string_view log, const std::string& program) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> calls;
  for (std::uint32_t i = 0; i < kept.insns.size(); ++i) {
    const bpf_insn& insn = kept.insns[i];
    if (insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_CALL)
      calls.emplace_back(i, i + 1 + static_cast<std::uint32_t>(insn.off));
    if (insn.code == (BPF_LD | BPF_IMM | BPF_DW) && insn.src_reg == BPF_PSEUDO_FUNC)
      calls.emplace_back(i, i + 1 + static_cast<std::uint32_t>(insn.imm));
  }
  const std::vector<std::uint64_t> depths = DepthsIn(log, program);
  if (depths.size() != kept.starts.size())
    throw SetupError(fmt::format("{}: {} functions, and {} stack depths", program,
                                 kept.starts.size(), depths.size()));
  return DeepestChain(kept.starts, depths, calls);
}

std::uint64_t HelpersOf(const bpf_program* program) {
  const std::span insns(bpf_program__insns(program), bpf_program__insn_cnt(program));
  return static_cast<std::uint64_t>(std::ranges::count_if(insns, [](const bpf_insn& insn) {
    return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg != BPF_PSEUDO_CALL;
  }));
}

struct Column {
  const char* name;
  std::uint64_t ProgramFigures::* figure;
  std::uint64_t slack;  // in thousandths
  bool of_kernel;       // depends on it
};
// Slack is for small versions of compilers and kernels; the same ones say the same again.  A call
// of a helper is what costs, and few instructions.
constexpr Column kColumns[] = {{"insns", &ProgramFigures::insns, 10, false},
                               {"helpers", &ProgramFigures::helpers, 0, false},
                               {"verified", &ProgramFigures::verified, 30, true},
                               {"xlated", &ProgramFigures::xlated, 10, true},
                               {"jited", &ProgramFigures::jited, 20, true},
                               {"stack", &ProgramFigures::stack, 0, true}};

}  // namespace

std::uint64_t DeepestChain(const std::vector<std::uint32_t>& starts,
                           const std::vector<std::uint64_t>& depths,
                           const std::vector<std::pair<std::uint32_t, std::uint32_t>>& calls) {
  constexpr std::uint64_t kFrame = 32;
  std::vector<std::uint64_t> chain(starts.size());
  const auto function_at = [&](std::uint32_t insn) {
    return static_cast<std::size_t>(std::ranges::upper_bound(starts, insn) - starts.begin()) - 1;
  };
  // There is no recursion, and the verifier allows eight frames: that often a longer one is found.
  for (int round = 0; round < 8; ++round) {
    for (std::size_t i = 0; i < starts.size(); ++i)
      chain[i] = std::max(chain[i],
                          std::max<std::uint64_t>(1, (depths[i] + kFrame - 1) / kFrame) * kFrame);
    std::vector<std::uint64_t> longer = chain;
    for (const auto& [insn, callee] : calls) {
      const std::size_t caller = function_at(insn);
      const std::uint64_t own =
          std::max<std::uint64_t>(1, (depths[caller] + kFrame - 1) / kFrame) * kFrame;
      longer[caller] = std::max(longer[caller], own + chain[function_at(callee)]);
    }
    chain = std::move(longer);
  }
  return chain.front();
}

Figures FiguresOf(const std::string& path) {
  const Object object = Open(path);
  std::map<std::string, std::unique_ptr<char[]>> logs;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    auto& log = logs[bpf_program__name(program)] = std::make_unique<char[]>(kLogSize);
    bpf_program__set_log_level(program, kLogStats);
    bpf_program__set_log_buf(program, log.get(), kLogSize);
  }
  if (bpf_object__load(object.get()) != 0) ThrowErrno("load " + path);
  Figures figures;
  bpf_object__for_each_program(program, object.get()) {
    const std::string name = bpf_program__name(program);
    const Kept kept = KeptOf(program);
    figures[name] = {.insns = bpf_program__insn_cnt(program),
                     .helpers = HelpersOf(program),
                     .verified = kept.info.verified_insns,
                     .xlated = kept.info.xlated_prog_len,
                     .jited = kept.info.jited_prog_len,
                     .stack = StackOf(kept, logs[name].get(), name)};
  }
  return figures;
}

std::string TextOf(const Figures& figures) {
  std::string text = "# Instructions, bytes and stack of each program: tools/bless writes it.\n";
  text += fmt::format("{:<16}", "program");
  for (const Column& column : kColumns) text += fmt::format("{:>10}", column.name);
  text += "\n";
  for (const auto& [name, one] : figures) {
    text += fmt::format("{:<16}", name);
    for (const Column& column : kColumns) text += fmt::format("{:>10}", one.*column.figure);
    text += "\n";
  }
  return text;
}

Figures ParseFigures(std::string_view text) {
  Figures figures;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.empty() || name == "#" || name == "program") continue;
    ProgramFigures& one = figures[name];
    for (const Column& column : kColumns)
      if (!(words >> one.*column.figure)) throw SetupError("not a line of figures: " + line);
  }
  return figures;
}

std::vector<std::string> Compare(const Figures& blessed, const Figures& now, bool whole) {
  std::vector<std::string> lines;
  for (const auto& [name, is] : now) {
    const auto found = blessed.find(name);
    if (found == blessed.end()) {
      lines.push_back(name + ": is new");
      continue;
    }
    for (const Column& column : kColumns) {
      if (column.of_kernel && !whole) continue;
      const std::uint64_t was = found->second.*column.figure;
      const std::uint64_t size = is.*column.figure;
      if (size > was + was * column.slack / 1000)
        lines.push_back(fmt::format("{}: {} was {}, is {} (+{:.1f} %, allowed {:.1f} %)", name,
                                    column.name, was, size,
                                    100.0 * static_cast<double>(size - was) /
                                        static_cast<double>(std::max<std::uint64_t>(was, 1)),
                                    static_cast<double>(column.slack) / 10));
    }
  }
  for (const auto& [name, was] : blessed)
    if (!now.contains(name)) lines.push_back(name + ": is gone");
  return lines;
}

}  // namespace natrix::guard
