// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "userspace/base/result.h"

namespace natrix::maps {

// Where a map's fd is found by its name.
using FdOf = std::function<Result<int>(const char* map)>;

// Opens views one after another and remembers the first failure, so that the caller checks once.
class Opener {
 public:
  explicit Opener(const FdOf& fd_of) : fd_of_(fd_of) {}

  template <typename View>
  std::optional<View> Open(const char* name) {
    if (!done_) return std::nullopt;
    auto fd = fd_of_(name);
    if (!fd) return Remember<View>(std::move(fd).error());
    auto view = View::Open(*fd, name);
    if (!view) return Remember<View>(std::move(view).error());
    return *std::move(view);
  }
  Result<>& done() { return done_; }

 private:
  template <typename View>
  std::optional<View> Remember(Error error) {
    done_ = std::unexpected(std::move(error));
    return std::nullopt;
  }

  const FdOf& fd_of_;
  Result<> done_;
};

}  // namespace natrix::maps
