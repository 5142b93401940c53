// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/oracle/scene.h"
#include "tests/support/process.h"
#include "userspace/base/unique_fd.h"

namespace natrix::netns {

using Json = nlohmann::json;
using model::Family;
using model::kFamilies;
using oracle::Cast;
using oracle::CastOf;
using oracle::Place;

const char* NameOf(Family family);

// A node as in tests/oracle/scene.h whose pods and outside are live hosts, with natrixd under
// docs/examples/kube-ovn.yaml: pod1 and pod2 are masqueraded, pod3 is not.
class TrafficNode {
 public:
  struct Options {
    bool offloads = true;
    // More top-level words for the configuration: "timeouts: {udp: 1s}\n".
    std::string words = {};
    // Further devices, beside eth0 and ovn0.
    std::vector<std::string> uplinks = {};
    std::vector<std::string> pod_devices = {};
    // More of natrixd's own.
    std::vector<std::string> arguments = {};
  };
  TrafficNode() : TrafficNode(Options{}) {}
  explicit TrafficNode(const Options& options);

  // natrixd, started and ready; run by a command if there is one: {"setpriv", ...}.
  void Start(std::vector<std::string> command = {});
  // kill -9.
  void Kill() { daemon_.Kill(); }
  bool IsRunning() { return daemon_.IsRunning(); }
  // Puts a configuration with one more subnet, 10.24.<number>.0/24, in force; with none when 0.
  void Reload(int number);
  // Puts a configuration of one's own in force, Start() has done so when natrixd is not running.
  void Reload(const std::string& text);
  // Puts a configuration with these top-level words, in place of Options::words, in force; or, as
  // long as natrixd does not run, up for the next start.
  void SetWords(const std::string& words);
  std::string Log() const { return daemon_.Output(); }

  // What `natrix WORDS --json` prints.
  Json Natrix(std::vector<std::string> words) const;
  // Packets counted for a reason: "VLAN".
  std::uint64_t CountOf(const std::string& reason) const;
  // Entries of a table: "nx_flow".
  std::uint64_t EntriesOf(const std::string& table) const;
  // Empties a pinned hash behind natrixd's back.
  void EraseAll(const std::string& map) const;
  // Ids of the pinned maps, and of the links, by name.
  std::map<std::string, std::uint32_t> PinnedIds() const;
  // Bytes that the kernel has set aside for a pinned map (memlock of its fdinfo).
  std::uint64_t MemoryOf(const std::string& map) const;

  const oracle::Scene& scene() const { return scene_; }
  const support::Namespace& node() const { return scene_.node(); }
  const support::Namespace& at(Place place) const { return scene_.at(place); }
  const support::Namespace& pod() const { return at(Place::kPod1); }
  const support::Namespace& outside() const { return at(Place::kOutside); }

 private:
  void Write(const std::string& text);

  oracle::Scene scene_;
  Options options_;
  UniqueFd file_;
  support::Process daemon_;
};

// All counters of checksum errors of a host: Tcp, Udp, UdpLite, Icmp and IpExt, both families.
std::uint64_t ChecksumErrors(const support::Namespace& ns);
// Of every host of a scene.
std::uint64_t ChecksumErrors(const oracle::Scene& scene);

}  // namespace natrix::netns
