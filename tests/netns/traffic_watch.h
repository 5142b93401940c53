// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/packet.h"
#include "tests/support/tap.h"
#include "userspace/base/unique_fd.h"

// Who looks at a wire while others talk.
namespace natrix::netns {

// Counts the frames that arrive at a device and match a classic BPF program, in the kernel, so
// that no rate is too high for it.
class FrameCounter {
 public:
  // Any source in 10.0.0.0/8 or fd00:10::/32, where the pods are: what must not be seen outside.
  static FrameCounter OfPodSources(const support::Namespace& ns, const std::string& device);
  // Larger than an MTU of 1500 allows: segments that have not been cut yet.
  static FrameCounter OfSuperPackets(const support::Namespace& ns, const std::string& device);

  // Since the beginning.
  std::uint64_t Count();
  // One of them, for people.
  const std::string& Example() const { return example_; }

 private:
  FrameCounter(const support::Namespace& ns, const std::string& device,
               const std::vector<sock_filter>& program);

  UniqueFd fd_;
  std::uint64_t count_ = 0;
  std::string example_;
};

// Recomputes the checksums of all that arrives at a device; of those that the kernel has still to
// fill (CHECKSUM_PARTIAL), whether the pseudo header's sum stands there.
class ChecksumWatch {
 public:
  // `quotations`: also of the transport headers that ICMP errors quote.  They are as they reached
  // who quotes them: unfinished where the kernel had still to fill them.
  ChecksumWatch(const support::Namespace& ns, const std::string& device, bool quotations);
  ~ChecksumWatch();
  ChecksumWatch(const ChecksumWatch&) = delete;
  ChecksumWatch& operator=(const ChecksumWatch&) = delete;

  // Everything that has arrived is judged when these return.
  std::uint64_t Frames();
  std::uint64_t Wrong();
  // The first wrong one, for people.
  std::string Example();

 private:
  void Look();
  void Settle();

  support::Tap tap_;
  bool quotations_;
  std::mutex mutex_;
  std::uint64_t frames_ = 0;
  std::uint64_t wrong_ = 0;
  std::string example_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> idle_rounds_{0};
  std::thread thread_;
};

}  // namespace natrix::netns
