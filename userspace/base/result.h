// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace natrix {

// What went wrong: the code from the call that failed, and a sentence that
// grows outwards, one clause per function it passed through.
class Error {
 public:
  Error(std::error_code code, std::string what) : code_(code), what_(std::move(what)) {}

  // For calls that return a negative errno (libbpf) or -1 and set errno (pass errno).
  static Error FromErrno(int err, std::string what) {
    return {std::error_code(err < 0 ? -err : err, std::system_category()), std::move(what)};
  }
  // For failures that no system call reported.
  static Error Plain(std::string what) { return {std::error_code(), std::move(what)}; }

  // "attach eth0: load nx_out: Permission denied"
  std::string ToString() const { return code_ ? what_ + ": " + code_.message() : what_; }
  std::error_code code() const { return code_; }

  // Prefixes "doing: ".
  Error In(std::string_view doing) && {
    what_.insert(0, std::string(doing) + ": ");
    return std::move(*this);
  }

 private:
  std::error_code code_;
  std::string what_;
};

// A value or an Error.  Absence is not an error: that is Result<std::optional<T>>.
template <typename T = void>
using Result = std::expected<T, Error>;

// `return Fail(err, "open /sys/fs/bpf")`.
inline std::unexpected<Error> Fail(int err, std::string what) {
  return std::unexpected(Error::FromErrno(err, std::move(what)));
}
inline std::unexpected<Error> Fail(std::string what) {
  return std::unexpected(Error::Plain(std::move(what)));
}
// `return Fail(std::move(result).error(), "attach eth0")`: one clause more.
inline std::unexpected<Error> Fail(Error error, std::string_view doing) {
  return std::unexpected(std::move(error).In(doing));
}

}  // namespace natrix
