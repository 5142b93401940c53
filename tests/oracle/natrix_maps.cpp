// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/natrix_maps.h"

#include <bpf/bpf.h>
#include <fmt/core.h>

#include <string>
#include <utility>

#include "maps/abi/config.h"
#include "maps/abi/subnet.h"
#include "maps/abi/way.h"
#include "maps/array_map_view.h"
#include "maps/keyed_map_view.h"
#include "maps/per_cpu_array_view.h"
#include "tests/support/setup_error.h"
#include "userspace/model/address.h"

namespace natrix::oracle {
namespace {

constexpr char kPins[] = "/sys/fs/bpf/natrix";

template <typename T>
T Need(Result<T> result) {
  if (!result) throw support::SetupError(result.error().ToString());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// A view and the descriptor that it needs.
template <typename View>
class Pinned {
 public:
  Pinned(pid_t natrixd, const std::string& name)
      : fd_(Open(fmt::format("/proc/{}/root{}/maps/{}", natrixd, kPins, name))),
        view_(Need(View::Open(fd_.get(), name))) {}

  const View* operator->() const { return &view_; }

 private:
  static UniqueFd Open(const std::string& path) {
    UniqueFd fd(bpf_obj_get(path.c_str()));
    if (!fd) support::ThrowErrno("open " + path);
    return fd;
  }

  UniqueFd fd_;
  View view_;
};

template <typename Key, typename View>
void EraseEverything(const Pinned<View>& map) {
  std::vector<Key> keys;
  Need(map->ForEach([&](const Key& key, const auto&) { keys.push_back(key); }));
  Need(map->EraseAll(keys));
}

std::string TextOf(const nx_prefix& cidr) {
  const model::Address address{cidr.addr};
  const bool v4 = address.family() == model::Family::kIpv4;
  return model::Prefix{address, static_cast<int>(cidr.length) - (v4 ? 96 : 0)}.ToString();
}

}  // namespace

void ForgetFlows(pid_t natrixd) {
  EraseEverything<nx_tuple>(
      Pinned<maps::HashMapView<nx_tuple, nx_established>>(natrixd, "nx_flow"));
  EraseEverything<nx_tuple>(Pinned<maps::LruMapView<nx_tuple, nx_flow>>(natrixd, "nx_embryo"));
  EraseEverything<nx_frag_key>(Pinned<maps::LruMapView<nx_frag_key, nx_frag>>(natrixd, "nx_frag"));
}

std::uint64_t ReadCount(pid_t natrixd, nx_reason reason) {
  const Pinned<maps::PerCpuArrayView<nx_count>> counts(natrixd, "nx_count");
  std::uint64_t packets = 0;
  for (const nx_count& one : Need(counts->At(reason))) packets += one.packets;
  return packets;
}

std::vector<GatewayCount> ReadGatewayCounts(pid_t natrixd) {
  const Pinned<maps::ArrayMapView<nx_generation>> generation(natrixd, "nx_generation");
  const Pinned<maps::HashMapView<std::uint32_t, nx_subnet>> subnets(
      natrixd, Need(generation->At(0)).number & 1 ? "nx_subnet_right" : "nx_subnet_left");
  const Pinned<maps::PerCpuArrayView<nx_gateway>> sums(natrixd, "nx_gateway");
  std::vector<GatewayCount> counts;
  Need(subnets->ForEach([&](std::uint32_t number, const nx_subnet& subnet) {
    for (const nx_direction way : {NX_EGRESS, NX_INGRESS}) {
      GatewayCount count{subnet.name, TextOf(subnet.cidr), way == NX_EGRESS};
      for (const nx_gateway& one : Need(sums->At(number * 2 + way))) {
        count.packets += one.packets;
        count.bytes += one.bytes;
      }
      counts.push_back(std::move(count));
    }
  }));
  return counts;
}

}  // namespace natrix::oracle
