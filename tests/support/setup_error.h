// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace natrix::support {

// The machine refused something a test stands on: a command, a namespace, a socket.  Thrown, not
// returned, because no test can go on without it and GoogleTest reports an exception with its
// text.  Never used for what is being tested.
class SetupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws "what: text of errno".
[[noreturn]] void ThrowErrno(const std::string& what);

}  // namespace natrix::support
