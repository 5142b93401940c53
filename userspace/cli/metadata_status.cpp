// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/metadata_status.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "maps/abi/set.h"
#include "maps/keyed_map_view.h"
#include "userspace/base/file.h"
#include "userspace/model/address.h"
#include "userspace/model/calico.h"

namespace natrix::cli {
namespace {

using model::Address;

// A device that is gone meanwhile lets nothing in.
bool RoutesLocalnet(const std::string& device) {
  const auto text = ReadFile(fmt::format("/proc/sys/net/ipv4/conf/{}/route_localnet", device), 16);
  return text && text->starts_with('1');
}

}  // namespace

Result<std::optional<Part>> CollectMetadata(PinnedMaps& pins, std::uint32_t side,
                                            const std::vector<std::string>& pod_devices) {
  const auto view =
      pins.Open<maps::HashMapView<nx_fip_key, nx_fip>>(side == 0 ? "nx_fip_left" : "nx_fip_right");
  if (!view) return std::unexpected(view.error());
  const Address called = Address::Parse(model::kMetadataAddress).value();
  const auto found = view->Find({.addr = called.bytes, .side = NX_FIP_METADATA, .pad = {}});
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::optional<Part>();
  const model::Endpoint server{Address{(*found)->addr}, ntohs((*found)->port)};
  Part part{.name = server.ToString(), .there = true, .state = "called at 169.254.169.254:80"};
  if (!server.address.IsLoopback() || RoutesLocalnet("all")) return part;
  std::vector<std::string> closed;
  for (const std::string& device : pod_devices)
    if (!RoutesLocalnet(device)) closed.push_back(device);
  if (closed.empty()) return part;
  part.there = false;
  part.state = fmt::format("NOT REACHED: net.ipv4.conf.DEVICE.route_localnet is 0 of {}",
                           fmt::join(closed, ", "));
  return part;
}

}  // namespace natrix::cli
