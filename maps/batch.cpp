// SPDX-License-Identifier: Apache-2.0
#include "maps/batch.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <vector>

namespace natrix::maps {
namespace {

// The kernel's own number for "this map type cannot do that"; not in userspace's errno.h.
constexpr int kEnotsupp = 524;
constexpr __u32 kChunk = 4096;  // pairs per system call

bool IsUnsupported(int err) { return err == -kEnotsupp || err == -EOPNOTSUPP || err == -EINVAL; }

const std::byte* At(const void* base, std::size_t index, std::size_t size) {
  return static_cast<const std::byte*>(base) + index * size;
}

// One by one, for map types that have no batch lookup.
Result<> ReadSingly(int fd, const MapInfo& info, PairSink& sink) {
  std::vector<std::byte> key(info.key_size), next(info.key_size), value(info.value_size);
  int err = bpf_map_get_next_key(fd, nullptr, next.data());
  while (err == 0) {
    key.swap(next);
    const int looked = bpf_map_lookup_elem(fd, key.data(), value.data());
    if (looked == 0) sink.Take(key.data(), value.data());
    if (looked != 0 && looked != -ENOENT) return Fail(looked, "lookup");
    err = bpf_map_get_next_key(fd, key.data(), next.data());
  }
  if (err != -ENOENT) return Fail(err, "next key");
  return {};
}

}  // namespace

Result<> ReadAll(int fd, const MapInfo& info, PairSink& sink) {
  // A hash hands out whole buckets: when one does not fit, nothing of it is copied and the call
  // fails with ENOSPC, so the buffer grows.  Its cursor is a 4-byte bucket number, a trie's a key.
  __u32 room = std::min(std::max(info.max_entries, __u32{64}), kChunk);
  std::vector<std::byte> cursor(std::max<std::size_t>(info.key_size, 8));
  std::vector<std::byte> keys, values;
  for (bool first = true;;) {
    keys.resize(std::size_t{room} * info.key_size);
    values.resize(std::size_t{room} * info.value_size);
    __u32 count = room;
    const int err = bpf_map_lookup_batch(fd, first ? nullptr : cursor.data(), cursor.data(),
                                         keys.data(), values.data(), &count, nullptr);
    if (err == -ENOSPC && count == 0) {
      room *= 2;
      continue;
    }
    if (first && IsUnsupported(err)) return ReadSingly(fd, info, sink);
    if (err != 0 && err != -ENOENT && err != -ENOSPC) return Fail(err, "batch lookup");
    for (__u32 i = 0; i < count; ++i)
      sink.Take(At(keys.data(), i, info.key_size), At(values.data(), i, info.value_size));
    if (err == -ENOENT) return {};
    first = false;
  }
}

Result<> WriteAll(int fd, const MapInfo& info, const void* keys, const void* values,
                  std::size_t count) {
  LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);
  for (std::size_t done = 0; done < count;) {
    __u32 now = static_cast<__u32>(std::min<std::size_t>(count - done, kChunk));
    int err = bpf_map_update_batch(fd, At(keys, done, info.key_size),
                                   At(values, done, info.value_size), &now, &opts);
    if (IsUnsupported(err)) {
      now = 1;
      err = bpf_map_update_elem(fd, At(keys, done, info.key_size),
                                At(values, done, info.value_size), BPF_ANY);
    }
    if (err == -E2BIG || err == -ENOSPC)
      return Fail(
          err, "map " + info.name + " is full (" + std::to_string(info.max_entries) + " entries)");
    if (err != 0) return Fail(err, "update map " + info.name);
    done += now;
  }
  return {};
}

Result<> EraseAll(int fd, const MapInfo& info, const void* keys, std::size_t count) {
  LIBBPF_OPTS(bpf_map_batch_opts, opts);
  for (std::size_t done = 0; done < count;) {
    __u32 now = static_cast<__u32>(std::min<std::size_t>(count - done, kChunk));
    int err = bpf_map_delete_batch(fd, At(keys, done, info.key_size), &now, &opts);
    if (err == -ENOENT) {
      // The batch stopped at a key that is not there: `now` were removed before it.
      done += now + 1;
      continue;
    }
    if (IsUnsupported(err)) {
      now = 1;
      err = bpf_map_delete_elem(fd, At(keys, done, info.key_size));
      if (err == -ENOENT) err = 0;
    }
    if (err != 0) return Fail(err, "delete from map " + info.name);
    done += now;
  }
  return {};
}

}  // namespace natrix::maps
