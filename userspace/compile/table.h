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

// The entries of those parts of `a` that `b` does not share.
template <typename K, typename V>
Table<K, V> Unshared(const Parts<K, V>& a, const Parts<K, V>& b) {
  Table<K, V> own;
  auto other = b.begin();
  for (const auto& [name, part] : a) {
    // A part has its place in both, mostly at the same step.
    while (other != b.end() && other->second != part && other->first < name) ++other;
    if (other != b.end() && other->second == part)
      ++other;
    else
      own.insert(part->begin(), part->end());
  }
  return own;
}

// No key may be in two parts.
template <typename K, typename V>
Edits<K, V> Diff(const Parts<K, V>& live, const Parts<K, V>& wanted) {
  return Diff(Unshared(live, wanted), Unshared(wanted, live));
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
