// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/pin_root.h"
#include "userspace/base/result.h"

// The names in links/: `<device>-<ifindex>-<what>`, `what` being ingress or egress (a pinned tcx
// link), clsact (a symbolic link: that our filters are on that device's clsact qdisc, its
// target telling whether we made the qdisc), xdp (a pinned XDP link) or noxdp (a symbolic link, its
// target telling why the device goes without one).  The device's name is for people; a dot, which
// bpffs refuses, is written as an underscore.
namespace natrix::loader {

struct LinkPin {
  std::string file;  // name in links/
  std::string device;
  std::uint32_t ifindex = 0;
  std::string what;
};

using LinkPinKinds = std::vector<std::string_view>;
inline const LinkPinKinds kTcPins = {"ingress", "egress", "clsact"};

std::string LinkPinName(std::string_view device, std::uint32_t ifindex, std::string_view what);
// nullopt for a name that we did not make.
std::optional<LinkPin> ParseLinkPin(std::string_view file, const LinkPinKinds& kinds = kTcPins);
// All that parse, sorted; none when the directory does not exist.
Result<std::vector<LinkPin>> ListLinkPins(const PinRoot& root, const LinkPinKinds& kinds = kTcPins);

}  // namespace natrix::loader
