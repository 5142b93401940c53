// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loader/attacher.h"
#include "loader/pinned_link.h"
#include "userspace/base/unique_fd.h"

namespace natrix::loader {

enum class XdpKind { kNative, kGeneric };

// A device to attach to.
struct XdpAttachment {
  std::uint32_t ifindex = 0;
  std::string name;
  int prog_fd = -1;
  XdpKind kind = XdpKind::kNative;
};

// Puts our XDP program on devices by pinned links, as tcx links are, beside which their pins lie.
// The kernel lets no link take the place of somebody else's program.
class XdpAttacher {
 public:
  explicit XdpAttacher(const PinRoot& root) : root_(&root) {}

  // Takes up what an earlier process attached.  Call once, before the rest.
  Result<> Adopt();
  // Makes the device have this program of ours.  Idempotent; repairs what is lost.
  Result<AttachOutcome> Attach(const XdpAttachment& wanted);
  // Removes ours from the device, which may be gone already.
  Result<> Detach(std::uint32_t ifindex);
  std::vector<std::uint32_t> Attached() const;

  // Leaves word, for `natrix status`, why these devices go without, and of no others.
  struct Refusal {
    std::uint32_t ifindex = 0;
    std::string name;
    std::string why;
  };
  Result<> Record(const std::vector<Refusal>& refusals) const;

 private:
  struct Link : PinnedLink {
    XdpKind kind = XdpKind::kNative;
  };

  Result<bool> Update(Link& link, int prog_fd);
  Result<> Create(const XdpAttachment& wanted);
  std::string PinPath(const std::string& name) const { return root_->LinksDir() + "/" + name; }

  const PinRoot* root_;
  std::map<std::uint32_t, Link> links_;  // by ifindex
};

// What of ours a pin in links/ says of a device and XDP.
struct XdpState {
  std::uint32_t ifindex = 0;
  std::string mode;           // "native", "generic", "refused"
  std::uint32_t prog_id = 0;  // 0: refused
  std::string why;            // when refused
};
Result<std::vector<XdpState>> ListXdp(const PinRoot& root);

// What its driver can do: enum netdev_xdp_act; 0 when it, or the kernel (before 6.3), does not
// tell.
std::uint64_t XdpFeatures(std::uint32_t ifindex);

}  // namespace natrix::loader
