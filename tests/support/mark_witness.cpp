// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mark_witness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mark_witness.skel.h"
#include "tests/support/mark_event.h"
#include "tests/support/setup_error.h"

namespace natrix::support {

struct MarkWitness::Parts {
  mark_witness_bpf* skeleton = nullptr;
  ring_buffer* ring = nullptr;
  std::vector<Sight> sights;

  ~Parts() {
    ring_buffer__free(ring);
    mark_witness_bpf__destroy(skeleton);
  }

  static int OnEvent(void* context, void* data, std::size_t) {
    const auto* event = static_cast<const mark_event*>(data);
    const std::size_t length = std::min<std::size_t>(event->length, MARK_EVENT_BYTES);
    Bytes frame(event->frame, event->frame + length);
    if (IsUnicastIp(frame))
      static_cast<Parts*>(context)->sights.push_back(
          {event->netns, event->ifindex, event->mark, std::move(frame)});
    return 0;
  }
};

MarkWitness::MarkWitness() : parts_(std::make_unique<Parts>()) {
  parts_->skeleton = mark_witness_bpf__open_and_load();
  if (parts_->skeleton == nullptr) ThrowErrno("load the mark witness");
  if (const int err = mark_witness_bpf__attach(parts_->skeleton); err != 0) {
    errno = -err;
    ThrowErrno("attach the mark witness to tp_btf/net_dev_start_xmit");
  }
  parts_->ring = ring_buffer__new(bpf_map__fd(parts_->skeleton->maps.events), Parts::OnEvent,
                                  parts_.get(), nullptr);
  if (parts_->ring == nullptr) ThrowErrno("ring buffer of the mark witness");
}

MarkWitness::~MarkWitness() = default;

void MarkWitness::Watch(const Namespace& ns) {
  const std::uint32_t key = ns.inum();
  const std::uint32_t value = 1;
  if (bpf_map_update_elem(bpf_map__fd(parts_->skeleton->maps.watched), &key, &value, BPF_ANY) != 0)
    ThrowErrno("watch the marks of " + ns.name());
}

std::vector<MarkWitness::Sight> MarkWitness::Take() {
  ring_buffer__consume(parts_->ring);
  return std::exchange(parts_->sights, {});
}

}  // namespace natrix::support
