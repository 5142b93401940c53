// SPDX-License-Identifier: Apache-2.0
#include "loader/bare_programs.h"

#include <bpf/libbpf.h>

#include <string>
#include <utility>

#include "natrix_bare.skel.h"

namespace natrix::loader {
namespace {

constexpr std::chrono::seconds kRetry{60};

// Every map is the datapath's: none is made here.
Result<> ShareMaps(const bpf_object* object, const Datapath& datapath) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;  // constants
    const auto fd = datapath.MapFd(bpf_map__name(map));
    if (!fd) return std::unexpected(fd.error());
    if (const int err = bpf_map__reuse_fd(map, *fd); err != 0)
      return Fail(err, std::string("share map ") + bpf_map__name(map));
  }
  return {};
}

}  // namespace

BarePrograms::BarePrograms() = default;
BarePrograms::~BarePrograms() = default;
void BarePrograms::Destroy::operator()(natrix_bare_bpf* skeleton) const {
  natrix_bare_bpf__destroy(skeleton);
}

Result<> BarePrograms::LoadOnce(const PinRoot& root, const Datapath& datapath) {
  decltype(skeleton_) fresh(natrix_bare_bpf__open());
  if (!fresh) return Fail(errno, "open the BPF object");
  if (auto shared = ShareMaps(fresh->obj, datapath); !shared) return shared;
  fresh->rodata->nx_clock_size = bpf_map__max_entries(fresh->maps.nx_clock);
  if (auto loaded = LoadObject(fresh->obj); !loaded) return loaded;
  if (auto pinned = PinPrograms(fresh->obj, root); !pinned) return pinned;
  skeleton_ = std::move(fresh);
  return {};
}

Result<DevicePrograms> BarePrograms::Load(const PinRoot& root, const Datapath& datapath) {
  if (!skeleton_ && refused_ && Clock::now() - refused_at_ < kRetry)
    return std::unexpected(*refused_);
  if (!skeleton_) {
    if (auto loaded = LoadOnce(root, datapath); !loaded) {
      refused_ = loaded.error();
      refused_at_ = Clock::now();
      return std::unexpected(loaded.error());
    }
  }
  const auto& progs = skeleton_->progs;
  return DevicePrograms{.pod_ingress = bpf_program__fd(progs.nx_bare_pod_in),
                        .uplink_ingress = bpf_program__fd(progs.nx_bare_up_in),
                        .egress = bpf_program__fd(progs.nx_bare_out)};
}

Result<int> BarePrograms::RestorePins(const PinRoot& root) const {
  return skeleton_ ? RestoreProgramPins(skeleton_->obj, root) : 0;
}

}  // namespace natrix::loader
