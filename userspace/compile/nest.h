// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "userspace/model/address.h"

namespace natrix::compile {

template <typename T>
using ByPrefix = std::vector<std::pair<model::Prefix, T>>;

// Every prefix once, with what `add(own, around)` makes of its own values and those of the prefixes
// around it: what a trie must hold, which answers with its longest match only.  O(n log n).
template <typename T, typename Add>
ByPrefix<T> Nest(ByPrefix<T> written, Add add) {
  std::ranges::stable_sort(written, {}, &std::pair<model::Prefix, T>::first);
  ByPrefix<T> result;
  result.reserve(written.size());
  // Indexes into `result` of the prefixes around the current one, outermost first.  In sorted
  // order a prefix comes right after those that contain it, and equal ones are neighbours.
  std::vector<std::size_t> around;
  for (const auto& [prefix, own] : written) {
    if (!result.empty() && result.back().first == prefix) {
      result.back().second = add(result.back().second, own);
      continue;
    }
    while (!around.empty() && !result[around.back()].first.Contains(prefix)) around.pop_back();
    result.emplace_back(prefix, around.empty() ? own : add(own, result[around.back()].second));
    around.push_back(result.size() - 1);
  }
  return result;
}

}  // namespace natrix::compile
