// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "loader/attacher.h"

namespace natrix::loader {

// Attaches by filters of the clsact qdisc, for kernels without tcx links.  A filter dies with its
// qdisc, which anybody may delete: call Attach again when that happens.
//
// Which devices have ours is kept as symbolic links in links/ (see link_pins.h), so that a qdisc
// we made, and only that, can be taken away again.
class ClsactAttacher : public Attacher {
 public:
  explicit ClsactAttacher(const PinRoot& root) : root_(root) {}

  std::string_view method() const override { return "clsact"; }
  Result<> Adopt() override;
  Result<AttachOutcome> Attach(const Attachment& wanted) override;
  Result<> Detach(std::uint32_t ifindex) override;
  std::vector<std::uint32_t> Attached() const override;
  Result<int> RemoveOtherMethod() override;

 private:
  Result<> RecordDevice(const Attachment& wanted, bool created_qdisc) const;

  const PinRoot& root_;
  std::set<std::uint32_t> devices_;
};

// Removes our filters from the device, and the qdisc if `made_qdisc` and nothing else uses it.
// Returns how many filters were removed.
Result<int> RemoveClsact(std::uint32_t ifindex, bool made_qdisc);

}  // namespace natrix::loader
