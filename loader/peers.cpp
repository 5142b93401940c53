// SPDX-License-Identifier: Apache-2.0
#include "loader/peers.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "userspace/base/unique_fd.h"

namespace natrix::loader {
namespace {

Result<UniqueFd> Iterator(int program_fd, int map_fd) {
  bpf_iter_link_info info{};
  info.map.map_fd = static_cast<__u32>(map_fd);
  LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info, .iter_info_len = sizeof(info));
  const UniqueFd link(bpf_link_create(program_fd, 0, BPF_TRACE_ITER, &options));
  if (!link) return Fail(errno, "attach to nx_peer");
  UniqueFd iterator(bpf_iter_create(link.get()));
  if (!iterator) return Fail(errno, "iterate over nx_peer");
  return iterator;
}

}  // namespace

Result<std::vector<nx_peer_line>> ListPeers(int peers_program_fd, int peers_map_fd) {
  const auto iterator = Iterator(peers_program_fd, peers_map_fd);
  if (!iterator) return std::unexpected(iterator.error());
  std::vector<char> text;
  for (;;) {
    constexpr std::size_t kChunk = 1 << 16;
    const std::size_t so_far = text.size();
    text.resize(so_far + kChunk);
    const ssize_t got = ::read(iterator->get(), text.data() + so_far, kChunk);
    text.resize(so_far + static_cast<std::size_t>(got > 0 ? got : 0));
    // EAGAIN: the kernel let go of the CPU, and wants to be asked again.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return Fail(errno, "read nx_peer");
    if (got == 0) break;
  }
  std::vector<nx_peer_line> lines(text.size() / sizeof(nx_peer_line));
  std::memcpy(lines.data(), text.data(), lines.size() * sizeof(nx_peer_line));
  return lines;
}

}  // namespace natrix::loader
