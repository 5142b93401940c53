// SPDX-License-Identifier: Apache-2.0
//
// natrix_oracle: random exchanges under random configurations through iptables + ipset and through
// natrix, compared packet by packet.  Closing line: "N passed, M failed".
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/oracle/generator.h"
#include "tests/oracle/rules.h"
#include "tests/oracle/two_nodes.h"

namespace natrix::oracle {
namespace {

constexpr std::uint32_t kCasesPerConfig = 20;
constexpr std::uint32_t kConfigStream = 1;
constexpr std::uint32_t kCaseStream = 2;
struct Arguments {
  std::uint64_t seed = 1;
  std::uint32_t cases = 2000;
  std::string suite = "kube-ovn-basic";
  int family = 0;
  std::string backend = "legacy";
  std::string engine = "natrix";
  std::string fast_path = "on";
  std::optional<std::uint32_t> only;
  bool verbose = false;
  std::uint32_t most_failures = 20;
};

Family FamilyOf(const Arguments& arguments, Dice& dice) {
  if (arguments.family == 4) return Family::kIpv4;
  if (arguments.family == 6) return Family::kIpv6;
  return dice.Chance(50) ? Family::kIpv4 : Family::kIpv6;
}

std::string Repeat(const Arguments& arguments, std::uint32_t number) {
  std::string text = fmt::format("tools/oracle --suite {} --seed {} --backend {} --only {}",
                                 arguments.suite, arguments.seed, arguments.backend, number);
  if (arguments.family != 0) text += fmt::format(" --family {}", arguments.family);
  return text;
}

class Run {
 public:
  explicit Run(const Arguments& arguments)
      : arguments_(arguments),
        nodes_(*ParseEngine(arguments.backend), *ParseEngine(arguments.engine)) {}

  // The exit status.
  int All() {
    const std::uint32_t first = arguments_.only.value_or(0);
    const std::uint32_t end = arguments_.only ? first + 1 : arguments_.cases;
    for (std::uint32_t number = first; number < end && failed_ < arguments_.most_failures; ++number)
      One(number);
    if (failed_ >= arguments_.most_failures)
      fmt::print(stderr, "giving up after {} failures\n", failed_);
    fmt::print("{} passed, {} failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  bool with_services() const { return arguments_.suite == "kube-ovn-services"; }
  bool is_proxied() const { return arguments_.suite == "services" || has_host_ports(); }
  bool has_host_ports() const { return arguments_.suite == "hostports"; }
  bool is_calico() const { return arguments_.suite == "calico"; }
  model::Config AnyConfig(Dice& dice) const {
    if (is_calico()) return GenerateCalico(dice);
    if (has_host_ports()) return GenerateHostPorts(dice);
    return is_proxied() ? GenerateProxied(dice) : GenerateConfig(dice, scope());
  }
  Scope scope() const {
    return arguments_.suite == "kube-ovn" || with_services() ? Scope::kWhole : Scope::kBasic;
  }
  Manners manners() const {
    return arguments_.suite == "kube-ovn-wild" ? Manners::kWild : Manners::kSane;
  }

  void One(std::uint32_t number) {
    const std::uint32_t block = number / kCasesPerConfig;
    if (block_ != block) {
      Dice dice(arguments_.seed, kConfigStream, block);
      nodes_.Apply(AnyConfig(dice));
      if (with_services()) LoadServices(dice);
      // natrix remembers no flow of what is in no subnet, and conntrack every one.
      nodes_.left().engine->Forget();
      nodes_.right().engine->Forget();
      block_ = block;
    }
    Dice dice(arguments_.seed, kCaseStream, number);
    const Family family = FamilyOf(arguments_, dice);
    Exchange exchange(nodes_);
    const bool agreed = PlayExchange(dice, family, manners(), AnyCall(dice, family), exchange);
    ++(agreed ? passed_ : failed_);
    if (!agreed) Complain(number, exchange);
    if (agreed && arguments_.verbose) fmt::print("case {}\n{}", number, exchange.transcript());
    Progress(number);
  }

  void LoadServices(Dice& dice) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      services_[family] = GenerateServices(dice, family, nodes_.config());
      LoadKubeProxy(nodes_, family, services_[family]);
    }
  }

  Call AnyCall(Dice& dice, Family family) {
    Call call = AnyCallAtAll(dice, family);
    const auto& ipvs = nodes_.config().ipvs;
    if (ipvs && !ipvs->ips.empty()) call.plain = true;  // KUBE-IPVS-FILTER may refuse it
    return call;
  }

  Call AnyCallAtAll(Dice& dice, Family family) {
    if (is_calico()) return GenerateCalicoCall(dice, family, nodes_.config());
    if (has_host_ports() && dice.Chance(75))
      return GenerateHostPortCall(dice, family, nodes_.config());
    if (is_proxied() && nodes_.config().ipvs && dice.Chance(90))
      return GenerateIpvsCall(dice, family, nodes_.config());
    if (is_proxied() && !nodes_.config().services.empty() && dice.Chance(85))
      return GenerateProxiedCall(dice, family, nodes_.config());
    if (with_services() && dice.Chance(60))
      return GenerateServiceCall(dice, family, services_[family]);
    Call call = GenerateCall(dice, family, nodes_.config(), scope());
    while (is_proxied() && !call.from) call = GenerateCall(dice, family, nodes_.config(), scope());
    return call;
  }

  void Complain(std::uint32_t number, const Exchange& exchange) {
    fmt::print("case {} differs\n{}the configuration:\n{}", number, exchange.transcript(),
               YamlText(nodes_.config()));
    for (const auto& [family, rules] : services_)
      for (const ServiceRule& rule : rules)
        fmt::print("kube-proxy: {} port {} to {} port {}{}\n", rule.address, rule.port,
                   rule.endpoint, rule.endpoint_port, rule.masquerade ? ", marked" : "");
    fmt::print("repeat it with:\n  {}\n\n", Repeat(arguments_, number));
    if (arguments_.only)
      fmt::print("left knows:\n{}\nright knows:\n{}\n", nodes_.left().engine->Explain(),
                 nodes_.right().engine->Explain());
    std::fflush(stdout);
  }

  void Progress(std::uint32_t number) {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::seconds(5) || arguments_.only) return;
    told_ = now;
    fmt::print(stderr, "oracle: case {} of {}, {} passed, {} failed\n", number + 1,
               arguments_.cases, passed_, failed_);
  }

  const Arguments& arguments_;
  TwoNodes nodes_;
  std::map<Family, std::vector<ServiceRule>> services_;
  std::optional<std::uint32_t> block_;
  std::uint32_t passed_ = 0;
  std::uint32_t failed_ = 0;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

void Declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--seed", arguments.seed, "Which throws of the dice")->capture_default_str();
  app.add_option("--cases", arguments.cases, "How many exchanges")->capture_default_str();
  app.add_option("--suite", arguments.suite, "What is replaced")
      ->check(CLI::IsMember({"calico", "hostports", "kube-ovn", "kube-ovn-basic",
                             "kube-ovn-services", "kube-ovn-wild", "services"}))
      ->capture_default_str();
  app.add_option("--family", arguments.family, "4 or 6; both when not given")
      ->check(CLI::IsMember({4, 6}));
  app.add_option("--backend", arguments.backend, "Which iptables judges")
      ->check(CLI::IsMember({"legacy", "nft"}))
      ->capture_default_str();
  app.add_option("--fast-path", arguments.fast_path, "Whether natrix takes the short cut")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  app.add_option("--only", arguments.only, "This case and no other");
  app.add_option("--judge", arguments.engine,
                 "What is judged; an iptables here tests the oracle itself")
      ->check(CLI::IsMember({"natrix", "legacy", "nft"}))
      ->capture_default_str();
  app.add_option("--most-failures", arguments.most_failures, "Give up after so many")
      ->capture_default_str();
  app.add_flag("--verbose", arguments.verbose, "Print the exchanges that agree, too");
}

}  // namespace
}  // namespace natrix::oracle

int main(int argc, char** argv) {
  CLI::App app("Random exchanges through iptables + ipset and through natrix, compared",
               "natrix_oracle");
  natrix::oracle::Arguments arguments;
  natrix::oracle::Declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  ::setenv("NATRIX_ORACLE_FAST_PATH", arguments.fast_path.c_str(), 1);  // natrix_engine.cpp
  try {
    return natrix::oracle::Run(arguments).All();
  } catch (const std::exception& error) {
    fmt::print(stderr, "oracle: {}\n", error.what());
    return 3;
  }
}
