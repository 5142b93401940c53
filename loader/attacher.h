// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loader/pin_root.h"
#include "loader/tc_filter.h"
#include "userspace/base/result.h"

namespace natrix::loader {

// `lo` has it in every network namespace (LOOPBACK_IFINDEX, include/net/flow.h).
inline constexpr std::uint32_t kLoopbackIndex = 1;

// A device to attach to, and the programs of its role.
struct Attachment {
  std::uint32_t ifindex = 0;
  std::string name;
  int ingress_fd = -1;
  int egress_fd = -1;  // -1: nothing at this hook

  int fd(Hook hook) const { return hook == Hook::kIngress ? ingress_fd : egress_fd; }
};

// What Attach had to do.
struct AttachOutcome {
  bool created = false;   // at least one hook had none of ours
  bool replaced = false;  // at least one had another program of ours
};

// Puts our programs on devices, in one of the ways the kernel offers.  Nothing is ever detached
// before its successor is attached, and nothing of another owner is touched.
class Attacher {
 public:
  virtual ~Attacher() = default;
  virtual std::string_view method() const = 0;  // "tcx", "clsact"

  // Takes up what an earlier process attached.  Call once, before the rest.
  virtual Result<> Adopt() = 0;
  // Makes the device have exactly these programs of ours.  Idempotent; repairs what is lost.
  virtual Result<AttachOutcome> Attach(const Attachment& wanted) = 0;
  // Removes ours from the device, which may be gone already.
  virtual Result<> Detach(std::uint32_t ifindex) = 0;
  // The devices that have ours, as far as this process knows.
  virtual std::vector<std::uint32_t> Attached() const = 0;
  // Removes what an earlier process attached in another way.  To be called when all is attached
  // in this one.  Returns how many links or filters there were.
  virtual Result<int> RemoveOtherMethod() = 0;
};

enum class Method { kAuto, kTcx, kClsact };

// kAuto probes.  The pin root must outlive the attacher.
Result<std::unique_ptr<Attacher>> MakeAttacher(const PinRoot& root, Method method);

}  // namespace natrix::loader
