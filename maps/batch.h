// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "maps/map_info.h"
#include "userspace/base/result.h"

// Whole-map reads and many-element writes in few system calls.  Untyped: the views beside this
// file give keys and values their types.  A map type without batch operations is served one
// element at a time.
namespace natrix::maps {

// Called with each pair; the pointers are valid during the call only.
class PairSink {
 public:
  virtual ~PairSink() = default;
  virtual void Take(const void* key, const void* value) = 0;
};

// Every pair of a hash, LRU hash or trie.  An entry that is added or removed meanwhile by
// somebody else may or may not be seen; one that stays is seen exactly once, except that a trie
// restarts from its beginning when the entry it stands on is removed (then once or twice).
Result<> ReadAll(int fd, const MapInfo& info, PairSink& sink);

// Writes `count` pairs that lie one after another, replacing what is there.
Result<> WriteAll(int fd, const MapInfo& info, const void* keys, const void* values,
                  std::size_t count);

// Removes `count` keys; one that is not there is no error.
Result<> EraseAll(int fd, const MapInfo& info, const void* keys, std::size_t count);

}  // namespace natrix::maps
