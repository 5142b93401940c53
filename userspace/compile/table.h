// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

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

}  // namespace natrix::compile
