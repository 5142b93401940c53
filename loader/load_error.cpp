// SPDX-License-Identifier: Apache-2.0
#include "loader/load_error.h"

#include <cerrno>
#include <vector>

namespace natrix::loader {

std::string LogTail(std::string_view log, std::size_t lines) {
  std::vector<std::string_view> all;
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    const std::string_view line = log.substr(0, end);
    if (!line.empty()) all.push_back(line);
    if (end == std::string_view::npos) break;
    log.remove_prefix(end + 1);
  }
  std::string tail;
  const std::size_t from = all.size() > lines ? all.size() - lines : 0;
  for (std::size_t i = from; i < all.size(); ++i) {
    if (!tail.empty()) tail += '\n';
    tail += all[i];
  }
  return tail;
}

std::string LoadHint(int err, std::string_view log) {
  if (err == ENOMEM)
    return "the kernel has no memory for the tables: lower flows.maxEstablished, or raise the "
           "unit's MemoryMax";
  if (err == E2BIG || log.find("too large") != std::string_view::npos)
    return "this kernel's verifier gave up on the size of the program: natrix needs Linux 6.1 or "
           "newer";
  if (log.find("unknown func") != std::string_view::npos ||
      log.find("invalid func") != std::string_view::npos || err == EINVAL || err == EACCES)
    return "this kernel's verifier refuses the program: natrix needs Linux 6.1 or newer, built "
           "with BTF (/sys/kernel/btf/vmlinux); on a newer one this is a bug, please report the "
           "lines above";
  if (err == ENOENT || err == ESRCH)
    return "natrix needs a kernel with BTF (/sys/kernel/btf/vmlinux)";
  return "";
}

}  // namespace natrix::loader
