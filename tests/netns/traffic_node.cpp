// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_node.h"

#include <bpf/bpf.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/netns/traffic_sockets.h"
#include "tests/oracle/engine.h"
#include "tests/oracle/rules.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using oracle::ProgramPath;
using support::InNetwork;
using support::Namespace;
using support::SetupError;

namespace {

constexpr char kPins[] = "/sys/fs/bpf/natrix";

std::string ConfigText(const TrafficNode::Options& options, int number) {
  model::Config config = oracle::LoadConfig(oracle::ExamplePath());
  for (const std::string& name : options.uplinks) config.node.uplinks.push_back(name);
  for (const std::string& name : options.pod_devices) config.node.pod_devices.push_back(name);
  if (number != 0)
    config.subnets.push_back(
        {.name = "another",
         .cidrs = {*model::Prefix::Parse(fmt::format("10.24.{}.0/24", number)),
                   *model::Prefix::Parse(fmt::format("fd00:10:24:{}::/64", number))},
         .nat_outgoing = true});
  return oracle::YamlText(config) + options.words;
}

// "Name: a b" over "Name: 1 2", as in /proc/net/snmp and /proc/net/netstat.
std::uint64_t SumOfPairs(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t sum = 0;
  std::string names_line;
  std::string values_line;
  while (std::getline(file, names_line) && std::getline(file, values_line)) {
    std::istringstream names(names_line);
    std::istringstream values(values_line);
    std::string name;
    std::string value;
    while (names >> name && values >> value)
      if (name == "InCsumErrors") sum += std::stoull(value);
  }
  return sum;
}

// "Udp6InCsumErrors 1", as in /proc/net/snmp6.
std::uint64_t SumOfLines(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t sum = 0;
  std::string name;
  std::uint64_t value = 0;
  while (file >> name >> value)
    if (name.ends_with("InCsumErrors")) sum += value;
  return sum;
}

}  // namespace

const char* NameOf(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

TrafficNode::TrafficNode(const Options& options)
    : scene_("traffic", {.live = true, .offloads = options.offloads}),
      options_(options),
      file_(::memfd_create("config.yaml", MFD_CLOEXEC)) {
  if (!file_) support::ThrowErrno("memfd_create");
  Write(ConfigText(options_, 0));
}

void TrafficNode::Write(const std::string& text) {
  const bool done =
      ::ftruncate(file_.get(), 0) == 0 &&
      ::pwrite(file_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  if (!done) support::ThrowErrno("write the configuration");
}

void TrafficNode::Start(std::vector<std::string> command) {
  const std::string path = fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get());
  for (const std::string& word : {ProgramPath("natrixd"), std::string("--config"), path})
    command.push_back(word);
  command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  daemon_ = support::Process(&node(), command);
  daemon_.WaitForLine(" ready ", Scaled(milliseconds(20000)));
}

void TrafficNode::Reload(int number) { Reload(ConfigText(options_, number)); }

void TrafficNode::Reload(const std::string& text) {
  Write(text);
  const std::size_t so_far = daemon_.Output().size();
  daemon_.Signal(SIGHUP);
  daemon_.WaitForLine(" reload ok ", Scaled(milliseconds(10000)), so_far);
}

void TrafficNode::SetWords(const std::string& words) {
  options_.words = words;
  if (IsRunning())
    Reload(0);
  else
    Write(ConfigText(options_, 0));
}

Json TrafficNode::Natrix(std::vector<std::string> words) const {
  words.insert(words.begin(), ProgramPath("natrix"));
  words.push_back("--json");
  const support::Finished done =
      support::TryCommand(&node(), words, {}, Scaled(milliseconds(30000)));
  Json parsed = Json::parse(done.output, nullptr, false);
  if (parsed.is_discarded()) throw SetupError(support::TextOf(words) + ": " + done.errors);
  return parsed;
}

std::uint64_t TrafficNode::CountOf(const std::string& reason) const {
  const Json counted = Natrix({"counters", "--all"});
  for (const Json& counter : counted.at("counters"))
    if (counter.at("reason") == reason) return counter.at("packets");
  throw SetupError("no counter " + reason + " in " + counted.dump());
}

std::uint64_t TrafficNode::EntriesOf(const std::string& table) const {
  const Json status = Natrix({"status"});
  for (const Json& entry : status.at("tables"))
    if (entry.at("name") == table) return entry.at("entries");
  throw SetupError("no table " + table + " in " + status.dump());
}

void TrafficNode::EraseAll(const std::string& map) const {
  const std::string pin = fmt::format("{}/maps/{}", kPins, map);
  const Json entries =
      Json::parse(support::RunCommand(&node(), {"bpftool", "-j", "map", "dump", "pinned", pin}));
  for (const Json& entry : entries) {
    support::Argv argv{"bpftool", "map", "delete", "pinned", pin, "key"};
    for (const Json& byte : entry.at("key")) argv.push_back(byte.get<std::string>());
    support::RunCommand(&node(), argv);
  }
}

std::map<std::string, std::uint32_t> TrafficNode::PinnedIds() const {
  std::map<std::string, std::uint32_t> ids;
  for (const char* kind : {"map", "link"}) {
    const std::string folder = fmt::format("{}/{}s", kPins, kind);
    std::istringstream names(support::RunCommand(&node(), {"ls", folder}));
    for (std::string name; std::getline(names, name);) {
      // bpftool 7.4 prints a link and exits with 255 nevertheless.  What is no object (the mark
      // of a clsact device) counts with its name alone.
      const auto shown = support::TryCommand(
          &node(), {"bpftool", "-j", kind, "show", "pinned", folder + "/" + name});
      const Json parsed = Json::parse(shown.output, nullptr, false);
      ids[name] =
          parsed.is_object() && parsed.contains("id") ? parsed.at("id").get<std::uint32_t>() : 0;
    }
  }
  return ids;
}

std::uint64_t TrafficNode::MemoryOf(const std::string& map) const {
  const UniqueFd fd(bpf_map_get_fd_by_id(PinnedIds().at(map)));
  if (!fd) support::ThrowErrno("open map " + map);
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", fd.get()));
  std::string word;
  while (info >> word) {
    std::uint64_t bytes = 0;
    if (word == "memlock:" && info >> bytes) return bytes;
  }
  throw SetupError("no memlock in the fdinfo of map " + map);
}

std::uint64_t ChecksumErrors(const Namespace& ns) {
  const InNetwork here(ns);
  const std::string base = "/proc/thread-self/net/";
  return SumOfPairs(base + "snmp") + SumOfPairs(base + "netstat") + SumOfLines(base + "snmp6");
}

std::uint64_t ChecksumErrors(const oracle::Scene& scene) {
  std::uint64_t sum = ChecksumErrors(scene.node());
  for (const Place place : oracle::kPlaces) sum += ChecksumErrors(scene.at(place));
  return sum;
}

}  // namespace natrix::netns
