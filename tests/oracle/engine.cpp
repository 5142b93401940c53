// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/engine.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

#include "tests/oracle/rules.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"
#include "userspace/config/load.h"

namespace natrix::oracle {
namespace {

using support::RunCommand;

class KernelEngine : public Engine {
 public:
  KernelEngine(EngineKind kind, const Scene& scene)
      : scene_(scene), backend_(kind == EngineKind::kNft ? "nft" : "legacy") {
    // What is compared is NAT, not conntrack's judgement of sequence numbers and checksums; which
    // of a UDP-Lite segment it gets wrong: it takes UDP's number into the pseudo header.
    RunCommand(&scene_.node(), {"iptables-" + backend_, "-t", "nat", "-S"});
    support::Sysctl(scene_.node(), "net/netfilter/nf_conntrack_tcp_be_liberal", "1");
    support::Sysctl(scene_.node(), "net/netfilter/nf_conntrack_checksum", "0");
  }

  const char* name() const override { return backend_ == "nft" ? "iptables-nft" : "iptables"; }

  void Apply(const model::Config& config) override {
    const support::Namespace& node = scene_.node();
    const std::string sets = IpsetText(config);
    RunCommand(&node, {"ipset", "restore"}, sets);
    RunCommand(&node, {"iptables-" + backend_ + "-restore"}, IptablesText(config, Family::kIpv4));
    RunCommand(&node, {"ip6tables-" + backend_ + "-restore"}, IptablesText(config, Family::kIpv6));
    DestroyAllBut(sets);
  }

  void ApplyFile(const std::string& path) override { Apply(LoadConfig(path)); }

  std::string Explain() const override {
    return support::TryCommand(&scene_.node(), {"conntrack", "-L"}).output;
  }

 private:
  // What another configuration than the last two made: nft lets go of the rules that it replaces,
  // and so of their sets, some time later.
  void DestroyAllBut(const std::string& sets) {
    std::set<std::string> now;
    std::istringstream lines(sets);
    for (std::string word, name; lines >> word;)
      if (word == "create" && lines >> name) now.insert(name);
    std::string text;
    for (const std::string& name : stale_)
      if (!now.contains(name)) text += "destroy " + name + "\n";
    if (!text.empty()) RunCommand(&scene_.node(), {"ipset", "restore"}, text);
    stale_.clear();
    std::ranges::set_difference(sets_, now, std::inserter(stale_, stale_.end()));
    sets_ = std::move(now);
  }

  const Scene& scene_;
  std::string backend_;
  std::set<std::string> sets_;   // of the configuration in force
  std::set<std::string> stale_;  // of the one before only
};

class NatrixEngine : public Engine {
 public:
  explicit NatrixEngine(const Scene& scene)
      : scene_(scene), file_(::memfd_create("config.yaml", MFD_CLOEXEC)) {
    if (!file_) support::ThrowErrno("memfd_create");
  }

  const char* name() const override { return "natrix"; }

  void Apply(const model::Config& config) override {
    Write(YamlText(config));
    if (!daemon_.IsRunning()) return ApplyFile(Path());
    const std::size_t so_far = daemon_.Output().size();
    daemon_.Signal(SIGHUP);
    daemon_.WaitForLine(" reload ok ", support::milliseconds(10000), so_far);
  }

  void ApplyFile(const std::string& path) override {
    daemon_ = support::Process(&scene_.node(), {ProgramPath("natrixd"), "--config", path});
    daemon_.WaitForLine(" ready ");
  }

  std::string Explain() const override {
    return support::TryCommand(&scene_.node(), {ProgramPath("natrix"), "flows"}).output +
           daemon_.Output();
  }

 private:
  // Our descriptor, as the daemon can open it: no file to leave behind.
  std::string Path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get()); }

  void Write(const std::string& text) {
    const bool done =
        ::ftruncate(file_.get(), 0) == 0 &&
        ::pwrite(file_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!done) support::ThrowErrno("write the configuration");
  }

  const Scene& scene_;
  UniqueFd file_;
  support::Process daemon_;
};

}  // namespace

std::optional<EngineKind> ParseEngine(std::string_view text) {
  if (text == "legacy") return EngineKind::kLegacy;
  if (text == "nft") return EngineKind::kNft;
  if (text == "natrix") return EngineKind::kNatrix;
  return std::nullopt;
}

std::unique_ptr<Engine> MakeEngine(EngineKind kind, const Scene& scene) {
  if (kind == EngineKind::kNatrix) return std::make_unique<NatrixEngine>(scene);
  return std::make_unique<KernelEngine>(kind, scene);
}

std::string ExamplePath() { return NATRIX_SOURCE_DIR "/docs/examples/kube-ovn.yaml"; }

model::Config LoadConfig(const std::string& path) {
  config::Loaded loaded = config::LoadFile(path);
  if (!loaded) throw support::SetupError(loaded.Render());
  return *std::move(loaded.config);
}

std::string ProgramPath(const std::string& name) {
  if (const char* folder = std::getenv("NATRIX_BIN_DIR")) return std::string(folder) + "/" + name;
  const std::string layer = name == "natrixd" ? "daemon" : "cli";
  return std::string(NATRIX_BUILD_DIR) + "/userspace/" + layer + "/" + name;
}

}  // namespace natrix::oracle
