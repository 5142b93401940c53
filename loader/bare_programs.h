// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "loader/object.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"

struct natrix_bare_bpf;

namespace natrix::loader {

// The programs for devices without a link-layer header, on the maps of a loaded datapath.  An
// object of their own, so that a node without such a device has the verifier's work once.  Owns the
// programs' fds; they are pinned, too.
class BarePrograms {
 public:
  BarePrograms();
  ~BarePrograms();
  BarePrograms(const BarePrograms&) = delete;
  BarePrograms& operator=(const BarePrograms&) = delete;

  // Loads them the first time.  What failed is tried anew a minute later, and fails alike until
  // then: each try costs what a load costs.
  Result<DevicePrograms> Load(const PinRoot& root, const Datapath& datapath);
  // As Datapath's, of these programs.
  Result<int> RestorePins(const PinRoot& root) const;

 private:
  struct Destroy {
    void operator()(natrix_bare_bpf* skeleton) const;
  };
  using Clock = std::chrono::steady_clock;

  Result<> LoadOnce(const PinRoot& root, const Datapath& datapath);

  std::unique_ptr<natrix_bare_bpf, Destroy> skeleton_;  // null: not loaded
  std::optional<Error> refused_;                        // why not, and when that was
  Clock::time_point refused_at_;
};

}  // namespace natrix::loader
