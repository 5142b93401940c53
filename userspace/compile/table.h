// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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

// The parts that two configurations do not share.  Borrows them: the entries of one Subnet may be a
// hundred thousand.
template <typename K, typename V>
struct Unshared {
  struct Side {
    std::vector<const Table<K, V>*> parts;

    std::size_t entries() const {
      std::size_t sum = 0;
      for (const Table<K, V>* part : parts) sum += part->size();
      return sum;
    }
    // By key, each once.
    std::vector<const std::pair<const K, V>*> List() const {
      std::vector<const std::pair<const K, V>*> list;
      list.reserve(entries());
      for (const Table<K, V>* part : parts)
        for (const auto& entry : *part) list.push_back(&entry);
      if (parts.size() < 2) return list;
      const ByBytes before;
      std::ranges::sort(list, [&](auto* a, auto* b) { return before(a->first, b->first); });
      // A set may have a member of two Subnets.
      const auto same = [&](auto* a, auto* b) { return !before(a->first, b->first); };
      list.erase(std::unique(list.begin(), list.end(), same), list.end());
      return list;
    }
  };
  Side live;
  Side wanted;

  Unshared(const Parts<K, V>& before, const Parts<K, V>& after) {
    auto old = before.begin();
    for (const auto& [name, part] : after) {
      // What stays has its place in both, mostly at the same step: names are compared last.
      while (old != before.end() && old->second != part && old->first < name)
        live.parts.push_back((old++)->second.get());
      if (old != before.end() && old->second == part)
        ++old;
      else
        wanted.parts.push_back(part.get());
    }
    while (old != before.end()) live.parts.push_back((old++)->second.get());
  }
};

// No key may be in two parts.
template <typename K, typename V>
Edits<K, V> Diff(const Parts<K, V>& live, const Parts<K, V>& wanted) {
  Edits<K, V> edits;
  const ByBytes before;
  const Unshared changed(live, wanted);
  const auto olds = changed.live.List();
  const auto news = changed.wanted.List();
  if (news.size() > olds.size()) edits.write.reserve(news.size() - olds.size());
  auto old = olds.begin();
  for (const auto* entry : news) {
    const K& key = entry->first;
    for (; old != olds.end() && before((*old)->first, key); ++old)
      edits.erase.push_back((*old)->first);
    const bool same_key = old != olds.end() && !before(key, (*old)->first);
    if (!same_key || __builtin_memcmp(&(*old)->second, &entry->second, sizeof(V)) != 0)
      edits.write.emplace_back(key, entry->second);
    if (same_key) ++old;
  }
  for (; old != olds.end(); ++old) edits.erase.push_back((*old)->first);
  return edits;
}

// Whether they hold the same, in the same parts or in others.
template <typename K, typename V>
bool Same(const Parts<K, V>& live, const Parts<K, V>& wanted) {
  const Unshared changed(live, wanted);
  const std::size_t entries = changed.wanted.entries();
  return changed.live.entries() == entries && (entries == 0 || Diff(live, wanted).empty());
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
