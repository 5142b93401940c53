// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_sums.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <cerrno>

#include "sum_witness.skel.h"
#include "tests/netns/sum_event.h"
#include "tests/support/checksum.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {

using support::ThrowErrno;

namespace {

// Behind natrix' clsact filter (loader/tc_filter.h); tcx programs run before all filters.
constexpr std::uint32_t kPriority = 0x6e79;

std::uint16_t Folded(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ntohs(static_cast<std::uint16_t>(sum));
}

// 0 and 0xffff are the same number.
bool Same(std::uint16_t a, std::uint16_t b) { return a % 0xffff == b % 0xffff; }

std::string KindOf(support::View frame) {
  const auto layers = support::Dissect(frame);
  if (!layers) return "unreadable";
  const char* error = layers->inner ? " error" : "";
  const char* fragment = layers->fragment ? (layers->IsFirst() ? " first" : " later") : "";
  const std::string name = layers->protocol == support::kTcp   ? "tcp"
                           : layers->protocol == support::kUdp ? "udp"
                                                               : "icmp";
  return fmt::format("{}{}{}{}", name, layers->v6 ? 6 : 4, error, fragment);
}

}  // namespace

struct SumWitness::Parts {
  sum_witness_bpf* skeleton = nullptr;
  ring_buffer* ring = nullptr;
  Verdict verdict;

  ~Parts() {
    ring_buffer__free(ring);
    sum_witness_bpf__destroy(skeleton);
  }

  static int OnEvent(void* context, void* data, std::size_t) {
    const auto* event = static_cast<const sum_event*>(data);
    Verdict& verdict = static_cast<Parts*>(context)->verdict;
    if (event->length > SUM_EVENT_BYTES) {
      ++verdict.complete["too long"];
      return 0;
    }
    const support::View frame(event->frame, event->length);
    ++verdict.complete[KindOf(frame)];
    const std::uint16_t right = support::InternetSum(frame.subspan(support::kEthernetLength));
    if (!Same(right, Folded(event->csum)))
      verdict.wrong.push_back(fmt::format("skb->csum {:#06x} instead of {:#06x}: {}",
                                          Folded(event->csum), right, support::Describe(frame)));
    return 0;
  }
};

SumWitness::SumWitness(const support::Namespace& ns, const std::string& device)
    : parts_(std::make_unique<Parts>()) {
  parts_->skeleton = sum_witness_bpf__open_and_load();
  if (parts_->skeleton == nullptr) ThrowErrno("load the sum witness");
  const auto fail = [&](int err, const char* what) {
    errno = -err;
    ThrowErrno(std::string(what) + " on " + device);
  };
  const support::InNetwork here(ns);
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(support::IndexOf(ns, device)),
              .attach_point = BPF_TC_INGRESS);
  int err = bpf_tc_hook_create(&hook);
  if (err != 0 && err != -EEXIST) fail(err, "clsact");
  LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(parts_->skeleton->progs.sum_witness),
              .handle = 1, .priority = kPriority);
  err = bpf_tc_attach(&hook, &opts);
  if (err != 0) fail(err, "attach the sum witness");
  parts_->ring = ring_buffer__new(bpf_map__fd(parts_->skeleton->maps.events), Parts::OnEvent,
                                  parts_.get(), nullptr);
  if (parts_->ring == nullptr) ThrowErrno("ring buffer of the sum witness");
}

SumWitness::~SumWitness() = default;

const SumWitness::Verdict& SumWitness::Judge() {
  ring_buffer__consume(parts_->ring);
  return parts_->verdict;
}

}  // namespace natrix::netns
