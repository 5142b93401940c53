// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "tests/oracle/rules.h"
#include "tools/bench/areas.h"
#include "tools/bench/setting.h"

namespace natrix::bench {
namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(const std::function<void()>& act) {
  const auto start = Clock::now();
  act();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int NumberOf(Family family) { return family == Family::kIpv4 ? 4 : 6; }

// What is loaded, as each lane is given it.
struct Load {
  std::string id;
  std::string title;
  model::Config config;
  std::string rival_lane;
  std::vector<std::string> rival;  // a command that reads `rival_text`
  std::string rival_text;
  std::vector<std::string> rival_away;  // before each round
};

Measured& CaseFor(Results& results, const std::string& id, const std::string& title, Family family,
                  const std::string& unit = "ms") {
  for (Measured& measured : results.cases)
    if (measured.id == id && measured.family == NumberOf(family)) return measured;
  return results.cases.emplace_back(
      Measured{.id = id, .title = title, .family = NumberOf(family), .unit = unit});
}

Load Services(const Options& options, Family family) {
  const std::uint32_t count = options.tiny ? 100 : 10000;
  Load load{.id = "load-services",
            .title = fmt::format("{} Services x 10 endpoints from empty", count),
            .config = OnlyServicesOf(ServicesConfig(count, 10), family),
            .rival_lane = "legacy"};
  const std::string program =
      family == Family::kIpv4 ? "iptables-legacy-restore" : "ip6tables-legacy-restore";
  load.rival = {program};
  load.rival_text = oracle::IptablesText(load.config, family);
  load.rival_away = {"sh", "-c",
                     fmt::format("printf '*nat\\nCOMMIT\\n*filter\\nCOMMIT\\n' | {}", program)};
  return load;
}

Load Prefixes(const Options& options, Family family) {
  const std::uint32_t count = options.tiny ? 1000 : 100000;
  Load load{.id = "load-prefixes",
            .title = fmt::format("a set of {} prefixes from empty", count),
            .config = BigSetConfig(count, family),
            .rival_lane = "ipset"};
  load.rival = {"ipset", "restore"};
  load.rival_text = oracle::IpsetText(load.config);
  load.rival_away = {"ipset", "destroy"};
  return load;
}

// What tables of iptables-legacy take of the kernel, of the whole machine: tables have no owner
// there.
double XtablesMb() {
  std::ifstream areas("/proc/vmallocinfo");
  double bytes = 0;
  for (std::string line; std::getline(areas, line);) {
    std::istringstream words(line);
    std::string range;
    double size = 0;
    if (line.find("xt_alloc_table_info") != line.npos && words >> range >> size) bytes += size;
  }
  return bytes / (1 << 20);
}

// As ipset itself counts.
double IpsetMb(const support::Namespace& ns) {
  const support::Finished listed = support::TryCommand(&ns, {"ipset", "list", "-t"});
  std::istringstream lines(listed.output);
  double bytes = 0;
  const std::string words = "Size in memory: ";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(words)) bytes += std::stod(line.substr(words.size()));
  return bytes / (1 << 20);
}

// natrixd runs already, with nothing to do.  Its time is from SIGHUP until it says that the new
// configuration is in force and settled, in both copies; that of `natrix check` is the reading.
void MeasureLoad(const Options& options, const Load& load, Family family, Results& results) {
  Comparison comparison(options);
  comparison.Add("", EmptyConfig(), {LaneKind::kLegacy, LaneKind::kNatrix});
  Lane& natrix = comparison.lane("", LaneKind::kNatrix);
  const support::Namespace& rival = comparison.lane("", LaneKind::kLegacy).wires().node();
  const std::string yaml = oracle::YamlText(load.config);
  const std::string empty = oracle::YamlText(EmptyConfig());
  // iptables-restore takes ten seconds for its part.
  const std::uint32_t most = load.id == "load-services" && !options.full ? 1 : 3;
  const std::uint32_t rounds = std::min(options.rounds, most);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    options.progress(
        fmt::format("round {} of {}: {}, IPv{}", round + 1, rounds, load.title, NumberOf(family)));
    const double whole = Milliseconds([&] { natrix.ApplyNatrix(yaml); });
    const double reading = Milliseconds([&] { natrix.Check(); });
    const Lane::Memory memory = natrix.MemoryOf();
    natrix.ApplyNatrix(empty);
    support::TryCommand(&rival, load.rival_away);
    const double before_mb = XtablesMb();
    support::Finished done;
    const double other = Milliseconds([&] {
      done =
          support::TryCommand(&rival, load.rival, load.rival_text, support::milliseconds(600000));
    });
    Measured& measured = CaseFor(results, load.id, load.title, family);
    measured.Lane("natrix").samples.push_back(whole);
    measured.Lane(load.rival_lane).samples.push_back(other);
    const double rival_mb = load.rival_lane == "ipset" ? IpsetMb(rival) : XtablesMb() - before_mb;
    if (done.status != 0) measured.Lane(load.rival_lane).refused = done.errors.substr(0, 200);
    CaseFor(results, load.id + "-read", load.title + ", only read", family)
        .Lane("natrix")
        .samples.push_back(reading);
    Measured& kept = CaseFor(results, load.id + "-memory", load.title + ", memory", family, "MB");
    kept.Lane("natrixd").samples.push_back(memory.resident_mb);
    kept.Lane("its maps").samples.push_back(memory.maps_mb);
    kept.Lane(load.rival_lane).samples.push_back(rival_mb);
  }
}

}  // namespace

void MeasureLoads(const Options& options, Results& results) {
  if (!options.Wants("loads")) return;
  for (const Family family : options.families) {
    // A quick run has no time for both.
    if (!options.full && family != options.families.front()) continue;
    MeasureLoad(options, Services(options, family), family, results);
    MeasureLoad(options, Prefixes(options, family), family, results);
  }
}

}  // namespace natrix::bench
