// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace natrix::compile {

// Orders any contract struct without padding by its bytes.
struct ByBytes {
  template <typename T>
  bool operator()(const T& a, const T& b) const {
    return __builtin_memcmp(&a, &b, sizeof(T)) < 0;
  }
};

// What a map is wanted to hold.
template <typename K, typename V>
using Table = std::map<K, V, ByBytes>;

// The same in parts, one of each Subnet by its name, "" for the rest.  Configurations share the
// parts that are the same, so that comparing them costs what changed.
template <typename K, typename V>
struct Parts : std::map<std::string, std::shared_ptr<const Table<K, V>>> {
  Table<K, V> All() const {
    Table<K, V> all;
    for (const auto& [name, part] : *this) all.insert(part->begin(), part->end());
    return all;
  }
  std::size_t entries() const {
    std::size_t sum = 0;
    for (const auto& [name, part] : *this) sum += part->size();
    return sum;
  }
};

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
  const ByBytes before;
  auto old = live.begin();
  for (const auto& [key, value] : wanted) {
    for (; old != live.end() && before(old->first, key); ++old) edits.erase.push_back(old->first);
    const bool same_key = old != live.end() && !before(key, old->first);
    if (!same_key || __builtin_memcmp(&old->second, &value, sizeof(V)) != 0)
      edits.write.emplace_back(key, value);
    if (same_key) ++old;
  }
  for (; old != live.end(); ++old) edits.erase.push_back(old->first);
  return edits;
}

// The entries of the parts that two configurations do not share.
template <typename K, typename V>
struct Unshared {
  Table<K, V> live;
  Table<K, V> wanted;

  Unshared(const Parts<K, V>& before, const Parts<K, V>& after) {
    auto old = before.begin();
    for (const auto& [name, part] : after) {
      // What stays has its place in both, mostly at the same step: names are compared last.
      while (old != before.end() && old->second != part && old->first < name) Take(live, old++);
      if (old != before.end() && old->second == part)
        ++old;
      else
        wanted.insert(part->begin(), part->end());
    }
    while (old != before.end()) Take(live, old++);
  }

 private:
  static void Take(Table<K, V>& table, typename Parts<K, V>::const_iterator part) {
    table.insert(part->second->begin(), part->second->end());
  }
};

// No key may be in two parts.
template <typename K, typename V>
Edits<K, V> Diff(const Parts<K, V>& live, const Parts<K, V>& wanted) {
  const Unshared changed(live, wanted);
  return Diff(changed.live, changed.wanted);
}

// Where one may, with the same value: two Subnets on different VLANs bring a set the same CIDR, and
// when one of them goes it stays.
template <typename K, typename V>
Edits<K, V> DiffOfSets(const Parts<K, V>& live, const Parts<K, V>& wanted) {
  Edits<K, V> edits = Diff(live, wanted);
  std::erase_if(edits.erase, [&](const K& key) {
    for (const auto& [name, part] : wanted)
      if (part->contains(key)) return true;
    return false;
  });
  return edits;
}

}  // namespace natrix::compile
