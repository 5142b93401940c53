// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/udp_release.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "maps/flow_half.h"

namespace natrix::daemon {
namespace {

// A packet under way lives for microseconds, a look takes longer.
constexpr int kLooks = 5;

using Keys = std::set<nx_tuple, compile::ByBytes>;

// The keys of a flow's entries (enum nx_role), by the order in which they go: once the original is
// gone the client's next packet begins a new flow.
struct Doomed {
  Keys originals;
  Keys others;
};

// B -> A, of either half's A -> V and B -> N.
nx_tuple MiddleOf(const nx_tuple& original, const nx_tuple& reply) {
  nx_tuple middle = reply;
  middle.dst = original.src;
  middle.dport = original.sport;
  return middle;
}

void Doom(const UdpRelease::IsEnded& is_ended, const nx_tuple& key, const nx_flow& entry,
          Doomed& doomed) {
  if (key.proto != NX_L4_UDP || entry.role == NX_ROLE_MIDDLE) return;
  const bool asks = entry.role == NX_ROLE_ORIGINAL;
  const nx_tuple original = asks ? key : maps::PartnerOf(key, entry);
  const nx_tuple reply = asks ? maps::PartnerOf(key, entry) : key;
  if (!is_ended({.called = original.dst,
                 .endpoint = reply.src,
                 .called_port = original.dport,
                 .endpoint_port = reply.sport}))
    return;
  doomed.originals.insert(original);
  doomed.others.insert(reply);
  doomed.others.insert(MiddleOf(original, reply));
}

}  // namespace

Result<UdpRelease> UdpRelease::Open(const maps::FdOf& fd_of) {
  maps::Opener opener(fd_of);
  auto established = opener.Open<Established>("nx_flow");
  auto embryos = opener.Open<Embryos>("nx_embryo");
  if (!opener.done()) return std::unexpected(std::move(opener.done()).error());
  return UdpRelease(*std::move(established), *std::move(embryos));
}

Result<std::size_t> UdpRelease::End(const IsEnded& is_ended) const {
  std::size_t ended = 0;
  for (int look = 0; look < kLooks; ++look) {
    const auto found = EndOnce(is_ended);
    if (!found) return found;
    if (*found == 0) break;
    ended = std::max(ended, *found);
  }
  return ended;
}

Result<std::size_t> UdpRelease::EndOnce(const IsEnded& is_ended) const {
  Doomed doomed;
  const auto look = [&](const nx_tuple& key, const auto& entry) {
    Doom(is_ended, key, maps::FlowOf(entry), doomed);
  };
  // Embryos first: what is established meanwhile is seen there.
  if (auto done = embryos_.ForEach(look); !done) return std::unexpected(std::move(done).error());
  if (auto done = established_.ForEach(look); !done)
    return std::unexpected(std::move(done).error());
  for (const Keys* keys : {&doomed.originals, &doomed.others}) {
    const std::vector<nx_tuple> list(keys->begin(), keys->end());
    // While the established original stands nothing new begins in its place among the embryos.
    if (auto done = embryos_.EraseAll(list); !done) return std::unexpected(std::move(done).error());
    if (auto done = established_.EraseAll(list); !done)
      return std::unexpected(std::move(done).error());
  }
  return doomed.originals.size();
}

}  // namespace natrix::daemon
