// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/lane.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "tests/oracle/engine.h"
#include "tests/oracle/natrix_maps.h"
#include "tests/oracle/rules.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"
#include "tools/bench/nft_rules.h"
#include "userspace/model/reason_text.h"

namespace natrix::bench {
namespace {

using support::milliseconds;
using support::SetupError;

constexpr std::array<std::pair<LaneKind, const char*>, 9> kNames{{
    {LaneKind::kX, "X"},
    {LaneKind::kT, "T"},
    {LaneKind::kP, "P"},
    {LaneKind::kK, "K"},
    {LaneKind::kLegacy, "legacy"},
    {LaneKind::kIptablesNft, "iptables-nft"},
    {LaneKind::kNft, "nft"},
    {LaneKind::kNatrix, "natrix"},
    {LaneKind::kNatrixXdp, "natrix-xdp"},
}};

// Of natrixd and of programs that load many rules.
constexpr milliseconds kPatience{600000};

void MustRun(const support::Namespace& ns, const support::Argv& argv, const std::string& input) {
  const support::Finished done = support::TryCommand(&ns, argv, input, kPatience);
  if (done.status != 0) throw SetupError(support::TextOf(argv) + ": " + done.errors);
}

// XDP is for uplinks, and carries what goes from one to another.  The devices' peers have XDP
// programs, so that they take frames.
constexpr char kXdpWords[] = "xdp: {mode: native, force: [eth0, ovn0]}\n";

model::Config WithTwoUplinks(model::Config config) {
  std::erase(config.node.pod_devices, "ovn0");
  config.node.uplinks.push_back("ovn0");
  return config;
}

}  // namespace

const char* NameOf(LaneKind kind) { return kNames[static_cast<std::size_t>(kind)].second; }

std::optional<LaneKind> ParseLane(std::string_view name) {
  for (const auto& [kind, text] : kNames)
    if (name == text) return kind;
  return std::nullopt;
}

Lane::Lane(LaneKind kind, const LaneOptions& options)
    : kind_(kind), options_(options), wires_(NameOf(kind), options.packets) {
  if (kind == LaneKind::kX) wires_.FloorX();
  if (kind == LaneKind::kT) wires_.FloorT();
  if (kind == LaneKind::kP) wires_.FloorP();
}

void Lane::Apply(const model::Config& config) {
  if (IsFloor(kind_) || options_.broken) return;
  if (kind_ == LaneKind::kNatrix) {
    ApplyNatrix(oracle::YamlText(config));
    return;
  }
  if (kind_ == LaneKind::kNatrixXdp) {
    ApplyNatrix(oracle::YamlText(WithTwoUplinks(config)) + kXdpWords);
    return;
  }
  if (kind_ == LaneKind::kNft)
    MustRun(wires_.node(), {"nft", "-f", "-"}, NftText(config));
  else
    ApplyIptables(config);
  // A network card has verified what arrives; veth's frames say nothing, so that conntrack would
  // verify each of them.
  support::TrySysctl(wires_.node(), "net/netfilter/nf_conntrack_checksum", "0");
}

void Lane::ApplyIptables(const model::Config& config) {
  const std::string backend = kind_ == LaneKind::kLegacy ? "legacy" : "nft";
  MustRun(wires_.node(), {"ipset", "restore"}, oracle::IpsetText(config));
  MustRun(wires_.node(), {"iptables-" + backend + "-restore"},
          oracle::IptablesText(config, Family::kIpv4));
  MustRun(wires_.node(), {"ip6tables-" + backend + "-restore"},
          oracle::IptablesText(config, Family::kIpv6));
}

std::string Lane::ApplyNatrix(const std::string& yaml) {
  std::string text = yaml + options_.natrix_words;
  if (!options_.fast_path.empty()) text += fmt::format("fastPath: {}\n", options_.fast_path);
  if (!file_) file_.Reset(::memfd_create("natrix.yaml", MFD_CLOEXEC));
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    support::ThrowErrno("write natrix' configuration");
  if (daemon_.IsRunning()) {
    const std::size_t so_far = daemon_.Output().size();
    daemon_.Signal(SIGHUP);
    daemon_.WaitForLine(" reload ok ", kPatience, so_far);
    return daemon_.Output().substr(so_far);
  }
  daemon_ = support::Process(&wires_.node(), {oracle::ProgramPath("natrixd"), "--config", File()});
  daemon_.WaitForLine(" ready ", kPatience);
  return daemon_.Output();
}

std::string Lane::File() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get()); }

void Lane::Check() const {
  MustRun(wires_.node(), {oracle::ProgramPath("natrix"), "check", File()}, {});
}

Lane::Memory Lane::MemoryOf() const {
  const std::string proc = fmt::format("/proc/{}", daemon_.pid());
  const auto number_after = [](const std::filesystem::path& path, const std::string& word) {
    std::ifstream file(path);
    double number = 0;
    for (std::string one; file >> one;)
      if (one == word && file >> number) return number;
    return 0.0;
  };
  Memory memory{.resident_mb = number_after(proc + "/status", "VmRSS:") / 1024};
  std::map<double, double> maps;  // by id: several descriptors may be of one
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fdinfo"))
    if (const double id = number_after(entry.path(), "map_id:"); id > 0)
      maps[id] = number_after(entry.path(), "memlock:");
  for (const auto& [id, bytes] : maps) memory.maps_mb += bytes / (1 << 20);
  return memory;
}

std::uint64_t Lane::CountOf(nx_reason reason) const {
  return daemon_.pid() > 0 ? oracle::ReadCount(daemon_.pid(), reason) : 0;
}

Counts Lane::AllCounts() const {
  Counts counts;
  for (int reason = 0; reason < NX_R_COUNT; ++reason)
    counts[model::TextOf(static_cast<unsigned>(reason)).name] =
        CountOf(static_cast<nx_reason>(reason));
  return counts;
}

void Lane::Forget() {
  if (IsNatrix(kind_) && daemon_.IsRunning()) oracle::ForgetFlows(daemon_.pid());
  if (!IsFloor(kind_) && !IsNatrix(kind_)) support::TryCommand(&wires_.node(), {"conntrack", "-F"});
}

}  // namespace natrix::bench
