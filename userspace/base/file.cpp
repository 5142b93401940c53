// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "userspace/base/unique_fd.h"

namespace natrix {

Result<std::string> ReadFile(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Fail(errno, "open " + path);
  std::string text;
  char chunk[16384];
  while (text.size() <= limit) {
    const std::size_t want = std::min(sizeof(chunk), limit + 1 - text.size());
    const ssize_t got = ::read(fd.get(), chunk, want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(errno, "read " + path);
    if (got == 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace natrix
