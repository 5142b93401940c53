// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/namespace.h"
#include "userspace/base/unique_fd.h"

namespace natrix::support {

using Argv = std::vector<std::string>;
using std::chrono::milliseconds;

// What a finished command left.
struct Finished {
  int status = 0;      // exit status; 128 + signal when a signal ended it
  std::string output;  // stdout
  std::string errors;  // stderr
};

// Runs a command to its end in `ns`, or in our own namespaces when null, `input` as its stdin.
// TryCommand returns whatever status it had; RunCommand throws SetupError with the command's text
// and stderr unless that is 0.  Both throw when it outlives `limit` (it is killed).
Finished TryCommand(const Namespace* ns, const Argv& argv, std::string_view input = {},
                    milliseconds limit = milliseconds(30000));
std::string RunCommand(const Namespace* ns, const Argv& argv, std::string_view input = {});

// A process in the background.  Its output, both streams together, is kept in memory.  Killed
// and reaped when this is destroyed; killed by the kernel when we die first.
class Process {
 public:
  Process() = default;
  Process(const Namespace* ns, const Argv& argv);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  bool IsRunning();
  // All it has written so far.
  std::string Output() const;
  // Waits until some line contains `text`, looking from byte `from` of the output on.  Throws
  // with the output when it ends before or `limit` passes.
  void WaitForLine(std::string_view text, milliseconds limit = milliseconds(30000),
                   std::size_t from = 0);
  void Signal(int signal);
  // Its exit status as in Finished; nullopt when it still runs after `limit`.
  std::optional<int> Wait(milliseconds limit);
  // SIGKILL and reap: what a crash looks like to everybody else.
  void Kill();

 private:
  std::string text_;  // the command, for messages
  pid_t pid_ = -1;
  UniqueFd output_;  // memfd
  std::optional<int> status_;
};

// "ip link show": for messages.
std::string TextOf(const Argv& argv);

}  // namespace natrix::support
