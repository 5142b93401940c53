// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "maps/abi/config.h"
#include "maps/abi/device.h"
#include "maps/abi/probe.h"
#include "maps/abi/set.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

// model -> map contents.  Pure: no fd, no system call, no clock, no log.
namespace natrix::compile {

// Orders any contract struct without padding by its bytes.
struct ByBytes {
  template <typename T>
  bool operator()(const T& a, const T& b) const {
    return __builtin_memcmp(&a, &b, sizeof(T)) < 0;
  }
};
template <typename K, typename V>
using Table = std::map<K, V, ByBytes>;

// Everything natrixd wants the configuration maps to hold.
struct Wanted {
  nx_config config{};
  Table<nx_prefix, nx_net> net;
  Table<nx_fip_key, nx_fip> fip;
  Table<nx_set_key, nx_set_member> set;
  Table<nx_probe_key, nx_probe> probe;
  Table<std::uint32_t, nx_device> device;
  Table<nx_addr, nx_local> local;
  std::array<nx_port_word, NX_PORT_WORDS> port{};
};

Wanted Compile(const model::Config& config, const model::Host& host);

// Makes `wanted`, which Compile made of the same configuration, that of another host: what depends
// on devices, addresses and port settings anew, and not the prefixes, of which there may be many.
void FollowHost(const model::Config& config, const model::Host& host, Wanted& wanted);

// What turns `live` into `wanted`: keys to delete, pairs to write.
template <typename K, typename V>
struct Edits {
  std::vector<K> erase;
  std::vector<std::pair<K, V>> write;
  bool empty() const { return erase.empty() && write.empty(); }
};

template <typename K, typename V>
Edits<K, V> Diff(const Table<K, V>& live, const Table<K, V>& wanted) {
  Edits<K, V> edits;
  for (const auto& [key, value] : live)
    if (!wanted.contains(key)) edits.erase.push_back(key);
  for (const auto& [key, value] : wanted) {
    const auto found = live.find(key);
    if (found == live.end() || __builtin_memcmp(&found->second, &value, sizeof(V)) != 0)
      edits.write.emplace_back(key, value);
  }
  return edits;
}

// Which role a device has under this configuration; nullopt when it is not managed.
// An exact name wins over a glob, an uplink over a pod device.
std::optional<nx_device_role> RoleOf(const model::Node& node, const std::string& device);

}  // namespace natrix::compile
