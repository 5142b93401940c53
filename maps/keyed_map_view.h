// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>

#include <algorithm>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "maps/batch.h"
#include "maps/map_info.h"
#include "maps/map_traits.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// A typed view of a map whose keys come and go: what HashMapView, LruMapView and LpmMapView share.
// Cheap to copy; does not own the fd, which must outlive the view.  Thread-safe: every method is
// one or a few bpf(2) calls and keeps no state.
template <bpf_map_type kType, MapKey K, MapValue V>
class KeyedMapView {
 public:
  // Refuses, by name, a map of another type or layout.
  static Result<KeyedMapView> Open(int fd, const std::string& name) {
    auto info =
        CheckShape(fd, name, {.type = kType, .key_size = sizeof(K), .value_size = sizeof(V)});
    if (!info) return std::unexpected(std::move(info).error());
    return KeyedMapView(fd, *std::move(info));
  }

  // The value for `key` (in a trie: of the longest prefix around it), or nullopt when there is
  // none, which is not an error.
  Result<std::optional<V>> Find(const K& key) const {
    V value{};
    const int err = bpf_map_lookup_elem(fd_, &key, &value);
    if (err == 0) return std::optional<V>(value);
    if (err == -ENOENT) return std::optional<V>();
    return Fail(err, "lookup in map " + info_.name);
  }

  // Calls visit(const K&, const V&) for every pair.
  template <std::invocable<const K&, const V&> Visit>
  Result<> ForEach(Visit visit) const {
    struct Typed : PairSink {
      explicit Typed(Visit& to) : visit(to) {}
      void Take(const void* key, const void* value) override {
        K k{};
        V v{};
        std::memcpy(&k, key, sizeof(K));
        std::memcpy(&v, value, sizeof(V));
        visit(k, v);
      }
      Visit& visit;
    } sink(visit);
    auto done = ReadAll(fd_, info_, sink);
    if (!done) return Fail(std::move(done).error(), "read map " + info_.name);
    return {};
  }

  Result<> Upsert(const K& key, const V& value) const {
    return WriteAll(fd_, info_, &key, &value, 1);
  }
  // Not atomic: on an error an unknown part of the pairs is written.
  Result<> UpsertAll(std::span<const std::pair<K, V>> pairs) const {
    // Some at a time: what is copied is still in the processor's cache when the kernel reads it.
    constexpr std::size_t kAtOnce = 1024;
    std::vector<K> keys;
    std::vector<V> values;
    for (; !pairs.empty(); pairs = pairs.subspan(keys.size())) {
      keys.clear();
      values.clear();
      for (const auto& [key, value] : pairs.first(std::min(pairs.size(), kAtOnce))) {
        keys.push_back(key);
        values.push_back(value);
      }
      auto done = WriteAll(fd_, info_, keys.data(), values.data(), keys.size());
      if (!done) return done;
    }
    return {};
  }
  // A key that is not there is no error.
  Result<> EraseAll(std::span<const K> keys) const {
    return maps::EraseAll(fd_, info_, keys.data(), keys.size());
  }

  const MapInfo& info() const { return info_; }
  int fd() const { return fd_; }

 private:
  KeyedMapView(int fd, MapInfo info) : fd_(fd), info_(std::move(info)) {}

  int fd_;
  MapInfo info_;
};

template <MapKey K, MapValue V>
using HashMapView = KeyedMapView<BPF_MAP_TYPE_HASH, K, V>;
template <MapKey K, MapValue V>
using LruMapView = KeyedMapView<BPF_MAP_TYPE_LRU_HASH, K, V>;
template <MapKey K, MapValue V>
using LpmMapView = KeyedMapView<BPF_MAP_TYPE_LPM_TRIE, K, V>;

}  // namespace natrix::maps
