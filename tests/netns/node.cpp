// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/node.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::Finished;
using support::Process;

support::milliseconds Scaled(support::milliseconds time) {
  const char* scale = std::getenv("NATRIX_TEST_TIME_SCALE");
  return time * (scale != nullptr ? std::atoi(scale) : 1);
}

NodeTest::NodeTest() {
  std::string pattern = (std::filesystem::temp_directory_path() / "natrix-node.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) support::ThrowErrno("mkdtemp");
  dir_ = pattern;
  config_path_ = dir_ + "/node.yaml";
  AddDevice("eth0");
  AddDevice("ovn0");
  Ip("addr add 172.18.0.3/24 dev eth0\n"
     "addr add fd00:172:18::3/64 dev eth0 nodad\n"
     "addr add 100.64.0.2/16 dev ovn0\n"
     "addr add fd00:100:64::2/112 dev ovn0 nodad\n");
  WriteConfig();
}

NodeTest::~NodeTest() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

void NodeTest::AddDevice(const std::string& name) {
  Ip(fmt::format("link add {0} type veth peer name wire_{0}\nlink set {0} up\nlink set wire_{0} up",
                 name));
}

void NodeTest::Ip(std::string_view lines) { support::Ip(node_, lines); }

void NodeTest::WriteFile(const std::string& text) { std::ofstream(config_path_) << text; }

void NodeTest::WriteConfig(const std::string& cidr4, const std::string& cidr6) {
  WriteFile(fmt::format(R"(node:
  name: node1
  addresses: [172.18.0.3, "fd00:172:18::3"]
  uplinks: [eth0]
  podDevices: [ovn0, "pod*"]
serviceCIDRs: [10.96.0.0/12, "fd00:10:96::/112"]
subnets:
  - name: ovn-default
    cidrs: [{}, "{}"]
    natOutgoing: true
)",
                        cidr4, cidr6));
}

Process NodeTest::Start(const Argv& options) {
  Argv argv = {NATRIXD, "--config", config_path_};
  argv.insert(argv.end(), options.begin(), options.end());
  Process daemon(&node_, argv);
  daemon.WaitForLine("info ready ", support::milliseconds(60000));
  return daemon;
}

Finished NodeTest::StartToEnd(const Argv& options) {
  Argv argv = {NATRIXD, "--config", config_path_};
  argv.insert(argv.end(), options.begin(), options.end());
  return support::TryCommand(&node_, argv);
}

void NodeTest::Reload(Process& daemon, std::string_view outcome) {
  const std::size_t from = daemon.Output().size();
  daemon.Signal(SIGHUP);
  daemon.WaitForLine(outcome, support::milliseconds(30000), from);
}

Finished NodeTest::Natrix(const Argv& arguments) {
  Argv argv = {NATRIX};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return support::TryCommand(&node_, argv);
}

Finished NodeTest::NatrixAsNobody(const Argv& arguments) {
  // The build may lie where nobody may look: a copy that is open already is run.
  Argv argv = {"bash", "-c",
               "exec 9<\"$0\"; exec setpriv --reuid=65534 --clear-groups /proc/self/fd/9 \"$@\"",
               NATRIX};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return support::TryCommand(&node_, argv);
}

Json NodeTest::NatrixJson(Argv arguments) {
  arguments.push_back("--json");
  const Finished finished = Natrix(arguments);
  return Json::parse(finished.output);
}

std::string NodeTest::Run(const Argv& argv) { return support::RunCommand(&node_, argv); }

Json NodeTest::Bpftool(Argv arguments) {
  arguments.insert(arguments.begin(), {"bpftool", "-j"});
  return Json::parse(Run(arguments));
}

std::vector<std::string> NodeTest::Attached() {
  std::vector<std::string> names;
  const Json status = NatrixJson({"status"});
  for (const Json& device : status.at("devices"))
    if (device.at("attached")) names.push_back(device.at("name"));
  return names;
}

std::string NodeTest::Method() { return NatrixJson({"status"}).at("attachMethod"); }
std::uint64_t NodeTest::Generation() { return NatrixJson({"status"}).at("generation"); }

std::map<std::string, std::uint32_t> NodeTest::MapIds() {
  std::map<std::string, std::uint32_t> ids;
  std::istringstream names(Run({"ls", std::string(kPins) + "/maps"}));
  for (std::string name; std::getline(names, name);)
    ids[name] = Bpftool({"map", "show", "pinned", fmt::format("{}/maps/{}", kPins, name)}).at("id");
  return ids;
}

std::map<std::string, std::uint32_t> NodeTest::LinkIds() {
  std::map<std::string, std::uint32_t> ids;
  std::istringstream names(Run({"ls", std::string(kPins) + "/links"}));
  for (std::string name; std::getline(names, name);) {
    const std::string path = fmt::format("{}/links/{}", kPins, name);
    const bool marker = name.ends_with("-clsact");  // a symbolic link, which has no id
    if (marker) {
      ids[name] = 0;
      continue;
    }
    // bpftool 7.4 prints the link and exits with 255 nevertheless.
    const auto shown =
        support::TryCommand(&node_, {"bpftool", "-j", "link", "show", "pinned", path});
    ids[name] = Json::parse(shown.output).at("id");
  }
  return ids;
}

std::string NodeTest::Tree(const std::string& path) { return Run({"find", path}); }

}  // namespace natrix::netns
