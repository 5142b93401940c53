// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "maps/batch.h"
#include "maps/map_info.h"
#include "maps/map_traits.h"
#include "userspace/base/result.h"

namespace natrix::maps {

// A typed view of an array.  Borrows the fd.  Thread-safe; one element is read or written by one
// call, but the kernel copies it without a lock: a reader may see half of a concurrent write.
template <MapValue V>
class ArrayMapView {
 public:
  static Result<ArrayMapView> Open(int fd, const std::string& name) {
    auto info = CheckShape(
        fd, name,
        {.type = BPF_MAP_TYPE_ARRAY, .key_size = sizeof(std::uint32_t), .value_size = sizeof(V)});
    if (!info) return std::unexpected(std::move(info).error());
    return ArrayMapView(fd, *std::move(info));
  }

  Result<V> At(std::uint32_t index) const {
    V value{};
    if (const int err = bpf_map_lookup_elem(fd_, &index, &value); err != 0)
      return Fail(err, "read map " + info_.name);
    return value;
  }
  Result<> Set(std::uint32_t index, const V& value) const {
    if (const int err = bpf_map_update_elem(fd_, &index, &value, BPF_ANY); err != 0)
      return Fail(err, "write map " + info_.name);
    return {};
  }
  // All elements, by index.
  Result<std::vector<V>> ReadAll() const {
    struct Typed : PairSink {
      explicit Typed(std::vector<V>& to) : values(to) {}
      void Take(const void* key, const void* value) override {
        std::uint32_t index = 0;
        std::memcpy(&index, key, sizeof(index));
        if (index < values.size()) std::memcpy(&values[index], value, sizeof(V));
      }
      std::vector<V>& values;
    };
    std::vector<V> values(size());
    Typed sink(values);
    auto done = maps::ReadAll(fd_, info_, sink);
    if (!done) return Fail(std::move(done).error(), "read map " + info_.name);
    return values;
  }
  // Writes values[i] to indices[i].
  Result<> SetAll(const std::vector<std::uint32_t>& indices, const std::vector<V>& values) const {
    return WriteAll(fd_, info_, indices.data(), values.data(), indices.size());
  }

  std::uint32_t size() const { return info_.max_entries; }
  const MapInfo& info() const { return info_; }

 private:
  ArrayMapView(int fd, MapInfo info) : fd_(fd), info_(std::move(info)) {}

  int fd_;
  MapInfo info_;
};

}  // namespace natrix::maps
