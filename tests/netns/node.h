// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/process.h"

namespace natrix::netns {

using Json = nlohmann::json;
using support::Argv;

inline constexpr const char* kPins = "/sys/fs/bpf/natrix";

// A time that natrixd must keep, where the machine is an emulated one a multiple of it.
support::milliseconds Scaled(support::milliseconds time);

// A node in a namespace of its own:
//
//   wire_eth0 --- eth0 [ node ] ovn0 --- wire_ovn0
//
// eth0 and ovn0 have addresses of both families; the far ends are in the same namespace and only
// keep the devices up.
class NodeTest : public testing::Test {
 protected:
  NodeTest();
  ~NodeTest() override;

  // A veth pair: `name` and "wire_" + name.  Up, without addresses.
  void AddDevice(const std::string& name);
  void Ip(std::string_view lines);
  // A configuration with this subnet, eth0 as uplink and ovn0 and pod* as pod devices.
  void WriteConfig(const std::string& cidr4 = "10.16.0.0/16",
                   const std::string& cidr6 = "fd00:10:16::/112");
  void WriteFile(const std::string& text);

  // Waits until it is ready.
  support::Process Start(const Argv& options = {});
  // One that is expected to fail; returns when it ended.
  support::Finished StartToEnd(const Argv& options = {});
  // Sends SIGHUP and waits until the log has `outcome`.
  void Reload(support::Process& daemon, std::string_view outcome = "reload ok");

  support::Finished Natrix(const Argv& arguments);
  support::Finished NatrixAsNobody(const Argv& arguments);
  // Parses what the command prints with --json.
  Json NatrixJson(Argv arguments);
  std::string Run(const Argv& argv);
  // `bpftool -j ...`.
  Json Bpftool(Argv arguments);

  // The devices that have both programs, by `natrix status`.
  std::vector<std::string> Attached();
  std::string Method();
  std::uint64_t Generation();
  // Ids of all pinned maps, by name; of tcx links by pin, or of clsact filters' devices.
  std::map<std::string, std::uint32_t> MapIds();
  std::map<std::string, std::uint32_t> LinkIds();
  // Everything below a directory, one path a line.
  std::string Tree(const std::string& path);

  const support::Namespace& node() const { return node_; }
  const std::string& config_path() const { return config_path_; }

 private:
  support::Namespace node_{"node"};
  std::string dir_;
  std::string config_path_;
};

}  // namespace natrix::netns
