// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>

#include "loader/attacher.h"
#include "loader/pinned_link.h"
#include "userspace/base/unique_fd.h"

namespace natrix::loader {

// Attaches by pinned tcx links (Linux 6.6), after the programs of others.  A link survives us, the
// deletion of qdiscs and a rename; a new program takes an old one's place inside it.  The fds are
// held, too, so that unmounting bpffs detaches nothing while natrixd runs.
class TcxAttacher : public Attacher {
 public:
  explicit TcxAttacher(const PinRoot& root) : root_(root) {}

  std::string_view method() const override { return "tcx"; }
  Result<> Adopt() override;
  Result<AttachOutcome> Attach(const Attachment& wanted) override;
  Result<> Detach(std::uint32_t ifindex) override;
  std::vector<std::uint32_t> Attached() const override;
  Result<int> RemoveOtherMethod() override;

 private:
  using Key = std::pair<std::uint32_t, Hook>;

  Result<AttachOutcome> AttachHook(const Attachment& wanted, Hook hook);
  Result<bool> Update(PinnedLink& link, int prog_fd);
  Result<> Create(const Attachment& wanted, Hook hook);
  std::string PinPath(const std::string& name) const { return root_.LinksDir() + "/" + name; }

  const PinRoot& root_;
  std::map<Key, PinnedLink> links_;
};

}  // namespace natrix::loader
