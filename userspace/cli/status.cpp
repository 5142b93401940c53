// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "loader/link_pins.h"
#include "loader/xdp_attacher.h"
#include "maps/abi/device.h"
#include "maps/abi/flow.h"
#include "maps/abi/names.h"
#include "maps/abi/set.h"
#include "maps/abi/way.h"
#include "maps/array_map_view.h"
#include "maps/keyed_map_view.h"
#include "maps/pinned_map.h"
#include "userspace/cli/attached.h"
#include "userspace/cli/command.h"
#include "userspace/cli/hook_status.h"
#include "userspace/cli/metadata_status.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/cli/table.h"
#include "userspace/cli/tproxy_status.h"

namespace natrix::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DeviceStatus {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string role;
  bool bare = false;      // no link-layer header
  ProgramIds prog_ids{};  // 0: nothing of ours is attached
  std::optional<loader::XdpState> xdp = {};

  bool attached() const { return prog_ids[0] != 0 && prog_ids[1] != 0; }
};

struct TableStatus {
  std::string name;
  std::size_t entries = 0;
  std::uint32_t max_entries = 0;
};

struct NodeStatus {
  std::optional<int> pid;
  bool running = false;
  std::string method = "none";
  std::uint32_t generation = 0;
  std::uint32_t hz = 0;
  int layout = 0;
  bool fast_path = false;
  std::uint32_t epoch = 0;
  std::vector<DeviceStatus> devices;
  std::vector<TableStatus> tables;
  std::vector<Part> processes;  // empty: the configuration translates no calls
  std::optional<TproxyStatus> tproxy;
  std::optional<Part> metadata;  // who serves OpenStack's

  bool degraded() const {
    return !std::ranges::all_of(devices, &DeviceStatus::attached) ||
           !std::ranges::all_of(processes, &Part::there) || (tproxy && tproxy->degraded()) ||
           (metadata && !metadata->there);
  }
};

Result<> FindAttached(const loader::PinRoot& root, NodeStatus& status) {
  const auto pins = loader::ListLinkPins(root);
  if (!pins) return std::unexpected(pins.error());
  for (const auto& pin : *pins) {
    const auto device = std::ranges::find(status.devices, pin.ifindex, &DeviceStatus::ifindex);
    status.method = pin.what == "clsact" ? "clsact" : "tcx";
    if (device == status.devices.end()) continue;
    if (auto done = AddAttached(root, pin, device->prog_ids); !done) return done;
  }
  auto xdp = loader::ListXdp(root);
  if (!xdp) return std::unexpected(std::move(xdp).error());
  for (auto& state : *xdp) {
    const auto device = std::ranges::find(status.devices, state.ifindex, &DeviceStatus::ifindex);
    if (device != status.devices.end()) device->xdp = std::move(state);
  }
  return {};
}

template <typename View>
Result<> AddTable(PinnedMaps& pins, const char* name, NodeStatus& status) {
  const auto view = pins.Open<View>(name);
  if (!view) return std::unexpected(view.error());
  TableStatus table{.name = name, .max_entries = view->info().max_entries};
  auto done = view->ForEach([&](const auto&, const auto&) { ++table.entries; });
  if (done) status.tables.push_back(std::move(table));
  return done;
}

Result<> AddTables(PinnedMaps& pins, std::uint32_t side, NodeStatus& status) {
  using maps::HashMapView, maps::LpmMapView, maps::LruMapView;
  const char* net = side == 0 ? "nx_net_left" : "nx_net_right";
  const char* fip = side == 0 ? "nx_fip_left" : "nx_fip_right";
  for (auto& done : {AddTable<HashMapView<nx_tuple, nx_established>>(pins, "nx_flow", status),
                     AddTable<LruMapView<nx_tuple, nx_flow>>(pins, "nx_embryo", status),
                     AddTable<LpmMapView<nx_prefix, nx_net>>(pins, net, status),
                     AddTable<HashMapView<nx_fip_key, nx_fip>>(pins, fip, status),
                     AddTable<HashMapView<nx_addr, nx_local>>(pins, "nx_local", status)})
    if (!done) return done;
  return {};
}

Result<> AddDevices(PinnedMaps& pins, NodeStatus& status) {
  const auto view = pins.Open<maps::HashMapView<std::uint32_t, nx_device>>("nx_device");
  if (!view) return std::unexpected(view.error());
  auto done = view->ForEach([&](std::uint32_t ifindex, const nx_device& device) {
    status.devices.push_back({.ifindex = ifindex,
                              .name = device.name,
                              .role = device.role == NX_DEVICE_UPLINK ? "uplink" : "pod",
                              .bare = (device.ways & NX_DEVICE_BARE) != 0});
  });
  std::ranges::sort(status.devices, {}, &DeviceStatus::ifindex);
  return done;
}

Result<> AddMetadata(PinnedMaps& pins, std::uint32_t side, NodeStatus& status) {
  std::vector<std::string> pod_devices;
  for (const DeviceStatus& device : status.devices)
    if (device.role == "pod") pod_devices.push_back(device.name);
  auto metadata = CollectMetadata(pins, side, pod_devices);
  if (!metadata) return std::unexpected(std::move(metadata).error());
  status.metadata = *std::move(metadata);
  return {};
}

Result<NodeStatus> Collect(const Context& context) {
  NodeStatus status;
  PinnedMaps pins(context.root);
  const auto held = loader::PinRootLock::IsHeld(context.root);
  if (!held) return std::unexpected(held.error());
  status.running = *held;
  if (status.running) status.pid = loader::PinRootLock::HolderPid(context.root);

  const auto generation = pins.Generation();
  const auto config = pins.Config();
  const auto layout = context.root.Layout();
  if (!generation) return std::unexpected(generation.error());
  if (!config) return std::unexpected(config.error());
  if (!layout) return std::unexpected(layout.error());
  const auto epoch = pins.Open<maps::ArrayMapView<nx_epoch>>("nx_epoch");
  if (!epoch) return std::unexpected(epoch.error());
  const auto ways = epoch->At(0);
  if (!ways) return std::unexpected(ways.error());
  status.fast_path = ways->enabled != 0;
  status.epoch = ways->number;
  status.generation = *generation;
  status.hz = config->hz;
  status.layout = layout->value_or(0);

  if (auto done = AddDevices(pins, status); !done) return std::unexpected(done.error());
  if (auto done = FindAttached(context.root, status); !done) return std::unexpected(done.error());
  if (auto done = AddTables(pins, *generation & 1, status); !done)
    return std::unexpected(done.error());
  if (config->sockets != NX_SOCKETS_NONE) {
    auto parts = CgroupParts(context.root, loader::kAllCgroupHooks);
    if (!parts) return std::unexpected(std::move(parts).error());
    status.processes = *std::move(parts);
  }
  auto tproxy = CollectTproxy(context.root, pins);
  if (!tproxy) return std::unexpected(std::move(tproxy).error());
  status.tproxy = *std::move(tproxy);
  if (auto done = AddMetadata(pins, *generation & 1, status); !done)
    return std::unexpected(done.error());
  return status;
}

std::string FastPathText(const NodeStatus& status) {
  if (!status.fast_path) return "off";
  return status.running ? "on" : "suspended";  // nobody watches the routes
}

Json ToJson(const std::optional<loader::XdpState>& xdp) {
  if (!xdp) return {};
  return {{"mode", xdp->mode},
          {"program", xdp->prog_id},
          {"reason", xdp->why.empty() ? Json() : Json(xdp->why)}};
}

Json ToJson(const NodeStatus& status) {
  Json devices = Json::array();
  for (const auto& device : status.devices)
    devices.push_back({{"name", device.name},
                       {"ifindex", device.ifindex},
                       {"role", device.role},
                       {"link", device.bare ? "bare" : "ethernet"},
                       {"attached", device.attached()},
                       {"ingressProgram", device.prog_ids[0]},
                       {"egressProgram", device.prog_ids[1]},
                       {"xdp", ToJson(device.xdp)}});
  Json tables = Json::array();
  for (const auto& table : status.tables)
    tables.push_back(
        {{"name", table.name}, {"entries", table.entries}, {"maxEntries", table.max_entries}});
  return {{"running", status.running},
          {"loaded", true},
          {"pid", status.pid ? Json(*status.pid) : Json()},
          {"attachMethod", status.method},
          {"generation", status.generation},
          {"layout", status.layout},
          {"hz", status.hz},
          {"degraded", status.degraded()},
          {"fastPath", FastPathText(status)},
          {"routeEpoch", status.epoch},
          {"devices", std::move(devices)},
          {"tables", std::move(tables)},
          {"processes", ToJson(status.processes)},
          {"tproxy", status.tproxy ? status.tproxy->ToJson() : Json()},
          {"metadata", status.metadata ? ToJson(std::vector{*status.metadata})[0] : Json()}};
}

void PrintTables(const NodeStatus& status) {
  const std::string pid = status.pid ? fmt::format(" (pid {})", *status.pid) : "";
  fmt::print("natrixd     {}\n",
             status.running ? "running" + pid : "not running; the datapath is loaded and works on");
  fmt::print("attached by {}\ngeneration  {}\nfast path   {}, route epoch {}\n\n", status.method,
             status.generation, FastPathText(status), status.epoch);
  TextTable devices({{"DEVICE"}, {"IFINDEX", Align::kRight}, {"ROLE"}, {"INGRESS"}, {"EGRESS"}});
  for (const auto& device : status.devices)
    devices.Add({device.name, fmt::to_string(device.ifindex), device.role,
                 ProgramText(device.prog_ids[0]), ProgramText(device.prog_ids[1])});
  TextTable tables({{"TABLE"}, {"ENTRIES", Align::kRight}, {"ROOM", Align::kRight}});
  for (const auto& table : status.tables)
    tables.Add({table.name, fmt::to_string(table.entries), fmt::to_string(table.max_entries)});
  fmt::print("{}\n{}", devices.Render(), tables.Render());
  TextTable xdp({{"XDP"}, {"MODE"}, {"PROGRAM"}});
  bool any_xdp = false;
  for (const auto& device : status.devices) {
    if (!device.xdp) continue;
    any_xdp = true;
    xdp.Add({device.name, device.xdp->mode,
             device.xdp->why.empty() ? ProgramText(device.xdp->prog_id) : device.xdp->why});
  }
  if (any_xdp) fmt::print("\n{}", xdp.Render());
  TextTable processes({{"PROCESSES"}, {"STATE"}});
  for (const Part& part : status.processes) processes.Add({part.name, part.state});
  if (!status.processes.empty()) fmt::print("\n{}", processes.Render());
  if (status.tproxy) fmt::print("\n{}", status.tproxy->Render());
  if (!status.metadata) return;
  TextTable metadata({{"METADATA"}, {"STATE"}});
  metadata.Add({status.metadata->name, status.metadata->state});
  fmt::print("\n{}", metadata.Render());
}

}  // namespace

int Status(const Context& context) {
  if (const int code = CheckLoaded(context); code != kOk) {
    if (context.json && code == kNotLoaded)
      fmt::print("{}\n", Json{{"running", false}, {"loaded", false}}.dump(2));
    return code;
  }
  const auto status = Collect(context);
  if (!status) return Report(status.error());
  if (context.json)
    fmt::print("{}\n", ToJson(*status).dump(2));
  else
    PrintTables(*status);
  if (!status->running) return kNotLoaded;
  return status->degraded() ? kDegraded : kOk;
}

}  // namespace natrix::cli
