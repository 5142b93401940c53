// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

namespace natrix::maps {

// A type the kernel may hash byte by byte.  Catches at compile time the classic "lookup misses
// because the padding was not zeroed" bug.
template <typename T>
concept MapKey = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

template <typename T>
concept MapValue = std::is_trivially_copyable_v<T>;

}  // namespace natrix::maps
