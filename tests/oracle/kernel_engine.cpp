// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

#include "tests/oracle/engine.h"
#include "tests/oracle/rules.h"
#include "tests/support/network.h"

namespace natrix::oracle {
namespace {

using support::RunCommand;

// -A FORWARD -s 10.16.0.0/16 -m comment --comment "ovn-subnet-gateway,ovn-default" -c 3 180
std::optional<GatewayCount> CountIn(const std::string& line) {
  static constexpr char kName[] = "\"ovn-subnet-gateway,";
  const std::size_t name = line.find(kName);
  if (name == line.npos) return std::nullopt;
  std::istringstream words(line);
  std::string skip, side;
  GatewayCount count;
  words >> skip >> skip >> side >> count.cidr >> skip >> skip >> skip >> count.subnet >> skip >>
      count.packets >> count.bytes;
  if (!words) return std::nullopt;
  count.egress = side == "-s";
  count.subnet = count.subnet.substr(sizeof(kName) - 1, count.subnet.size() - sizeof(kName));
  return count;
}

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

  void Forget() override { RunCommand(&scene_.node(), {"conntrack", "-F"}); }

  std::vector<GatewayCount> GatewayCounts() const override {
    std::vector<GatewayCount> counts;
    for (const char* program : {"iptables-", "ip6tables-"}) {
      std::istringstream lines(
          RunCommand(&scene_.node(), {program + backend_, "-v", "-S", "FORWARD"}));
      for (std::string line; std::getline(lines, line);)
        if (const auto count = CountIn(line)) counts.push_back(*count);
    }
    return counts;
  }

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

}  // namespace

std::unique_ptr<Engine> MakeKernelEngine(EngineKind kind, const Scene& scene) {
  return std::make_unique<KernelEngine>(kind, scene);
}

}  // namespace natrix::oracle
